/* For header_order.bpf.c: a machine with Linux 6.12. */
#pragma once
#define LINUX_VERSION_CODE 396288
