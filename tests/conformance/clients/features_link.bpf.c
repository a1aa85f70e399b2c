/* The same with the flavour of struct_ops that a link holds; libbpf 1.1.2 does not know it. */
#define FLAVOUR ".struct_ops.link"
#include "features.bpf.c"
