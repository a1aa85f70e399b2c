/* A client of bpf(2) as plain as can be: no libbpf, linked statically, raw system calls. For run_test.cc.
 *
 *   run_client MODE [ARGUMENT]      exit code 0: all was as it is on Linux; else the line that says what was not
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attr_calls.h"
#include "stuck_file.h"
#include "../../support/client_expect.h"

/* A signal whose handler does not restart calls may end one before anybody has heard of it: it has had no effect then. */
static long bpf(int command, union bpf_attr *attr, unsigned size) {
  long result;
  do result = syscall(SYS_bpf, command, attr, size);
  while (result == -1 && errno == EINTR);
  return result;
}

static int create(unsigned flags) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.map_type = BPF_MAP_TYPE_ARRAY;
  attr.key_size = 4;
  attr.value_size = 8;
  attr.max_entries = 4;
  attr.map_flags = flags;
  return (int)bpf(BPF_MAP_CREATE, &attr, sizeof attr);
}

static long element(int command, int map, unsigned key, unsigned long long *value) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.map_fd = (unsigned)map;
  attr.key = (unsigned long)&key;
  attr.value = (unsigned long)value;
  return bpf(command, &attr, sizeof attr);
}

static unsigned id_of(int map) {
  struct bpf_map_info info;
  union bpf_attr attr;
  memset(&info, 0, sizeof info);
  memset(&attr, 0, sizeof attr);
  attr.info.bpf_fd = (unsigned)map;
  attr.info.info_len = sizeof info;
  attr.info.info = (unsigned long)&info;
  EXPECT(bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr) == 0);
  return info.id;
}

static void use(int map) {
  unsigned long long value = 42, seen = 0;
  EXPECT(element(BPF_MAP_UPDATE_ELEM, map, 2, &value) == 0);
  EXPECT(element(BPF_MAP_LOOKUP_ELEM, map, 2, &seen) == 0 && seen == 42);
  EXPECT(element(BPF_MAP_LOOKUP_ELEM, map, 9, &seen) == -1 && errno == ENOENT);
  EXPECT(element(BPF_MAP_LOOKUP_ELEM, map, 2, (void *)8) == -1 && errno == EFAULT);
  EXPECT(element(BPF_MAP_LOOKUP_ELEM, 1000, 2, &seen) == -1 && errno == EBADF);
  EXPECT(element(BPF_MAP_LOOKUP_ELEM, 0, 2, &seen) == -1 && errno == EINVAL);
}

static void mode_map(void) {
  int map = create(0);
  EXPECT(map >= 0);
  EXPECT(fcntl(map, F_GETFD) == FD_CLOEXEC);
  use(map);
  int copy = dup(map);
  EXPECT(id_of(copy) == id_of(map));
  close(map);
  use(copy);
  EXPECT(bpf(BPF_MAP_CREATE, (void *)8, 72) == -1 && errno == EFAULT);
  EXPECT(bpf(777, (void *)8, 0) == -1 && errno == EINVAL);
}

static void mode_readonly_memory(void) {
  int map = create(0);
  void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(element(BPF_MAP_LOOKUP_ELEM, map, 0, page) == -1 && errno == EFAULT);
}

static void mode_mmap(void) {
  int map = create(BPF_F_MMAPABLE);
  unsigned long long *values = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0), seen = 0, set = 5;
  EXPECT(values != MAP_FAILED);
  values[1] = 7;
  EXPECT(element(BPF_MAP_LOOKUP_ELEM, map, 1, &seen) == 0 && seen == 7);
  EXPECT(element(BPF_MAP_UPDATE_ELEM, map, 0, &set) == 0 && values[0] == 5);
}

static volatile sig_atomic_t signals;
static void on_signal(int number) {
  (void)number;
  ++signals;
}

/* Every call happens once, however often it is interrupted. */
static void mode_storm(const char *flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = strcmp(flags, "restart") == 0 ? SA_RESTART : 0;
  EXPECT(sigaction(SIGALRM, &action, NULL) == 0);
  struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
  EXPECT(setitimer(ITIMER_REAL, &often, NULL) == 0);
  unsigned last = 0;
  int calls = 0;
  for (; calls < 20000 && (calls < 500 || signals < 50); ++calls) {
    int map = create(0);
    EXPECT(map >= 0);
    unsigned id = id_of(map);
    EXPECT(last == 0 || id == last + 1);
    last = id;
    EXPECT(close(map) == 0);
  }
  setitimer(ITIMER_REAL, &never, NULL);
  EXPECT(signals > 0);
}

static void *thread_body(void *map) {
  for (unsigned long long i = 0; i < 100; ++i) {
    unsigned long long value = i;
    EXPECT(element(BPF_MAP_UPDATE_ELEM, *(int *)map, 1, &value) == 0);
    int own = create(0);
    EXPECT(own >= 0);
    use(own);
    close(own);
  }
  return NULL;
}

static void mode_threads(void) {
  int map = create(0);
  pthread_t threads[8];
  for (int i = 0; i < 8; ++i) EXPECT(pthread_create(&threads[i], NULL, thread_body, &map) == 0);
  for (int i = 0; i < 8; ++i) EXPECT(pthread_join(threads[i], NULL) == 0);
}

static int end_of(pid_t child) {
  int status = -1;
  EXPECT(waitpid(child, &status, 0) == child);
  return status;
}

static void mode_fork(void) {
  int map = create(0);
  for (int i = 0; i < 20; ++i) {
    pid_t child = fork();
    if (child == 0) {
      use(map);
      exit(0);
    }
    EXPECT(end_of(child) == 0);
  }
}

/* The same thread number, another address space. */
static void mode_exec(const char *self, const char *argument) {
  if (argument != NULL) {
    use(atoi(argument));
    exit(0);
  }
  int map = create(0);
  use(map);
  EXPECT(fcntl(map, F_SETFD, 0) == 0);
  char number[16];
  snprintf(number, sizeof number, "%d", map);
  execl(self, self, "exec", number, (char *)NULL);
  EXPECT(0);
}

static void mode_pass(void) {
  int ends[2];
  EXPECT(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
  char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
  struct iovec part = {&byte, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  pid_t child = fork();
  if (child == 0) {
    int map = create(0);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof map);
    memcpy(CMSG_DATA(header), &map, sizeof map);
    EXPECT(sendmsg(ends[1], &message, 0) == 1);
    exit(0);
  }
  EXPECT(end_of(child) == 0);
  EXPECT(recvmsg(ends[0], &message, 0) == 1);
  int map;
  memcpy(&map, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof map);
  use(map);
}

static void mode_pin(const char *path) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.pathname = (unsigned long)path;
  attr.bpf_fd = (unsigned)create(0);
  struct statfs fs;
  EXPECT(statfs("/sys/fs/bpf", &fs) == 0 && fs.f_type == 0xcafe4a11);
  EXPECT(bpf(BPF_OBJ_PIN, &attr, sizeof attr) == 0);
  EXPECT(bpf(BPF_OBJ_PIN, &attr, sizeof attr) == -1 && errno == EEXIST);
  unsigned id = id_of((int)attr.bpf_fd);
  close((int)attr.bpf_fd);
  attr.bpf_fd = 0;
  int again = (int)bpf(BPF_OBJ_GET, &attr, sizeof attr);
  EXPECT(again >= 0 && id_of(again) == id);
}

static long pin_at(int command, const char *path, int object) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.pathname = (unsigned long)path;
  attr.bpf_fd = (unsigned)object;
  return bpf(command, &attr, sizeof attr);
}

/* /sys/fs/bpf is a file system: what one does with pins that is no bpf(2). Exit code 77: none is mounted here. */
static void mode_tree(void) {
  const char *root = "/sys/fs/bpf", *folder = "/sys/fs/bpf/tree", *pin = "/sys/fs/bpf/tree/map", *moved = "/sys/fs/bpf/tree/moved";
  struct statfs fs;
  struct stat st;
  if (mkdir(folder, 0700) != 0 && errno != EEXIST) exit(77);
  int map = create(0);
  EXPECT(pin_at(BPF_OBJ_PIN, pin, map) == 0);
  EXPECT(statfs(folder, &fs) == 0 && fs.f_type == 0xcafe4a11);
  EXPECT(statfs("/sys/fs/bpf/nothing", &fs) == -1 && errno == ENOENT);
  int opened = open(root, O_RDONLY | O_DIRECTORY);
  EXPECT(opened >= 0 && fstatfs(opened, &fs) == 0 && fs.f_type == 0xcafe4a11);
  EXPECT(close(opened) == 0);
  EXPECT(stat(pin, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 07777) == 0600 && st.st_uid == geteuid());
  EXPECT(access(pin, F_OK) == 0);
  EXPECT(open("/sys/fs/bpf/tree/new", O_WRONLY | O_CREAT, 0600) == -1 && errno == EACCES);
  EXPECT(mkdir("/sys/fs/bpf/a.dot", 0700) == -1 && errno == EPERM);
  EXPECT(rename(pin, moved) == 0);
  EXPECT(pin_at(BPF_OBJ_GET, pin, 0) == -1 && errno == ENOENT);
  int again = (int)pin_at(BPF_OBJ_GET, moved, 0);
  EXPECT(again >= 0 && id_of(again) == id_of(map));
  EXPECT(rmdir(folder) == -1 && errno == ENOTEMPTY);
  EXPECT(unlink(moved) == 0 && pin_at(BPF_OBJ_GET, moved, 0) == -1 && errno == ENOENT);
  EXPECT(rmdir(folder) == 0 && access(folder, F_OK) == -1 && errno == ENOENT);
}

/* A socket filter that puts the number 42 into a perf event array, and some of its packet behind it. */
static int load_emitter(int events, int packet_bytes) {
  struct bpf_insn insns[] = {
      {.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 10, .off = -8, .imm = 42},
      {.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 2, .src_reg = BPF_PSEUDO_MAP_FD, .imm = events},
      {0},
      {.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 3, .imm = -1}, /* the current CPU, and BPF_F_CTXLEN_MASK */
      {.imm = packet_bytes},
      {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 4, .src_reg = 10},
      {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 4, .imm = -8},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 5, .imm = 8},
      {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_perf_event_output},
      {.code = BPF_JMP | BPF_EXIT},
  };
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insns = (unsigned long)insns;
  attr.insn_cnt = sizeof insns / sizeof *insns;
  attr.license = (unsigned long)"GPL";
  return (int)bpf(BPF_PROG_LOAD, &attr, sizeof attr);
}

/* perf_event_open, mmap, ioctl, the array, epoll, a record: as libbpf's perf_buffer does it. */
static void mode_perf(void) {
  enum { kCpus = 64, kPages = 4 };
  struct perf_event_mmap_page *rings[kCpus] = {NULL};
  struct epoll_event event = {.events = EPOLLIN};
  struct perf_event_attr what;
  union bpf_attr attr;
  int cpus = (int)sysconf(_SC_NPROCESSORS_CONF), set = epoll_create1(EPOLL_CLOEXEC);
  if (cpus > kCpus) cpus = kCpus;
  memset(&attr, 0, sizeof attr);
  attr.map_type = BPF_MAP_TYPE_PERF_EVENT_ARRAY;
  attr.key_size = attr.value_size = 4;
  attr.max_entries = (unsigned)cpus;
  int events = (int)bpf(BPF_MAP_CREATE, &attr, sizeof attr);
  EXPECT(events >= 0);
  for (int cpu = 0; cpu < cpus; ++cpu) {
    memset(&what, 0, sizeof what);
    what.size = sizeof what;
    what.type = PERF_TYPE_SOFTWARE;
    what.config = PERF_COUNT_SW_BPF_OUTPUT;
    what.sample_type = PERF_SAMPLE_RAW;
    what.sample_period = what.wakeup_events = 1;
    int fd = (int)syscall(SYS_perf_event_open, &what, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    EXPECT(fd >= 0);
    EXPECT(mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EINVAL);
    rings[cpu] = mmap(NULL, (1 + kPages) * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(rings[cpu] != MAP_FAILED && rings[cpu]->data_size == kPages * 4096 && rings[cpu]->data_offset == 4096);
    EXPECT(ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) == 0);
    EXPECT(ioctl(fd, PERF_EVENT_IOC_SET_BPF, events) == -1 && errno == EINVAL);
    unsigned long long value = (unsigned)fd;
    EXPECT(element(BPF_MAP_UPDATE_ELEM, events, (unsigned)cpu, &value) == 0);
    EXPECT(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
  }
  int program = load_emitter(events, 0), longer = load_emitter(events, 6), too_long = load_emitter(events, 7);
  EXPECT(program >= 0 && longer >= 0 && too_long >= 0);
  while (epoll_wait(set, &event, 1, 0) > 0) { /* what adding said */
  }
  char packet[20] = {0};
  memset(&attr, 0, sizeof attr);
  attr.test.prog_fd = (unsigned)program;
  attr.test.data_in = (unsigned long)packet;
  attr.test.data_size_in = sizeof packet;
  EXPECT(bpf(BPF_PROG_TEST_RUN, &attr, sizeof attr) == 0 && attr.test.retval == 0);
  EXPECT(epoll_wait(set, &event, 1, 5000) == 1);
  unsigned long long bytes = 0, seen = 0;
  for (int cpu = 0; cpu < cpus; ++cpu) {
    bytes += rings[cpu]->data_head;
    if (rings[cpu]->data_head != 0) memcpy(&seen, (char *)rings[cpu] + 4096 + sizeof(struct perf_event_header) + 4, 8);
  }
  EXPECT(bytes != 0 && seen == 42);
  /* A filter sees what is behind the link layer's 14 bytes. */
  for (int i = 0; i < (int)sizeof packet; ++i) packet[i] = (char)i;
  attr.test.prog_fd = (unsigned)longer;
  EXPECT(bpf(BPF_PROG_TEST_RUN, &attr, sizeof attr) == 0 && attr.test.retval == 0);
  int found = 0;
  for (int cpu = 0; cpu < cpus; ++cpu)
    for (unsigned long at = 4096; at < 4096 + rings[cpu]->data_head; at += ((struct perf_event_header *)((char *)rings[cpu] + at))->size)
      if (memcmp((char *)rings[cpu] + at + sizeof(struct perf_event_header) + 4 + 8, packet + 14, 6) == 0) ++found;
  EXPECT(found == 1);
  attr.test.prog_fd = (unsigned)too_long;
  EXPECT(bpf(BPF_PROG_TEST_RUN, &attr, sizeof attr) == 0 && attr.test.retval == (unsigned)-EFAULT);
  /* What programs are attached to is not there. */
  memset(&what, 0, sizeof what);
  what.size = sizeof what;
  what.type = PERF_TYPE_TRACEPOINT;
  EXPECT(syscall(SYS_perf_event_open, &what, -1, 0, -1, 0) == -1 && errno == ENOENT);
}

static int load_nothing(void) {
  struct bpf_insn insns[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K}, {.code = BPF_JMP | BPF_EXIT}};
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insns = (unsigned long)insns;
  attr.insn_cnt = sizeof insns / sizeof *insns;
  attr.license = (unsigned long)"GPL";
  return (int)bpf(BPF_PROG_LOAD, &attr, sizeof attr);
}

/* A run of hours. "signal": it ends with EINTR, as on Linux; "wait": it does not end by itself. */
static void mode_endless(const char *argument) {
  static char packet[64];
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.test.prog_fd = (unsigned)load_nothing();
  EXPECT((int)attr.test.prog_fd >= 0);
  attr.test.data_in = (unsigned long)packet;
  attr.test.data_size_in = sizeof packet;
  attr.test.repeat = 0xffffffff;
  if (argument != NULL && strcmp(argument, "signal") == 0) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    EXPECT(sigaction(SIGALRM, &action, NULL) == 0);
    struct itimerval soon = {{0, 0}, {0, 300000}};
    EXPECT(setitimer(ITIMER_REAL, &soon, NULL) == 0);
    EXPECT(syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof attr) == -1 && errno == EINTR);
    EXPECT(signals == 1);
    use(create(0));
    return;
  }
  EXPECT(puts("ready") > 0 && fflush(stdout) == 0);
  syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof attr);
}

static void mode_fdinfo(void) {
  char path[64], text[1024] = {0};
  int map = create(0);
  for (int own = 0; own < 2; ++own) {
    if (own) snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)getpid(), map);
    else snprintf(path, sizeof path, "/proc/self/fdinfo/%d", map);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0 && read(fd, text, sizeof text - 1) > 0);
    EXPECT(strstr(text, "flags:\t") != NULL && strstr(text, "map_type:\t2\n") != NULL && strstr(text, "max_entries:\t4\n") != NULL);
    EXPECT(strstr(text, own ? "frozen:\t1\n" : "frozen:\t0\n") != NULL && strstr(text, "memlock:\t0\n") == NULL);
    close(fd);
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_fd = (unsigned)map;
    EXPECT(own || bpf(BPF_MAP_FREEZE, &attr, sizeof attr) == 0);
  }
  int other = open("/proc/self/fdinfo/0", O_RDONLY);
  memset(text, 0, sizeof text);
  EXPECT(other >= 0 && read(other, text, sizeof text - 1) > 0 && strstr(text, "map_type") == NULL);
  EXPECT(open("/proc/self/fdinfo/999", O_RDONLY) == -1 && errno == ENOENT);
}

/* Descriptors of everything but bpf(2), and numbers that are none. */
static void mode_wrong_files(void) {
  int ends[2];
  EXPECT(pipe(ends) == 0);
  int files[] = {ends[0],
                 ends[1],
                 open("/", O_RDONLY | O_DIRECTORY),
                 open("/", O_PATH),
                 open("/dev/null", O_RDWR),
                 open("/proc/self/mem", O_RDWR),
                 memfd_create("bpf-map", 0),
                 epoll_create1(0),
                 eventfd(0, 0),
                 socket(AF_UNIX, SOCK_STREAM, 0),
                 -1,
                 1 << 30,
                 AT_FDCWD};
  static const int commands[] = {BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_DELETE_ELEM, BPF_MAP_GET_NEXT_KEY, BPF_MAP_FREEZE, BPF_OBJ_PIN,
                                 BPF_PROG_TEST_RUN, BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_DETACH, BPF_LINK_CREATE, BPF_LINK_UPDATE, BPF_ITER_CREATE,
                                 BPF_RAW_TRACEPOINT_OPEN, BPF_PROG_BIND_MAP, BPF_MAP_LOOKUP_BATCH, BPF_PROG_ATTACH, BPF_PROG_QUERY};
  for (unsigned f = 0; f < sizeof files / sizeof *files; ++f)
    for (unsigned c = 0; c < sizeof commands / sizeof *commands; ++c) {
      union bpf_attr attr;
      memset(&attr, 0, sizeof attr);
      *(int *)&attr = files[f];
      EXPECT(bpf(commands[c], &attr, sizeof attr) == -1 && errno != ENOSYS);
      memset(&attr, 0, sizeof attr);
      ((int *)&attr)[2] = files[f]; /* where OBJ_PIN has it */
      EXPECT(bpf(commands[c], &attr, sizeof attr) == -1 && errno != ENOSYS);
    }
  use(create(0));
}

/* Attributes, keys and values whose pages come and go while they are read and written. */
static char *volatile moving;
static volatile int moving_ends;
static void *mover(void *unused) {
  while (!moving_ends) {
    munmap(moving, 4096);
    EXPECT(mmap(moving, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == moving);
    mprotect(moving, 4096, PROT_READ);
    mprotect(moving, 4096, PROT_READ | PROT_WRITE);
  }
  return unused;
}
static void mode_unmap(void) {
  int map = create(0);
  moving = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  EXPECT(moving != MAP_FAILED);
  pthread_t thread;
  EXPECT(pthread_create(&thread, NULL, mover, NULL) == 0);
  for (int i = 0; i < 3000; ++i) {
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.map_fd = (unsigned)map;
    attr.key = (unsigned long)moving;
    attr.value = (unsigned long)moving + 8;
    long result = bpf(i % 2 ? BPF_MAP_LOOKUP_ELEM : BPF_MAP_UPDATE_ELEM, &attr, sizeof attr);
    EXPECT(result == 0 || errno == EFAULT);
    result = bpf(BPF_MAP_LOOKUP_ELEM, (void *)(moving + 64), 32);
    EXPECT(result == -1 && (errno == EFAULT || errno == EINVAL || errno == EBADF));
  }
  moving_ends = 1;
  EXPECT(pthread_join(thread, NULL) == 0);
  use(map);
}

static unsigned long long next_random(unsigned long long *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  return *state ^= *state << 17;
}

/* Attributes of noise for every command in turn, with descriptors and pointers that mean something here and there. Nothing it makes stays. */
static void mode_fuzz(const char *argument) {
  unsigned long long state = argument != NULL ? strtoull(argument, NULL, 0) * 2654435761u + 1 : 1;
  static unsigned char memory[1 << 20]; /* room for whatever is written there */
  int map = create(0);
  for (int round = 0; round < 3000; ++round) {
    union bpf_attr attr;
    unsigned char *bytes = (unsigned char *)&attr;
    memset(&attr, 0, sizeof attr);
    int command = round % 40; /* 37 have rows */
    for (int i = 0; i < 12; ++i) {
      unsigned at = (unsigned)(next_random(&state) % (sizeof attr / 4)) * 4;
      unsigned long long what = next_random(&state);
      switch (what % 6) {
        case 0: memcpy(bytes + at, &map, 4); break;
        case 1: if (at + 8 <= sizeof attr) { unsigned long p = (unsigned long)memory + what % 64; memcpy(bytes + at, &p, 8); } break;
        case 2: { unsigned small = (unsigned)(what >> 8) % 40; memcpy(bytes + at, &small, 4); } break;
        case 3: if (at + 8 <= sizeof attr) memcpy(bytes + at, &what, 8); break;
        default: break;
      }
    }
    for (int i = 0; i < 64; ++i) memory[next_random(&state) % 4096] = (unsigned char)next_random(&state);
    long result = bpf(command, &attr, (unsigned)(next_random(&state) % (sizeof attr + 16)));
    EXPECT(result >= 0 || errno != ENOSYS);
    /* What gives a descriptor gives a number that is open; the rest answers a count or an id. */
    if (result > 2 && result != map && result < 1000 && fcntl((int)result, F_GETFD) == FD_CLOEXEC) close((int)result);
  }
  use(create(0)); /* the other may be frozen */
}

static void mode_memlock(void) {
  struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};
  EXPECT(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
  EXPECT(setrlimit(RLIMIT_MEMLOCK, &all) == 0);
}

/* Ids of maps there are. */
static int count_maps(void) {
  union bpf_attr attr;
  int count = 0;
  memset(&attr, 0, sizeof attr);
  while (bpf(BPF_MAP_GET_NEXT_ID, &attr, sizeof attr) == 0) {
    attr.start_id = attr.next_id;
    attr.next_id = 0;
    ++count;
  }
  return count;
}

/* A map that was looked into again and again, and what is done with its descriptor: nothing of that may be overlooked. */
static void mode_again(void) {
  for (int round = 0; round < 20; ++round) {
    int one = create(0), two = create(0);
    unsigned long long value = 1, seen = 0;
    EXPECT(element(BPF_MAP_UPDATE_ELEM, one, 0, &value) == 0);
    value = 2;
    EXPECT(element(BPF_MAP_UPDATE_ELEM, two, 0, &value) == 0);
    for (int i = 0; i < 3; ++i) EXPECT(element(BPF_MAP_LOOKUP_ELEM, one, 0, &seen) == 0 && seen == 1);
    int number = one, kept = dup(one);
    EXPECT(dup3(two, number, O_CLOEXEC) == number); /* another map of that number */
    for (int i = 0; i < 3; ++i) EXPECT(element(BPF_MAP_LOOKUP_ELEM, number, 0, &seen) == 0 && seen == 2);
    pid_t child = fork(); /* the same number in another process */
    if (child == 0) {
      int same = dup3(kept, number, O_CLOEXEC) == number && element(BPF_MAP_LOOKUP_ELEM, number, 0, &seen) == 0 && seen == 1;
      _exit(same ? 0 : 1);
    }
    int status = 1;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, number, 0, &seen) == 0 && seen == 2);
    close(kept);
    close(two);
    EXPECT(count_maps() == 1);
    for (int i = 0; i < 3; ++i) EXPECT(element(BPF_MAP_LOOKUP_ELEM, number, 0, &seen) == 0);
    close(number);
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, number, 0, &seen) == -1 && errno == EBADF);
    EXPECT(count_maps() == 0); /* although its file was held a moment ago */
    int ends[2];
    EXPECT(pipe(ends) == 0);
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, ends[1], 0, &seen) == -1 && errno == EINVAL);
    close(ends[1]);
    EXPECT(read(ends[0], &seen, 1) == 0); /* files that are no objects are nobody else's */
    close(ends[0]);
  }
}

/* Descriptors that the parent, which is the supervisor, has open. */
static int count_parents_files(void) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd", (int)getppid());
  DIR *files = opendir(path);
  EXPECT(files != NULL);
  int count = 0;
  while (readdir(files) != NULL) ++count;
  closedir(files);
  return count;
}

/* When there have been as many for a second and a half; what is kept for the next map is given up by then. */
static int count_at_rest(void) {
  int last = -1;
  for (int same = 0, looks = 0; same < 30 && looks < 200; ++looks) {
    int now = count_parents_files();
    same = now == last ? same + 1 : 0;
    last = now;
    poll(NULL, 0, 50);
  }
  return last;
}

/* A thousand maps, two at a time: each has what was put into it and no other's, and nothing is left of them. */
static void mode_churn(void) {
  close(create(0));
  int before = count_at_rest(), last = create(0);
  unsigned long long value = 0, seen = 1;
  EXPECT(element(BPF_MAP_UPDATE_ELEM, last, 0, &value) == 0);
  for (unsigned long long i = 1; i <= 1000; ++i) {
    int map = create(0);
    EXPECT(map >= 0 && element(BPF_MAP_LOOKUP_ELEM, map, 0, &seen) == 0 && seen == 0);
    EXPECT(element(BPF_MAP_UPDATE_ELEM, map, 0, &i) == 0);
    EXPECT(element(BPF_MAP_LOOKUP_ELEM, last, 0, &seen) == 0 && seen == i - 1);
    close(last);
    if (i % 100 == 0) EXPECT(count_maps() == 1);
    last = map;
  }
  close(last);
  EXPECT(count_maps() == 0);
  int after = count_at_rest();
  if (after != before) fprintf(stderr, "%d descriptors, %d before\n", after, before);
  EXPECT(after == before);
}

static int create_ring(void) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.map_type = BPF_MAP_TYPE_RINGBUF;
  attr.max_entries = 4096;
  return (int)bpf(BPF_MAP_CREATE, &attr, sizeof attr);
}

/* A socket filter that puts a record of the number 42 into a ring. */
static int load_ringer(int ring) {
  struct bpf_insn insns[] = {
      {.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 10, .off = -8, .imm = 42},
      {.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = ring},
      {0},
      {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
      {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -8},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .imm = 8},
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 4, .imm = 0},
      {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ringbuf_output},
      {.code = BPF_JMP | BPF_EXIT},
  };
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insns = (unsigned long)insns;
  attr.insn_cnt = sizeof insns / sizeof *insns;
  attr.license = (unsigned long)"GPL";
  return (int)bpf(BPF_PROG_LOAD, &attr, sizeof attr);
}

/* A ring that a program keeps while no client has it open wakes who opens it again, in the same epoll set and in another. */
static void mode_rings(void) {
  int ring = create_ring(), sets[2] = {epoll_create1(EPOLL_CLOEXEC), epoll_create1(EPOLL_CLOEXEC)}, program = load_ringer(ring);
  EXPECT(ring >= 0 && program >= 0 && sets[0] >= 0 && sets[1] >= 0);
  unsigned id = id_of(ring);
  char packet[20] = {0};
  for (int round = 0; round < 4; ++round) {
    struct epoll_event event = {.events = EPOLLIN};
    int set = sets[round == 3];
    EXPECT(epoll_ctl(set, EPOLL_CTL_ADD, ring, &event) == 0);
    EXPECT(epoll_ctl(set, EPOLL_CTL_ADD, ring, &event) == -1 && errno == EEXIST);
    EXPECT(epoll_ctl(set, EPOLL_CTL_MOD, ring, &event) == 0);
    while (epoll_wait(set, &event, 1, 0) > 0) { /* what adding said */
    }
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.test.prog_fd = (unsigned)program;
    attr.test.data_in = (unsigned long)packet;
    attr.test.data_size_in = sizeof packet;
    EXPECT(bpf(BPF_PROG_TEST_RUN, &attr, sizeof attr) == 0 && attr.test.retval == 0);
    EXPECT(epoll_wait(set, &event, 1, 10000) == 1);
    close(ring);
    EXPECT(create(0) >= 0); /* a command: that the ring was closed is known by then */
    memset(&attr, 0, sizeof attr);
    attr.map_id = id;
    ring = (int)bpf(BPF_MAP_GET_FD_BY_ID, &attr, sizeof attr);
    EXPECT(ring >= 0);
  }
}

/* Rings that were waited for and are gone leave the supervisor no descriptors. */
static void mode_ring_churn(void) {
  close(create_ring());
  int before = count_at_rest(), set = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < 200; ++i) {
    struct epoll_event event = {.events = EPOLLIN};
    int ring = create_ring();
    EXPECT(ring >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, ring, &event) == 0);
    close(ring);
  }
  EXPECT(count_maps() == 0);
  int after = count_at_rest();
  if (after > before + 2) fprintf(stderr, "%d descriptors, %d before\n", after, before);
  EXPECT(after <= before + 2); /* what tells of the end of rings */
}

static void mode_link_text(void) {
  char path[64], text[64] = {0};
  snprintf(path, sizeof path, "/proc/self/fd/%d", create(0));
  EXPECT(readlink(path, text, sizeof text - 1) > 0);
  EXPECT(strcmp(text, "anon_inode:bpf-map") == 0);
}

/* Says that it is ready, waits for its standard input to end, and then calls. */
static void mode_orphan(void) {
  int map = create(0);
  unsigned long long value = 1;
  EXPECT(puts("ready") > 0 && fflush(stdout) == 0);
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  EXPECT(element(BPF_MAP_UPDATE_ELEM, map, 0, &value) == -1);
  printf("errno %d\n", errno);
}

static void mode_host_gone(void) {
  unsigned long long value = 1;
  int map = create(0);
  EXPECT(puts("ready") > 0 && fflush(stdout) == 0);
  for (;;)
    if (element(BPF_MAP_UPDATE_ELEM, map, 0, &value) != 0) break;
  printf("errno %d\n", errno);
}

/* Makes maps until it may not, and says how many and why; what was given back may be had again. */
static void mode_limit(void) {
  int maps[64], count = 0;
  while (count < 64 && (maps[count] = create(0)) >= 0) ++count;
  printf("%d maps, errno %d\n", count, count < 64 ? errno : 0);
  EXPECT(count > 0 && count < 64);
  EXPECT(create(0) == -1);
  close(maps[--count]);
  maps[count] = create(0);
  EXPECT(maps[count] >= 0);
  EXPECT(create(0) == -1);
}

/* One map of so many bytes. */
static void mode_large(const char *argument) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.map_type = BPF_MAP_TYPE_HASH;
  attr.key_size = 8;
  attr.value_size = 1016;
  attr.max_entries = (unsigned)atoi(argument != NULL ? argument : "1");
  attr.map_flags = BPF_F_NO_PREALLOC;
  int map = (int)bpf(BPF_MAP_CREATE, &attr, sizeof attr);
  printf("errno %d\n", map < 0 ? errno : 0);
}

/* Memory whose pages come when this process pleases. -1: not allowed here. */
static int blocking_memory(unsigned char *at) {
  int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
  if (faults < 0) return -1;
  struct uffdio_api api = {UFFD_API, 0, 0};
  struct uffdio_register range = {{(unsigned long)at, 4096}, UFFDIO_REGISTER_MODE_MISSING, 0};
  EXPECT(ioctl(faults, UFFDIO_API, &api) == 0 && ioctl(faults, UFFDIO_REGISTER, &range) == 0);
  return faults;
}

static unsigned char *blocked;
static int blocked_map, blocked_attr;
static long blocked_result = -2;
static void *blocked_caller(void *unused) {
  union bpf_attr attr;
  unsigned long long value = 0;
  memset(&attr, 0, sizeof attr);
  attr.map_fd = (unsigned)blocked_map;
  attr.key = (unsigned long)blocked;
  attr.value = (unsigned long)&value;
  blocked_result = bpf(BPF_MAP_LOOKUP_ELEM, blocked_attr ? (union bpf_attr *)blocked : &attr, sizeof attr);
  if (blocked_result < 0) blocked_result = -errno;
  return unused;
}

/* A thread's call reads memory that does not come: others go on, and so does it in the end. With "leave" nothing ever comes. */
static void mode_block(const char *argument) {
  blocked_map = create(0);
  use(blocked_map);
  for (blocked_attr = 0; blocked_attr < 2; ++blocked_attr) {
    blocked = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(blocked != MAP_FAILED);
    int faults = blocking_memory(blocked);
    if (faults < 0) exit(77);
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, blocked_caller, NULL) == 0);
    /* Somebody waits for the page; or the call has failed without waiting, as a reader of /proc/PID/mem does. */
    struct pollfd waits = {faults, POLLIN, 0};
    EXPECT(poll(&waits, 1, 2000) >= 0);
    for (int i = 0; i < 100; ++i) use(blocked_map);
    if (argument != NULL && strcmp(argument, "leave") == 0) {
      if (fork() == 0) { /* keeps the page back for as long as anybody might wait */
        sleep(4);
        _exit(0);
      }
      _exit(0);
    }
    struct uffdio_zeropage page = {{(unsigned long)blocked, 4096}, 0, 0};
    EXPECT(ioctl(faults, UFFDIO_ZEROPAGE, &page) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(blocked_result == 0 || blocked_result == -EFAULT || (blocked_attr && blocked_result == -EBADF) || (blocked_attr && blocked_result == -EINVAL));
    close(faults);
    use(blocked_map);
  }
}

/* The same with memory of a file that nobody serves, and with the file itself, which whoever closes it waits for. Who reads such
 * memory through /proc/PID/mem keeps all of it locked meanwhile, so it is another process that goes on. */
static void *stuck_closer(void *file) {
  unsigned long long value = 0;
  blocked_result = element(BPF_MAP_LOOKUP_ELEM, ((struct stuck_file *)file)->fd, 1, &value);
  if (blocked_result < 0) blocked_result = -errno;
  return file;
}

static void mode_stuck(const char *argument) {
  enum { kKey, kAttr, kFile, kWays };
  const int leaves = argument != NULL && strcmp(argument, "leave") == 0;
  for (int way = kKey; way < kWays; ++way) {
    struct stuck_file file;
    blocked_map = create(0);
    int begin[2];
    EXPECT(pipe(begin) == 0);
    pid_t other = fork();
    if (other == 0) {
      char byte;
      EXPECT(read(begin[0], &byte, 1) == 1);
      for (int i = 0; i < 100; ++i) use(blocked_map);
      _exit(0);
    }
    if (make_stuck_file(&file) != 0) exit(77); /* now, so that the other has none of it */
    blocked = (unsigned char *)file.memory;
    blocked_attr = way == kAttr;
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, way == kFile ? stuck_closer : blocked_caller, &file) == 0);
    struct pollfd waits = {file.waiting, POLLIN, 0};
    EXPECT(poll(&waits, 1, 10000) == 1); /* somebody does wait */
    EXPECT(write(begin[1], "b", 1) == 1);
    EXPECT(end_of(other) == 0);
    EXPECT(waitpid(file.server, NULL, WNOHANG) == 0); /* and nobody has waited for its end */
    if (leaves && way == kFile) {
      if (fork() == 0) { /* the kernel lets nobody go who has asked: not this process, and not who closes its files */
        sleep(2);
        kill(file.server, SIGKILL);
        _exit(0);
      }
      umount2(file.place, MNT_DETACH);
      rmdir(file.place);
      kill(getpid(), SIGKILL);
    }
    release_stuck_file(&file);
    EXPECT(pthread_join(thread, NULL) == 0);
    EXPECT(blocked_result == -EFAULT || blocked_result == -EINVAL || blocked_result == -EBADF);
    use(blocked_map);
    close(blocked_map);
  }
}

static long raw_door(void *context, int command, void *attr, unsigned size) {
  (void)context;
  long result = bpf(command, attr, size);
  return result < 0 ? -errno : result;
}

/* Every call of a file, a result a line. */
static void mode_attr_calls(const char *path) {
  struct call_stage stage;
  struct attr_call call;
  FILE *file = fopen(path != NULL ? path : "", "rb");
  EXPECT(file != NULL && open_stage(&stage, raw_door, NULL) == 0);
  while (fread(&call, sizeof call, 1, file) == 1) printf("%ld\n", play_call(&stage, &call, raw_door, NULL));
  fclose(file);
  close_stage(&stage);
}

int main(int argc, char **argv) {
  const char *mode = argc > 1 ? argv[1] : "", *argument = argc > 2 ? argv[2] : NULL;
  if (strcmp(mode, "map") == 0) mode_map();
  else if (strcmp(mode, "readonly") == 0) mode_readonly_memory();
  else if (strcmp(mode, "mmap") == 0) mode_mmap();
  else if (strcmp(mode, "storm") == 0) mode_storm(argument != NULL ? argument : "");
  else if (strcmp(mode, "threads") == 0) mode_threads();
  else if (strcmp(mode, "fork") == 0) mode_fork();
  else if (strcmp(mode, "exec") == 0) mode_exec(argv[0], argument);
  else if (strcmp(mode, "pass") == 0) mode_pass();
  else if (strcmp(mode, "pin") == 0) mode_pin(argument);
  else if (strcmp(mode, "tree") == 0) mode_tree();
  else if (strcmp(mode, "perf") == 0) mode_perf();
  else if (strcmp(mode, "endless") == 0) mode_endless(argument);
  else if (strcmp(mode, "fdinfo") == 0) mode_fdinfo();
  else if (strcmp(mode, "wrong-files") == 0) mode_wrong_files();
  else if (strcmp(mode, "unmap") == 0) mode_unmap();
  else if (strcmp(mode, "fuzz") == 0) mode_fuzz(argument);
  else if (strcmp(mode, "limit") == 0) mode_limit();
  else if (strcmp(mode, "large") == 0) mode_large(argument);
  else if (strcmp(mode, "block") == 0) mode_block(argument);
  else if (strcmp(mode, "attr-calls") == 0) mode_attr_calls(argument);
  else if (strcmp(mode, "stuck") == 0) mode_stuck(argument);
  else if (strcmp(mode, "memlock") == 0) mode_memlock();
  else if (strcmp(mode, "link-text") == 0) mode_link_text();
  else if (strcmp(mode, "again") == 0) mode_again();
  else if (strcmp(mode, "churn") == 0) mode_churn();
  else if (strcmp(mode, "rings") == 0) mode_rings();
  else if (strcmp(mode, "ring-churn") == 0) mode_ring_churn();
  else if (strcmp(mode, "orphan") == 0) mode_orphan();
  else if (strcmp(mode, "host-gone") == 0) mode_host_gone();
  else if (strcmp(mode, "leave") == 0) exit(argument != NULL ? atoi(argument) : 0);
  else EXPECT(!"a mode");
  return 0;
}
