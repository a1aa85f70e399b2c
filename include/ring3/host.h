/* For the one C header in which a host describes its types. That header is read three times: by the C++ host, by
 * BPF plug-ins, and by ring3_add_btf(), which turns it into the BTF that clients see. It is C and C++ at once,
 * and so is this file; it needs no other header.
 *
 *   struct cache_policy_ops { … } RING3_STRUCT_OPS;          a table of functions plug-ins implement
 *   int cache_list_move(struct cache *c, __u32 n) RING3_KFUNC;   a host function plug-ins call
 *   extern struct cache_limits cache_limits RING3_VARIABLE;      a host variable plug-ins read
 *   extern struct cache_stats cache_stats RING3_PERCPU;          the same, one copy per CPU: the name is for plug-ins alone
 *
 * A stub of a struct_ops member carries annotations in its parameter names. Declare it as
 * <ops struct>__<member>, with the member's prototype:
 *   int cache_policy_ops__evict(struct cache *cache, struct cache_obj *hint__nullable);
 *   x__nullable   the program must test the pointer before it uses it
 *   x__ref        the program owns the pointer and must release or store it exactly once
 */
#ifndef RING3_HOST_H
#define RING3_HOST_H

/* The same types as <linux/types.h> and a generated vmlinux.h; repeating a typedef is allowed. */
typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;

#if defined(__bpf__) && defined(RING3_BTF)
/* Compiled by ring3_add_btf(): the marks end up in the BTF. */
#define RING3_STRUCT_OPS __attribute__((btf_decl_tag("ring3:struct_ops")))
#define RING3_KFUNC __attribute__((btf_decl_tag("bpf_kfunc")))
#define RING3_VARIABLE __attribute__((section(".ring3.data")))
#define RING3_PERCPU __attribute__((section(".ring3.percpu")))
#elif defined(__bpf__)
/* Compiled into a plug-in: loaders resolve what lies in this section against the host. */
#define RING3_STRUCT_OPS
#define RING3_KFUNC __attribute__((section(".ksyms")))
#define RING3_VARIABLE __attribute__((section(".ksyms")))
#define RING3_PERCPU __attribute__((section(".ksyms")))
#else
#define RING3_STRUCT_OPS
#define RING3_KFUNC
#define RING3_VARIABLE
#define RING3_PERCPU
#endif

#endif
