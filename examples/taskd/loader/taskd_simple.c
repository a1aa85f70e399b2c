/* Loads the scheduler simple, shows its counters, and stays until it is told to end or the scheduler has ended: a loader as sched_ext's
 * are, for stock libbpf. Runs as `ring3 run -H HOST -- taskd-simple`.
 *   taskd-simple [-f] [-c CPUS] [-s SECONDS]
 *       -f   first come, first served
 *       -c   how many CPUs have counters
 *       -s   ends by itself
 * Exit code 0: it was told to end; 2: the scheduler had ended before.
 */
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "taskd_loader.h" /* the record's type, which the skeleton takes for granted */

#include "simple.skel.h"

static volatile sig_atomic_t told_to_end;
static void on_signal(int signal) {
  (void)signal;
  told_to_end = 1;
}

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL); }

struct cpu_stats {
  unsigned long long woken, queued;
};
static void show(struct bpf_map *stats, unsigned cpus) {
  struct cpu_stats sum = {0}, one;
  for (unsigned cpu = 0; cpu < cpus; ++cpu) {
    if (bpf_map_lookup_elem(bpf_map__fd(stats), &cpu, &one)) continue;
    sum.woken += one.woken;
    sum.queued += one.queued;
  }
  printf("woken=%llu queued=%llu\n", sum.woken, sum.queued);
  fflush(stdout);
}

int main(int argc, char **argv) {
  unsigned cpus = 2, tenths = 0;
  int fifo = 0, option;
  while ((option = getopt(argc, argv, "fc:s:")) != -1) switch (option) {
      case 'f': fifo = 1; break;
      case 'c': cpus = (unsigned)atoi(optarg); break;
      case 's': tenths = 10 * (unsigned)atoi(optarg); break;
      default: return 1;
    }
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);

  struct simple *skel = simple__open();
  if (!skel) return 1;
  skel->rodata->fifo = fifo;
  bpf_map__set_max_entries(skel->maps.stats, cpus);
  taskd_prepare(skel->maps.simple, skel->progs.simple_init);
  if (simple__load(skel)) return 1;
  const int link = taskd_attach(skel->maps.simple);
  if (link < 0) {
    fprintf(stderr, "taskd-simple: not attached: errno %d\n", -link);
    return 1;
  }
  const struct taskd_exit_record *record = &skel->data_exit->record;
  for (unsigned i = 0; !told_to_end && !taskd_ended(record) && (tenths == 0 || i < tenths); ++i) {
    if (i % 10 == 0) show(skel->maps.stats, cpus);
    nap();
  }
  const int ended_before = taskd_ended(record);
  close(link);
  for (int i = 0; i < 50 && !taskd_ended(record); ++i) nap(); /* the host hears of it in its own time */
  taskd_report(record);
  simple__destroy(skel);
  return ended_before ? 2 : 0;
}
