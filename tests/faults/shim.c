/* An LD_PRELOAD library between a program and libc: counts the calls on which durability rests, and makes the N-th one
 * fail or kills the program there. See shim.h for the settings, shadow.c for crash images.
 *
 * Real calls go through syscall(2), so nothing here calls what it intercepts. Only regular files and folders under the
 * root are counted: sockets, pipes and other files pass with one fstat. What it cannot see: stores through mmap (the
 * storage engine's are off), io_uring, and system calls made without libc. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim.h"

enum kind { NONE, FAIL_ENOSPC, FAIL_EIO, DIE_BEFORE, DIE_AFTER, DIE_TORN };

static char root[PATH_MAX];
static size_t root_len;
static uint64_t *counters;
static enum kind kind = NONE;
static enum class_ class_of_fault = ANY;
static uint64_t fail_at = 0, fail_times = 1;
static int trace_fd = -1;

static uint64_t number(const char *name, uint64_t otherwise) {
  const char *text = getenv(name);
  return text ? strtoull(text, NULL, 10) : otherwise;
}

static void refuse(const char *what) {
  dprintf(2, "faults shim: %s\n", what);
  _exit(125);
}

static void read_fault(void) {
  static const char *kinds[] = {"", "enospc", "eio", "die-before", "die-after", "die-torn"};
  static const char *classes[] = {"any", "write", "sync", "name"};
  const char *text = getenv("RADMESH_FAULTS_KIND");
  if (!text) return;
  for (int i = 1; i <= DIE_TORN; i++)
    if (!strcmp(text, kinds[i])) kind = (enum kind)i;
  if (kind == NONE) refuse("unknown RADMESH_FAULTS_KIND");
  text = getenv("RADMESH_FAULTS_CLASS");
  for (int i = ANY; text && i <= NAME; i++)
    if (!strcmp(text, classes[i])) class_of_fault = (enum class_)i;
  fail_at = number("RADMESH_FAULTS_AT", 0);
  fail_times = number("RADMESH_FAULTS_TIMES", 1);
}

__attribute__((constructor)) static void start(void) {
  const char *folder = getenv("RADMESH_FAULTS_ROOT"), *control = getenv("RADMESH_FAULTS_CONTROL");
  if (!folder || !control) return;
  if (strlen(folder) >= sizeof root) refuse("RADMESH_FAULTS_ROOT is too long");
  int fd = syscall(SYS_openat, AT_FDCWD, control, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) refuse("cannot open RADMESH_FAULTS_CONTROL");
  counters = mmap(NULL, COUNTERS * sizeof *counters, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (counters == MAP_FAILED) refuse("cannot map RADMESH_FAULTS_CONTROL");
  close(fd);
  const char *trace = getenv("RADMESH_FAULTS_TRACE");
  if (trace) trace_fd = syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  read_fault();
  const char *shadow = getenv("RADMESH_FAULTS_SHADOW");
  if (shadow) shadow_open(folder, shadow);
  strcpy(root, folder);
  root_len = strlen(root);
}

/* ---- which calls count ---- */

static int inside(const char *path) {
  return root_len && !strncmp(path, root, root_len) && (path[root_len] == '/' || !path[root_len]);
}

/* The path of a descriptor if it is a file or folder under the root; `path` holds PATH_MAX bytes. */
static int fd_counts(int fd, char *path) {
  struct stat st;
  char link[64];
  if (!root_len || fstat(fd, &st) || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, PATH_MAX - 1);
  if (n <= 0) return 0;
  path[n] = 0;
  return inside(path);
}

/* The path of `name` at `dirfd` with its folder made canonical, if it is under the root. */
static int path_counts(int dirfd, const char *name, char *path) {
  char whole[PATH_MAX], link[64];
  if (!root_len || !name || !*name) return 0;
  if (*name == '/' || dirfd == AT_FDCWD) {
    if (snprintf(whole, sizeof whole, "%s", name) >= PATH_MAX) return 0;
  } else {
    char base[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
    ssize_t n = readlink(link, base, sizeof base - 1);
    if (n <= 0) return 0;
    base[n] = 0;
    if (snprintf(whole, sizeof whole, "%s/%s", base, name) >= PATH_MAX) return 0;
  }
  char *slash = strrchr(whole, '/');
  const char *last = slash ? slash + 1 : whole;
  char folder[PATH_MAX];
  if (!slash) strcpy(folder, ".");
  else snprintf(folder, sizeof folder, "%.*s", slash == whole ? 1 : (int)(slash - whole), whole);
  char canonical[PATH_MAX];
  if (!realpath(folder, canonical)) return 0;
  return snprintf(path, PATH_MAX, "%s/%s", canonical, last) < PATH_MAX && inside(path);
}

/* ---- one counted call ---- */

struct call {
  int fails;     /* errno to return in place of the call, or 0 */
  enum kind die; /* DIE_AFTER or DIE_TORN still to come, or NONE */
  int locked;
};

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

static void trace(uint64_t n, const char *what, const char *path, const char *fault) {
  char line[PATH_MAX + 128];
  if (trace_fd < 0) return;
  int len = snprintf(line, sizeof line, "%llu %s %s%s\n", (unsigned long long)n, what,
                     path[root_len] ? path + root_len + 1 : ".", fault);
  if (len > 0) syscall(SYS_write, trace_fd, line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1);
}

/* Counts the call, decides whether it is the one to fail, and takes the shadow's lock. Every begin has an end. */
static struct call begin(enum class_ class, const char *what, const char *path) {
  struct call c = {0, NONE, 0};
  if (shadow_on()) {
    shadow_lock();
    c.locked = 1;
  }
  uint64_t any = __atomic_add_fetch(&counters[ANY], 1, __ATOMIC_SEQ_CST);
  uint64_t own = __atomic_add_fetch(&counters[class], 1, __ATOMIC_SEQ_CST);
  uint64_t n = class_of_fault == ANY ? any : class_of_fault == class ? own : 0;
  int hit = kind != NONE && n && n >= fail_at && (fail_times == 0 || n - fail_at < fail_times);
  trace(any, what, path, hit ? " <- fault" : "");
  if (!hit) return c;
  __atomic_add_fetch(&counters[FIRED], 1, __ATOMIC_SEQ_CST);
  if (kind == FAIL_ENOSPC) c.fails = ENOSPC;
  else if (kind == FAIL_EIO) c.fails = EIO;
  else if (kind == DIE_BEFORE || (kind == DIE_TORN && class != WRITE)) die();
  else c.die = kind;
  return c;
}

static long end(struct call c, long result) {
  int error = errno;
  if (c.die != NONE) die();
  if (c.locked) shadow_unlock();
  errno = error;
  return result;
}

static long failed(struct call c) {
  end(c, -1);
  errno = c.fails;
  return -1;
}

/* A call that is only counted and passed on. */
#define COUNTED(class, what, path, real)             \
  do {                                               \
    struct call c_ = begin(class, what, path);       \
    if (c_.fails) return failed(c_);                 \
    return end(c_, real);                            \
  } while (0)

#define ON_FD(class, what, fd, real)                 \
  do {                                               \
    char path_[PATH_MAX];                            \
    if (!fd_counts(fd, path_)) return real;          \
    COUNTED(class, what, path_, real);               \
  } while (0)

#define ON_PATH(class, what, dirfd, name, real)      \
  do {                                               \
    char path_[PATH_MAX];                            \
    if (!path_counts(dirfd, name, path_)) return real; \
    COUNTED(class, what, path_, real);               \
  } while (0)

/* ---- data ---- */

/* A write, of which half may reach the file when the program dies in it. `at` is -1 for the file's own position. */
static ssize_t write_at(const char *what, int fd, const void *data, size_t size, off_t at) {
  char path[PATH_MAX];
#define REAL(n) (at < 0 ? syscall(SYS_write, fd, data, (n)) : syscall(SYS_pwrite64, fd, data, (n), at))
  if (!fd_counts(fd, path)) return REAL(size);
  struct call c = begin(WRITE, what, path);
  if (c.fails) return failed(c);
  return end(c, REAL(c.die == DIE_TORN ? size / 2 : size));
#undef REAL
}

ssize_t write(int fd, const void *data, size_t size) { return write_at("write", fd, data, size, -1); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return write_at("pwrite", fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return write_at("pwrite", fd, data, size, at); }
ssize_t writev(int fd, const struct iovec *parts, int n) {
  ON_FD(WRITE, "writev", fd, syscall(SYS_writev, fd, parts, n));
}
static ssize_t pwritev_(int fd, const struct iovec *parts, int n, off_t at) {
  ON_FD(WRITE, "pwritev", fd, syscall(SYS_pwritev, fd, parts, n, at, 0L));
}
ssize_t pwritev(int fd, const struct iovec *parts, int n, off_t at) { return pwritev_(fd, parts, n, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int n, off_t at) { return pwritev_(fd, parts, n, at); }
ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t size, unsigned flags) {
  ON_FD(WRITE, "copy_file_range", out, syscall(SYS_copy_file_range, in, in_at, out, out_at, size, flags));
}
static ssize_t sendfile_(int out, int in, off_t *at, size_t size) {
  ON_FD(WRITE, "sendfile", out, syscall(SYS_sendfile, out, in, at, size));
}
ssize_t sendfile(int out, int in, off_t *at, size_t size) { return sendfile_(out, in, at, size); }
ssize_t sendfile64(int out, int in, off64_t *at, size_t size) { return sendfile_(out, in, at, size); }

static int ftruncate_(int fd, off_t size) { ON_FD(WRITE, "ftruncate", fd, syscall(SYS_ftruncate, fd, size)); }
int ftruncate(int fd, off_t size) { return ftruncate_(fd, size); }
int ftruncate64(int fd, off64_t size) { return ftruncate_(fd, size); }
static int truncate_(const char *name, off_t size) {
  ON_PATH(WRITE, "truncate", AT_FDCWD, name, syscall(SYS_truncate, name, size));
}
int truncate(const char *name, off_t size) { return truncate_(name, size); }
int truncate64(const char *name, off64_t size) { return truncate_(name, size); }
static int fallocate_(int fd, int mode, off_t at, off_t size) {
  ON_FD(WRITE, "fallocate", fd, syscall(SYS_fallocate, fd, mode, at, size));
}
int fallocate(int fd, int mode, off_t at, off_t size) { return fallocate_(fd, mode, at, size); }
int fallocate64(int fd, int mode, off64_t at, off64_t size) { return fallocate_(fd, mode, at, size); }

/* ---- syncs ---- */

static int sync_(const char *what, int fd, long number) {
  char path[PATH_MAX];
  if (!fd_counts(fd, path)) return syscall(number, fd);
  struct call c = begin(SYNC, what, path);
  if (c.fails) {
    if (c.fails == EIO && shadow_on()) shadow_synced(fd, 1);
    return failed(c);
  }
  long result = syscall(number, fd);
  if (!result && shadow_on()) shadow_synced(fd, 0);
  return end(c, result);
}

int fsync(int fd) { return sync_("fsync", fd, SYS_fsync); }
int fdatasync(int fd) { return sync_("fdatasync", fd, SYS_fdatasync); }
/* Starts writeback and promises nothing: counted, never durable. */
int sync_file_range(int fd, off64_t at, off64_t size, unsigned flags) {
  ON_FD(SYNC, "sync_file_range", fd, syscall(SYS_sync_file_range, fd, at, size, flags));
}

/* ---- names ---- */

static int rename_(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
  ON_PATH(NAME, "rename", to_fd, to, syscall(SYS_renameat2, from_fd, from, to_fd, to, flags));
}
int rename(const char *from, const char *to) { return rename_(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int f, const char *from, int t, const char *to) { return rename_(f, from, t, to, 0); }
int renameat2(int f, const char *from, int t, const char *to, unsigned flags) {
  return rename_(f, from, t, to, flags);
}
int linkat(int f, const char *from, int t, const char *to, int flags) {
  ON_PATH(NAME, "link", t, to, syscall(SYS_linkat, f, from, t, to, flags));
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int unlinkat(int dirfd, const char *name, int flags) {
  ON_PATH(NAME, "unlink", dirfd, name, syscall(SYS_unlinkat, dirfd, name, flags));
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }
int remove(const char *name) {
  struct stat st;
  if (lstat(name, &st)) return -1;
  return unlinkat(AT_FDCWD, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
}
int mkdirat(int dirfd, const char *name, mode_t mode) {
  ON_PATH(NAME, "mkdir", dirfd, name, syscall(SYS_mkdirat, dirfd, name, mode));
}
int mkdir(const char *name, mode_t mode) { return mkdirat(AT_FDCWD, name, mode); }

/* Opening counts only where it makes a file, or empties one. */
static int open_(int dirfd, const char *name, int flags, mode_t mode) {
  struct stat st;
  int missing = (flags & O_CREAT) && fstatat(dirfd, name, &st, 0);
  int empties = (flags & O_TRUNC) && !missing && !fstatat(dirfd, name, &st, 0) && st.st_size > 0;
  if (!missing && !empties) return syscall(SYS_openat, dirfd, name, flags, mode);
  ON_PATH(missing ? NAME : WRITE, missing ? "create" : "empty", dirfd, name,
          syscall(SYS_openat, dirfd, name, flags, mode));
}

#define MODE(flags, mode)                            \
  mode_t mode = 0;                                   \
  if ((flags) & (O_CREAT | O_TMPFILE)) {             \
    va_list more;                                    \
    va_start(more, flags);                           \
    mode = va_arg(more, mode_t);                     \
    va_end(more);                                    \
  }

int open(const char *name, int flags, ...) { MODE(flags, mode) return open_(AT_FDCWD, name, flags, mode); }
int open64(const char *name, int flags, ...) { MODE(flags, mode) return open_(AT_FDCWD, name, flags, mode); }
int openat(int d, const char *name, int flags, ...) { MODE(flags, mode) return open_(d, name, flags, mode); }
int openat64(int d, const char *name, int flags, ...) { MODE(flags, mode) return open_(d, name, flags, mode); }
int creat(const char *name, mode_t mode) { return open_(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *name, mode_t mode) { return creat(name, mode); }
