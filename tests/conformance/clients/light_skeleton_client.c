/* Loads the light skeleton SKELETON (a header that names it `light`) and lets it go. With RING, that map gets a size first, as
 * its own test does. Exit code 0: loaded; else the log is printed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include SKELETON

static char log[1 << 20];

static int load(int log_level) {
  struct light *skel = light__open();
  if (!skel) return -ENOMEM;
#ifdef RING
  skel->maps.RING.max_entries = 4096;
#endif
  skel->ctx.log_level = log_level;
  skel->ctx.log_buf = log_level ? (unsigned long)log : 0;
  skel->ctx.log_size = log_level ? sizeof log : 0;
  int result = light__load(skel);
  light__destroy(skel);
  return result;
}

int main(void) {
  int failed = load(0);
  if (!failed) return 0;
  (void)load(1);
  fprintf(stderr, "loading fails: %d (%s)\n%s\n", failed, strerror(-failed), log);
  return 1;
}
