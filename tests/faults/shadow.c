/* What a power cut leaves. POSIX promises no more than this: a file has the content of its last completed fsync or
 * fdatasync, and a folder has the names of its own last completed fsync. A file whose name is durable and whose content
 * never was is empty.
 *
 * Each completed sync appends one record to `journal`; the state after any number of records is one crash image, so one
 * run gives the images of all its moments. tests/harness/image.rs reads the journal and builds them.
 *
 *   record  u32 magic, u32 kind ('F' or 'D'), u64 length of the rest
 *   'F'     file id, u64 size, u64 extents, then for each: u64 offset, u64 length, bytes; only what has changed
 *   'D'     folder id, u64 names, then for each: u64 kind ('F' or 'D'), id, u64 length, name; the root comes first
 *   id      u64 inode, u64 birth time in ns: an inode number may be given again
 *
 * All integers are little-endian. `base/` keeps the last state of each file, to find what has changed. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shim.h"

#define MAGIC 0x31534d52u /* "RMS1" */
#define BLOCK 4096

static int journal = -1, base = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

struct id { uint64_t inode, born; };
struct buffer { char *data; size_t size, room; };

static void broken(const char *what) {
  dprintf(2, "faults shadow: %s: %s\n", what, strerror(errno));
  _exit(125);
}

static void put(struct buffer *b, const void *data, size_t size) {
  if (b->size + size > b->room) {
    b->room = (b->size + size) * 2;
    b->data = realloc(b->data, b->room);
    if (!b->data) broken("memory");
  }
  memcpy(b->data + b->size, data, size);
  b->size += size;
}
static void put64(struct buffer *b, uint64_t n) { put(b, &n, sizeof n); }
static void put_id(struct buffer *b, struct id id) { put64(b, id.inode), put64(b, id.born); }

/* Appended whole by one call; a reader ignores a record that a kill cut short. */
static void append(uint32_t kind, struct buffer *body) {
  struct buffer record = {0};
  uint32_t head[2] = {MAGIC, kind};
  put(&record, head, sizeof head);
  put64(&record, body->size);
  put(&record, body->data, body->size);
  for (size_t done = 0; done < record.size;) {
    long n = syscall(SYS_write, journal, record.data + done, record.size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) broken("journal");
    done += n;
  }
  free(record.data);
  free(body->data);
}

static int describe(int fd, const char *name, struct id *id, uint32_t *kind) {
  struct statx st;
  int flags = *name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
  if (statx(fd, name, flags, STATX_BASIC_STATS | STATX_BTIME, &st)) return 0;
  *id = (struct id){st.stx_ino, st.stx_btime.tv_sec * 1000000000ull + st.stx_btime.tv_nsec};
  *kind = S_ISREG(st.stx_mode) ? 'F' : S_ISDIR(st.stx_mode) ? 'D' : 0;
  return *kind != 0;
}

static int open_raw(int dirfd, const char *name, int flags) {
  return syscall(SYS_openat, dirfd, name, flags | O_CLOEXEC, 0600);
}

/* The bytes at `at`, up to a block; fewer at the end of the file. */
static size_t block(int fd, char *into, uint64_t at) {
  size_t done = 0;
  while (done < BLOCK) {
    ssize_t n = pread(fd, into + done, BLOCK - done, at + done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) broken("read");
    if (n == 0) break;
    done += n;
  }
  return done;
}

/* Appends what differs between the file and its last state, and makes that the last state. */
static void file_synced(int fd, struct id id, int lost) {
  char name[64], now[BLOCK], before[BLOCK];
  snprintf(name, sizeof name, "%llx-%llx", (unsigned long long)id.inode, (unsigned long long)id.born);
  int old = open_raw(base, name, O_RDWR | O_CREAT);
  if (old < 0) broken("base");
  struct buffer extents = {0}, body = {0};
  uint64_t count = 0, size = 0;
  size_t last = SIZE_MAX; /* where the length of the open extent stands */
  for (;; size += BLOCK) {
    size_t n = block(fd, now, size), m = block(old, before, size);
    if (n && (n > m || memcmp(now, before, n))) {
      if (last == SIZE_MAX) {
        put64(&extents, size);
        last = extents.size;
        put64(&extents, 0);
        count++;
      }
      put(&extents, now, n);
      uint64_t length = extents.size - last - sizeof length;
      memcpy(extents.data + last, &length, sizeof length);
      if (syscall(SYS_pwrite64, old, now, n, size) != (long)n) broken("base");
    } else {
      last = SIZE_MAX;
    }
    if (n < BLOCK) {
      size += n;
      break;
    }
  }
  if (syscall(SYS_ftruncate, old, size)) broken("base");
  close(old);
  put_id(&body, id), put64(&body, size), put64(&body, count);
  if (extents.size) put(&body, extents.data, extents.size);
  free(extents.data);
  if (lost) free(body.data);
  else append('F', &body);
}

static void folder_synced(int fd, struct id id) {
  int own = open_raw(fd, ".", O_RDONLY | O_DIRECTORY);
  DIR *dir = own < 0 ? NULL : fdopendir(own);
  if (!dir) broken("folder");
  struct buffer names = {0}, body = {0};
  uint64_t count = 0;
  for (struct dirent *entry; (entry = readdir(dir));) {
    struct id child;
    uint32_t kind;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (!describe(own, entry->d_name, &child, &kind)) continue; /* a socket, or gone */
    put64(&names, kind), put_id(&names, child), put64(&names, strlen(entry->d_name));
    put(&names, entry->d_name, strlen(entry->d_name));
    count++;
  }
  closedir(dir);
  put_id(&body, id), put64(&body, count);
  if (names.size) put(&body, names.data, names.size);
  free(names.data);
  append('D', &body);
}

/* Records a folder and all that is in it as durable; the folder's own record comes first. */
static void record_tree(int fd) {
  struct id id;
  uint32_t kind;
  if (!describe(fd, "", &id, &kind)) broken("root");
  folder_synced(fd, id);
  DIR *dir = fdopendir(open_raw(fd, ".", O_RDONLY | O_DIRECTORY));
  if (!dir) broken("folder");
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (!describe(dirfd(dir), entry->d_name, &id, &kind)) continue;
    int child = open_raw(dirfd(dir), entry->d_name, O_RDONLY);
    if (child < 0) broken(entry->d_name);
    if (kind == 'D') record_tree(child);
    else file_synced(child, id, 0);
    close(child);
  }
  closedir(dir);
}

void shadow_open(const char *root, const char *folder) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/base", folder);
  if (syscall(SYS_mkdirat, AT_FDCWD, path, 0700) && errno != EEXIST) broken(path);
  base = open_raw(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
  snprintf(path, sizeof path, "%s/journal", folder);
  journal = open_raw(AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT);
  if (base < 0 || journal < 0) broken(folder);
  struct stat st;
  shadow_lock();
  if (!fstat(journal, &st) && st.st_size == 0) {
    int top = open_raw(AT_FDCWD, root, O_RDONLY | O_DIRECTORY);
    if (top < 0) broken(root);
    record_tree(top);
    close(top);
  }
  shadow_unlock();
}

int shadow_on(void) { return journal >= 0; }

/* The mutex is for threads, the file lock for other processes; the kernel drops the second when a process dies. */
void shadow_lock(void) {
  pthread_mutex_lock(&mutex);
  while (flock(journal, LOCK_EX) && errno == EINTR) {}
}

void shadow_unlock(void) {
  flock(journal, LOCK_UN);
  pthread_mutex_unlock(&mutex);
}

void shadow_synced(int fd, int lost) {
  struct id id;
  uint32_t kind;
  if (!describe(fd, "", &id, &kind)) return;
  if (kind == 'D') {
    if (!lost) folder_synced(fd, id);
    return;
  }
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int own = open_raw(AT_FDCWD, link, O_RDONLY);
  if (own < 0) broken("synced file");
  file_synced(own, id, lost);
  close(own);
}
