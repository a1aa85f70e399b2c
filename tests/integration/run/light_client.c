/* A client of a light skeleton (light.bpf.c): no ELF file, no library. Exit code 0: everything was as it should be; else a line
 * says what was not. With an argument: loads, and runs that command while it is loaded. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "light.lskel.h"
#include "../../support/client_expect.h"

enum { kLastFd = 64, kInfoBytes = sizeof(struct bpf_map_info) };

static long run(int program, void *data, unsigned data_bytes, void *ctx, unsigned ctx_bytes) {
  union bpf_attr attr;
  memset(&attr, 0, sizeof attr);
  attr.test.prog_fd = program;
  attr.test.data_in = (unsigned long)data;
  attr.test.data_size_in = data_bytes;
  attr.test.ctx_in = (unsigned long)ctx;
  attr.test.ctx_size_in = ctx_bytes;
  long result = syscall(__NR_bpf, BPF_PROG_TEST_RUN, &attr, sizeof attr);
  return result < 0 ? result : (int)attr.test.retval;
}

static unsigned max_entries(int map) {
  struct bpf_map_info info;
  union bpf_attr attr;
  memset(&info, 0, sizeof info);
  memset(&attr, 0, sizeof attr);
  attr.info.bpf_fd = map;
  attr.info.info = (unsigned long)&info;
  attr.info.info_len = kInfoBytes;
  EXPECT(syscall(__NR_bpf, BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof attr) == 0);
  return info.max_entries;
}

/* How many descriptors are of BPF objects. */
static int bpf_descriptors(void) {
  int count = 0;
  for (int fd = 3; fd < kLastFd; ++fd) {
    char link[64], text[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(link, text, sizeof text - 1);
    if (bytes <= 0) continue;
    text[bytes] = '\0';
    count += strstr(text, "bpf") != NULL || strstr(text, "btf") != NULL;
  }
  return count;
}

int main(int argc, char **argv) {
  if (argc > 1) {
    struct light *held = light__open_and_load();
    EXPECT(held != NULL);
    return system(argv[1]) != 0;
  }
  char packet[64] = {0};
  unsigned long number = 21;
  struct light *skel = light__open();
  EXPECT(skel != NULL);
  skel->rodata->step = 3;
  skel->data->start = 8;
  skel->maps.lengths.max_entries = 2;
  EXPECT(light__load(skel) == 0);
  EXPECT(max_entries(skel->maps.lengths.map_fd) == 2);
  EXPECT(run(skel->progs.count.prog_fd, packet, 20, NULL, 0) == 20 - 14);
  EXPECT(run(skel->progs.count.prog_fd, packet, 30, NULL, 0) == 30 - 14);
  EXPECT(run(skel->progs.count.prog_fd, packet, 40, NULL, 0) == 0); /* the map is full */
  EXPECT(skel->bss->sum == 9);
  skel->data->start = 11;
  EXPECT(run(skel->progs.doubles.prog_fd, NULL, 0, &number, sizeof number) == 11 && number == 42);
  /* Two maps of the object, three of its sections, two programs: what the loader needed beside is gone. */
  EXPECT(bpf_descriptors() == 7);
  light__destroy(skel);
  EXPECT(bpf_descriptors() == 0);

  /* A loader that fails half way says so and leaves nothing. */
  skel = light__open();
  EXPECT(skel != NULL);
  skel->maps.records.max_entries = 5;
  EXPECT(light__load(skel) < 0);
  light__destroy(skel);
  EXPECT(bpf_descriptors() == 0);
  return 0;
}
