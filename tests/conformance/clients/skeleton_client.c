/* A libbpf skeleton as a program uses it. Exit code 0: everything was as it should be; else a line says what was not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "counter.skel.h"
#include "../../support/client_expect.h"

struct record {
  unsigned length, count;
};

static unsigned received, last_count;
static int on_record(void *context, void *data, size_t size) {
  EXPECT(context == &received && size == sizeof(struct record));
  ++received;
  last_count = ((struct record *)data)->count;
  return 0;
}

static void run(struct counter *skel, unsigned length) {
  char packet[64] = {0};
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = length);
  EXPECT(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.count), &options) == 0);
}

int main(int argc, char **argv) {
  const char *pins = argc > 1 ? argv[1] : NULL;
  struct counter *skel = counter__open();
  EXPECT(skel != NULL);
  skel->rodata->step = 2;
  skel->data->start = 9;
  EXPECT(counter__load(skel) == 0);
  run(skel, 20);
  EXPECT(skel->bss->hits == 2);
  EXPECT(skel->data->start == 9);
  skel->bss->hits = 100;
  run(skel, 20);
  EXPECT(skel->bss->hits == 102);

  unsigned key = 0, next;
  unsigned long long value;
  EXPECT(bpf_map__get_next_key(skel->maps.by_length, NULL, &next, sizeof next) == 0);
  key = next;
  EXPECT(bpf_map__lookup_elem(skel->maps.by_length, &key, sizeof key, &value, sizeof value, 0) == 0 && value == 2);

  struct ring_buffer *ring = ring_buffer__new(bpf_map__fd(skel->maps.records), on_record, &received, NULL);
  EXPECT(ring != NULL);
  EXPECT(ring_buffer__poll(ring, 1000) >= 0 && received == 2 && last_count == 102);
  for (int i = 0; i < 300; ++i) {
    run(skel, 30);
    unsigned before = received;
    for (int tries = 0; received == before && tries < 10; ++tries) EXPECT(ring_buffer__poll(ring, 1000) >= 0);
    EXPECT(received == before + 1);
  }
  ring_buffer__free(ring);

  if (pins != NULL) {
    char path[256];
    snprintf(path, sizeof path, "%s/skeleton_map", pins);
    EXPECT(bpf_map__pin(skel->maps.by_length, path) == 0);
    int again = bpf_obj_get(path);
    EXPECT(again >= 0);
    EXPECT(bpf_map_lookup_elem(again, &key, &value) == 0 && value == 2);
    EXPECT(bpf_map__unpin(skel->maps.by_length, path) == 0);
    EXPECT(bpf_obj_get(path) < 0 && errno == ENOENT);
  }
  counter__destroy(skel);
  return 0;
}
