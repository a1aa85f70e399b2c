/* A client of bpf(2) as plain as can be: no libbpf, linked statically, raw system calls. For run_test.cc.
 *
 *   run_client MODE [ARGUMENT]      exit code 0: all was as it is on Linux; else the line that says what was not
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(condition)                                                                  \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno);    \
      exit(1);                                                                             \
    }                                                                                      \
  } while (0)

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

static void mode_memlock(void) {
  struct rlimit none = {0, 0}, all = {RLIM_INFINITY, RLIM_INFINITY};
  EXPECT(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
  EXPECT(setrlimit(RLIMIT_MEMLOCK, &all) == 0);
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
  else if (strcmp(mode, "memlock") == 0) mode_memlock();
  else if (strcmp(mode, "link-text") == 0) mode_link_text();
  else if (strcmp(mode, "orphan") == 0) mode_orphan();
  else if (strcmp(mode, "host-gone") == 0) mode_host_gone();
  else if (strcmp(mode, "leave") == 0) exit(argument != NULL ? atoi(argument) : 0);
  else EXPECT(!"a mode");
  return 0;
}
