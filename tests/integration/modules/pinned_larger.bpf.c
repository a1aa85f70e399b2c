/* Another idea of the same map: what is pinned does not fit. */
#define ENTRIES 16
#include "pinned.bpf.c"
