/* For header_order.bpf.c: a machine with Linux 6.12. */
#define LINUX_VERSION_CODE 396288
