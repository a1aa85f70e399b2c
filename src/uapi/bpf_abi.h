/* Names, numbers and layouts of the bpf(2) ABI, as a plain C header.
 *
 * Facts only, listed from a kernel's BTF: Linux 6.12, plus the signing set of 6.18
 * (exclusive maps, map hash, fd_array_cnt, signature, keyring_id).
 *
 * Compiled twice: by C++ inside namespace ring3::uapi (uapi/bpf.h), and by the BPF
 * compiler of ring3_add_btf(), so that a host's BTF holds the records stock tools
 * look for. The including file supplies __u8 … __s64.
 */
#ifndef RING3_UAPI_BPF_ABI_H
#define RING3_UAPI_BPF_ABI_H

#include "abi/numbers.h"
#include "abi/attr.h"
#include "abi/info.h"
#include "abi/programs.h"

#endif /* RING3_UAPI_BPF_ABI_H */
