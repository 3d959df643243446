// A shim for LD_PRELOAD, built by faults.rs: calls on files below $FAULT_DIR fail as the file $FAULT says. A file system
// that the kernel has made read-only ("erofs") and a disk that loses what it was given ("fsync") cannot be had otherwise
// without a device of one's own: a mount with files open for writing refuses to be made read-only.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static int says(const char *fault) {
    char said[16] = {0};
    const char *path = getenv("FAULT");
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0) : -1;
    if (fd < 0) return 0;
    ssize_t length = syscall(SYS_read, fd, said, sizeof said - 1);
    syscall(SYS_close, fd);
    return length > 0 && strncmp(said, fault, strlen(fault)) == 0;
}

static int is_below(const char *path) {
    const char *dir = getenv("FAULT_DIR");
    return dir && strncmp(path, dir, strlen(dir)) == 0;
}

static int is_ours(int fd) {
    char link[32], path[PATH_MAX] = {0};
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof path - 1) > 0 && is_below(path);
}

static int fails(int concerned, const char *fault, int error) {
    if (!concerned || !says(fault)) return 0;
    errno = error;
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t count) {
    return fails(is_ours(fd), "erofs", EROFS) ? -1 : REAL(write)(fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    return fails(is_ours(fd), "erofs", EROFS) ? -1 : REAL(pwrite64)(fd, bytes, count, offset);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = va_arg(rest, mode_t);
    va_end(rest);
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
    return fails(writes && is_below(path), "erofs", EROFS) ? -1 : REAL(open64)(path, flags, mode);
}

int rename(const char *from, const char *to) {
    return fails(is_below(to), "erofs", EROFS) ? -1 : REAL(rename)(from, to);
}

int unlink(const char *path) {
    return fails(is_below(path), "erofs", EROFS) ? -1 : REAL(unlink)(path);
}

int fdatasync(int fd) {
    return fails(is_ours(fd), "fsync", EIO) ? -1 : REAL(fdatasync)(fd);
}

int fsync(int fd) {
    return fails(is_ours(fd), "fsync", EIO) ? -1 : REAL(fsync)(fd);
}
