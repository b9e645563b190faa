/* Fault injection for one program: shared by shim.c (calls, counting, failing) and shadow.c (what a power cut leaves).
 *
 * Settings come from the environment, set by tests/harness/faults.rs:
 *   RADMESH_FAULTS_ROOT     the folder whose files count; a canonical path
 *   RADMESH_FAULTS_CONTROL  a file of COUNTERS u64, mapped shared, so that counts outlive the process
 *   RADMESH_FAULTS_KIND     enospc | eio | die-before | die-after | die-torn, or absent: count only
 *   RADMESH_FAULTS_CLASS    any | write | sync | name: which calls the number counts
 *   RADMESH_FAULTS_AT       the number of the call that fails, from 1
 *   RADMESH_FAULTS_TIMES    how many calls fail from there on; 0: all of them
 *   RADMESH_FAULTS_SHADOW   a folder for the journal of durable states, or absent
 *   RADMESH_FAULTS_TRACE    a file to which a line per counted call is appended, or absent
 */
#ifndef RADMESH_SHIM_H
#define RADMESH_SHIM_H

#include <stdint.h>

enum class_ { ANY = 0, WRITE = 1, SYNC = 2, NAME = 3, COUNTERS = 5 };
/* The fifth counter: calls that were made to fail. */
#define FIRED 4

/* Opens the journal; on the first use of a shadow folder, records the tree under root as durable. */
void shadow_open(const char *root, const char *folder);
int shadow_on(void);
/* While held, no counted call of this process or of another one with the same journal is under way. */
void shadow_lock(void);
void shadow_unlock(void);
/* The file or folder behind fd has been synced: append its durable state to the journal. With lost set, its pages
 * were dropped instead, as Linux does after a failed writeback: they are not durable, and a later sync that succeeds
 * does not make them so. */
void shadow_synced(int fd, int lost);

#endif
