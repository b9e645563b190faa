/* A program that keeps files with more or less care, to try the shim on. It prints `acknowledged` when it believes that
 * NAME is safe in DIR.
 *
 *   victim MODE DIR NAME TEXT
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char place[4096], temporary[4096];
static const char *dir;

static void check(int ok, const char *what) {
  if (ok) return;
  perror(what);
  exit(3);
}

static void acknowledge(void) {
  puts("acknowledged");
  fflush(stdout);
}

static int put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  check(fd >= 0, "open");
  check(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write");
  return fd;
}

static void sync_dir(void) {
  int fd = open(dir, O_RDONLY | O_DIRECTORY);
  check(fd >= 0, "open dir");
  check(!fsync(fd), "fsync dir");
  close(fd);
}

/* Write aside, sync, rename, sync the folder; or without one of the syncs. */
static void keep(const char *text, int sync_content, int sync_name) {
  int fd = put(temporary, text);
  if (sync_content) check(!fdatasync(fd), "fdatasync");
  close(fd);
  check(!rename(temporary, place), "rename");
  if (sync_name) sync_dir();
  acknowledge();
}

/* Believes the second sync where the first has failed. */
static void believe(const char *text) {
  int fd = put(place, text);
  sync_dir();
  if (fsync(fd)) check(!fsync(fd), "second fsync");
  acknowledge();
}

/* Appends each letter of the text with a sync of its own. */
static void append(const char *text) {
  int fd = open(place, O_WRONLY | O_CREAT | O_APPEND, 0644);
  check(fd >= 0, "open");
  sync_dir();
  for (; *text; text++) {
    check(write(fd, text, 1) == 1, "write");
    check(!fdatasync(fd), "fdatasync");
    acknowledge();
  }
}

/* Each intercepted call once, in a fixed order. */
static void each(const char *text) {
  struct iovec part = {(void *)text, strlen(text)};
  char other[8192], folder[8192];
  snprintf(other, sizeof other, "%s/other", dir);
  snprintf(folder, sizeof folder, "%s/folder", dir);
  int fd = creat(place, 0644), from = -1;                       /* name 1 */
  check(write(fd, text, 1) == 1, "write");                      /* write 1 */
  check(pwrite(fd, text, 1, 1) == 1, "pwrite");                 /* write 2 */
  check(writev(fd, &part, 1) > 0, "writev");                    /* write 3 */
  check(pwritev(fd, &part, 1, 0) > 0, "pwritev");               /* write 4 */
  check(!ftruncate(fd, 3), "ftruncate");                        /* write 5 */
  check(!truncate(place, 2), "truncate");                       /* write 6 */
  check(!fallocate(fd, 0, 0, 100), "fallocate");                /* write 7 */
  check((from = open(place, O_RDONLY)) >= 0, "open");
  check(sendfile(fd, from, NULL, 1) == 1, "sendfile");          /* write 8 */
  check(copy_file_range(from, NULL, fd, NULL, 1, 0) == 1, "copy_file_range"); /* write 9 */
  check(open(place, O_RDWR | O_TRUNC) >= 0, "empty");           /* write 10 */
  check(!fsync(fd) && !fdatasync(fd), "sync");                  /* sync 1, 2 */
  check(!sync_file_range(fd, 0, 0, 0), "sync_file_range");      /* sync 3 */
  check(!link(place, other), "link");                           /* name 2 */
  check(!rename(other, place), "rename");                       /* name 3 */
  check(!mkdir(folder, 0755) && !rmdir(folder), "mkdir");       /* name 4, 5 */
  check(openat(open(dir, O_RDONLY), "third", O_CREAT | O_RDWR, 0644) >= 0, "openat"); /* name 6 */
  check(!unlink(place), "unlink");                              /* name 7 */
  check(write(1, "", 0) == 0, "not a file");
  acknowledge();
}

static void *thread(void *number) {
  char path[8192];
  for (int i = 0; i < 20; i++) {
    snprintf(path, sizeof path, "%s/%ld-%d", dir, (long)number, i);
    int fd = put(path, "x");
    check(!fsync(fd), "fsync");
    close(fd);
    sync_dir();
  }
  return NULL;
}

/* Eight threads at once, with a child that runs a program of its own in between. */
static void many(char **argv) {
  pthread_t threads[8];
  for (long i = 0; i < 8; i++) check(!pthread_create(&threads[i], NULL, thread, (void *)i), "thread");
  pid_t child = fork();
  check(child >= 0, "fork");
  if (!child) execl("/proc/self/exe", argv[0], "careful", dir, "child", "of", NULL);
  int status;
  check(waitpid(child, &status, 0) == child && !status, "child");
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  acknowledge();
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  const char *mode = argv[1], *text = argv[4];
  dir = argv[2];
  snprintf(place, sizeof place, "%s/%s", dir, argv[3]);
  snprintf(temporary, sizeof temporary, "%s/%s.tmp", dir, argv[3]);
  if (!strcmp(mode, "careful")) keep(text, 1, 1);
  else if (!strcmp(mode, "no-content")) keep(text, 0, 1);
  else if (!strcmp(mode, "no-name")) keep(text, 1, 0);
  else if (!strcmp(mode, "believe")) believe(text);
  else if (!strcmp(mode, "append")) append(text);
  else if (!strcmp(mode, "each")) each(text);
  else if (!strcmp(mode, "many")) many(argv);
  else return 2;
  return 0;
}
