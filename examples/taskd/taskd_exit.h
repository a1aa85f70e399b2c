/* The exit record as a scheduler's global variable: shared by BPF and loaders. */
#ifndef TASKD_EXIT_H
#define TASKD_EXIT_H

struct taskd_exit_record {
  int kind; /* enum taskd_exit_kind; 0: it still runs */
  long long exit_code;
  char reason[64];
  char message[192];
  char dump[1024];
};

#endif
