/* A libbpf skeleton of features.bpf.c: perf buffers, a policy that is attached and, where a link holds it, pinned. An argument is the folder of pins.
 * OBJECT: features or features_link. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "features.skel.h"
#include "../../support/client_expect.h"

static unsigned samples;
static void on_sample(void *context, int cpu, void *data, __u32 size) {
  (void)context;
  (void)cpu;
  EXPECT(size >= 8);
  unsigned long long length;
  memcpy(&length, data, sizeof length);
  EXPECT(length == 6);
  ++samples;
}
static void on_lost(void *context, int cpu, __u64 count) {
  (void)context;
  (void)cpu;
  EXPECT(count == 0);
}

int main(int argc, char **argv) {
  struct features *skel = features__open_and_load();
  EXPECT(skel != NULL);

  struct perf_buffer *buffer = perf_buffer__new(bpf_map__fd(skel->maps.events), 8, on_sample, on_lost, NULL, NULL);
  EXPECT(buffer != NULL);
  for (unsigned run = 1; run <= 2000; ++run) {
    char packet[20] = {0};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof packet);
    EXPECT(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.emit), &options) == 0 && options.retval == 0);
    for (int tries = 0; samples < run && tries < 10; ++tries) EXPECT(perf_buffer__poll(buffer, 1000) >= 0);
    EXPECT(samples == run);
  }
  perf_buffer__free(buffer);

  struct bpf_link *policy = bpf_map__attach_struct_ops(skel->maps.features);
  EXPECT(policy != NULL);
#ifdef LINKED
  if (argc > 1) {
    char path[256];
    snprintf(path, sizeof path, "%s/features_link", argv[1]);
    EXPECT(bpf_link__pin(policy, path) == 0);
    int again = bpf_obj_get(path);
    EXPECT(again >= 0);
    EXPECT(bpf_link__unpin(policy) == 0);
    EXPECT(bpf_obj_get(path) < 0 && errno == ENOENT);
  }
#else
  (void)argc;
  (void)argv;
#endif
  EXPECT(bpf_link__destroy(policy) == 0);
  features__destroy(skel);
  return 0;
}
