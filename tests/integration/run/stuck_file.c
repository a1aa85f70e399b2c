#define _GNU_SOURCE
#include "stuck_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void answer(int device, unsigned long long request, int error, const void *body, unsigned bytes) {
  struct fuse_out_header head = {(unsigned)sizeof head + (error ? 0 : bytes), error, request};
  struct iovec parts[] = {{&head, sizeof head}, {(void *)(unsigned long)body, error ? 0 : bytes}};
  if (writev(device, parts, 2) < 0) return; /* the request was interrupted */
}

static struct fuse_attr attr_of(unsigned long long node) {
  struct fuse_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.ino = node;
  attr.mode = node == FUSE_ROOT_ID ? S_IFDIR | 0755 : S_IFREG | 0644;
  attr.nlink = 1;
  attr.size = 4096;
  attr.uid = getuid();
  attr.gid = getgid();
  return attr;
}

static void serve(int device, int told) {
  static char request[FUSE_MIN_READ_BUFFER + 4096 * 40];
  for (;;) {
    ssize_t bytes = read(device, request, sizeof request);
    if (bytes < 0 && (errno == EINTR || errno == ENOENT)) continue;
    if (bytes < (ssize_t)sizeof(struct fuse_in_header)) return;
    struct fuse_in_header head;
    memcpy(&head, request, sizeof head);
    struct fuse_init_out init = {.major = FUSE_KERNEL_VERSION, .minor = 31, .max_readahead = 4096, .max_write = 4096, .time_gran = 1};
    struct fuse_entry_out entry = {.nodeid = 2, .attr_valid = 3600, .entry_valid = 3600, .attr = attr_of(2)};
    struct fuse_attr_out attr = {.attr_valid = 3600, .attr = attr_of(head.nodeid)};
    struct fuse_open_out open = {.fh = 1};
    switch (head.opcode) {
      case FUSE_INIT: answer(device, head.unique, 0, &init, sizeof init); break;
      case FUSE_LOOKUP: answer(device, head.unique, 0, &entry, sizeof entry); break;
      case FUSE_GETATTR: answer(device, head.unique, 0, &attr, sizeof attr); break;
      case FUSE_OPEN: answer(device, head.unique, 0, &open, sizeof open); break;
      case FUSE_READ:
      case FUSE_FLUSH: /* for ever */
        if (write(told, "w", 1) != 1) return;
        break;
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT: break;
      default: answer(device, head.unique, -ENOSYS, NULL, 0);
    }
  }
}

int make_stuck_file(struct stuck_file *file) {
  char options[128], path[96];
  int told[2];
  if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return -1;
  int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  strcpy(file->place, "/tmp/stuck-XXXXXX");
  if (device < 0 || pipe2(told, O_CLOEXEC) != 0 || mkdtemp(file->place) == NULL) return -1;
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=%u,group_id=%u", device, getuid(), getgid());
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  if (mount("stuck", file->place, "fuse.stuck", MS_NOSUID | MS_NODEV, options) != 0) {
    rmdir(file->place);
    return -1;
  }
  file->server = fork();
  if (file->server == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(20);
    serve(device, told[1]);
    _exit(0);
  }
  close(device);
  close(told[1]);
  file->waiting = told[0];
  snprintf(path, sizeof path, "%s/file", file->place);
  file->fd = open(path, O_RDONLY | O_CLOEXEC);
  if (file->fd < 0) return -1;
  file->memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file->fd, 0);
  return file->memory == MAP_FAILED ? -1 : 0;
}

void release_stuck_file(struct stuck_file *file) {
  kill(file->server, SIGKILL);
  waitpid(file->server, NULL, 0);
  umount2(file->place, MNT_DETACH);
  rmdir(file->place);
  close(file->waiting);
}
