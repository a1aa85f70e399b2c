#!/usr/bin/env python3
"""Asks this machine's verifier what programs may do, and writes the answers as tables for src/model.

  tools/probe_model.py helpers   which helper each kind of program may call, with which rights, GPL only or not
  tools/probe_model.py ctx       which loads and stores each kind of program may make in its context
  tools/probe_model.py pointers  the same through the sockets and flow keys that contexts and helpers give

Uses BPF_PROG_LOAD alone, on programs of two or three instructions; nothing is attached or run. Needs root.
Kinds that the machine does not have (or that need a target) are left out. Output: tab-separated, to stdout;
the tables data/probe_*.tsv are from a 6.18 kernel.
"""
import ctypes
import os
import re
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
SYS_BPF, SYS_CAPSET, PROG_LOAD = 321, 126, 5
HELPERS = 211
CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF = 12, 38, 39

# name: (prog_type, expected_attach_type, flags, context struct)
KINDS = {
    'SOCKET_FILTER': (1, 0, 0, '__sk_buff'), 'KPROBE': (2, 0, 0, 'pt_regs'), 'SCHED_CLS': (3, 0, 0, '__sk_buff'),
    'TRACEPOINT': (5, 0, 0, 'tracepoint'), 'XDP': (6, 0, 0, 'xdp_md'), 'XDP/devmap': (6, 33, 0, 'xdp_md'),
    'PERF_EVENT': (7, 0, 0, 'bpf_perf_event_data'), 'CGROUP_SKB': (8, 0, 0, '__sk_buff'),
    'CGROUP_SOCK/create': (9, 2, 0, 'bpf_sock'), 'CGROUP_SOCK/post_bind4': (9, 12, 0, 'bpf_sock'),
    'CGROUP_SOCK/post_bind6': (9, 13, 0, 'bpf_sock'), 'LWT_IN': (10, 0, 0, '__sk_buff'), 'LWT_OUT': (11, 0, 0, '__sk_buff'),
    'LWT_XMIT': (12, 0, 0, '__sk_buff'), 'SOCK_OPS': (13, 0, 0, 'bpf_sock_ops'), 'SK_SKB': (14, 0, 0, '__sk_buff'),
    'CGROUP_DEVICE': (15, 0, 0, 'bpf_cgroup_dev_ctx'), 'SK_MSG': (16, 0, 0, 'sk_msg_md'),
    'RAW_TRACEPOINT': (17, 0, 0, 'bpf_raw_tracepoint_args'), 'SOCK_ADDR/bind4': (18, 8, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/bind6': (18, 9, 0, 'bpf_sock_addr'), 'SOCK_ADDR/connect4': (18, 10, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/connect6': (18, 11, 0, 'bpf_sock_addr'), 'SOCK_ADDR/sendmsg4': (18, 14, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/sendmsg6': (18, 15, 0, 'bpf_sock_addr'), 'SOCK_ADDR/recvmsg4': (18, 19, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/recvmsg6': (18, 20, 0, 'bpf_sock_addr'), 'SOCK_ADDR/unix_connect': (18, 49, 0, 'bpf_sock_addr'),
    'LWT_SEG6LOCAL': (19, 0, 0, '__sk_buff'), 'SK_REUSEPORT': (21, 39, 0, 'sk_reuseport_md'),
    'FLOW_DISSECTOR': (22, 0, 0, '__sk_buff'), 'CGROUP_SYSCTL': (23, 0, 0, 'bpf_sysctl'),
    'SOCKOPT/get': (25, 21, 0, 'bpf_sockopt'), 'SOCKOPT/set': (25, 22, 0, 'bpf_sockopt'),
    'SK_LOOKUP': (30, 36, 0, 'bpf_sk_lookup'), 'SYSCALL': (31, 0, 1 << 4, 'bytes'), 'NETFILTER': (32, 45, 0, 'bpf_nf_ctx'),
}


def insn(code, dst=0, src=0, off=0, imm=0):
    return struct.pack('<BBhi', code, (src << 4) | dst, off, imm)


def load(program, kind, gpl=True, level=1):
    """errno (0: accepted) and the log."""
    prog_type, attach, flags, _ = KINDS[kind]
    code = ctypes.create_string_buffer(b''.join(program), 8 * len(program))
    licence = ctypes.create_string_buffer(b'GPL' if gpl else b'MIT')
    log = ctypes.create_string_buffer(1 << 16)
    attr = ctypes.create_string_buffer(
        struct.pack('<IIQQIIQII16sII', prog_type, len(program), ctypes.addressof(code), ctypes.addressof(licence),
                    level, len(log), ctypes.addressof(log), 0, flags, b'', 0, attach).ljust(128, b'\0'), 128)
    fd = LIBC.syscall(SYS_BPF, PROG_LOAD, attr, 128)
    if fd >= 0:
        os.close(fd)
    return (0 if fd >= 0 else ctypes.get_errno()), log.value.decode(errors='replace')


def keep_capabilities(wanted):
    """Effective set becomes `wanted`; the permitted set stays, so that this can be undone."""
    with open('/proc/self/status') as status:
        permitted = int(re.search(r'CapPrm:\s*(\w+)', status.read())[1], 16)
    effective = permitted if wanted is None else permitted & sum(1 << c for c in wanted)
    header = ctypes.create_string_buffer(struct.pack('<II', 0x20080522, 0), 8)
    low = 0xffffffff
    data = ctypes.create_string_buffer(struct.pack('<IIIIII', effective & low, permitted & low, 0, effective >> 32,
                                                   permitted >> 32, 0), 24)
    if LIBC.syscall(SYS_CAPSET, header, data) != 0:
        sys.exit('capset failed')


RETURN = [insn(0xb7, 0, imm=1), insn(0x95)]


def loads_here(kind):
    return any(load([insn(0xb7, 0, imm=value), insn(0x95)], kind)[0] == 0 for value in (0, 1))


def callable_helpers(kind):
    def known(log):
        return not ('cannot use helper' in log or 'unknown func' in log or 'invalid func' in log)
    result = {}
    for helper in range(1, HELPERS + 1):
        call = [insn(0x85, imm=helper), insn(0x95)]
        error, log = load(call, kind)
        if known(log) and (log or error == 0):
            result[helper] = 'GPL' in load(call, kind, gpl=False)[1]
    return result


def probe_helpers():
    print('kind\thelper\tneeds_perfmon\tgpl_only')
    for kind in KINDS:
        keep_capabilities(None)
        if not loads_here(kind):
            continue
        every = callable_helpers(kind)
        keep_capabilities([CAP_BPF, CAP_NET_ADMIN])
        modest = callable_helpers(kind) if loads_here(kind) else None
        for helper, gpl in every.items():
            perfmon = '?' if modest is None else int(helper not in modest)
            print(kind, helper, perfmon, int(gpl), sep='\t')


LOADS = {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
STORES = {1: 0x73, 2: 0x6b, 4: 0x63, 8: 0x7b}


def probe_ctx():
    print('kind\tstruct\toffset\tsize\tload\tstore')
    for kind, (_, _, _, ctx) in KINDS.items():
        if not loads_here(kind) or ctx in ('bytes', 'tracepoint'):
            continue
        for off in range(0, 256):
            for size in LOADS:
                error, log = load([insn(LOADS[size], 2, 1, off)] + RETURN, kind, level=2)
                yields = re.search(r'^0: \(\w+\) .*; R1(?:_w)?=ctx\(\) R2(?:_w)?=(\w+)', log, re.M)
                may_load = yields[1] if yields and 'invalid' not in log else '-'
                error, log = load([insn(0xb7, 2), insn(STORES[size], 1, 2, off)] + RETURN, kind)
                may_store = 'yes' if error == 0 else '-'
                if may_load != '-' or may_store != '-':
                    print(kind, ctx, off, size, may_load, may_store, sep='\t')


def not_null(reg):
    """if reg == 0 return 0"""
    return [insn(0x55, reg, 0, 2), insn(0xb7, 0), insn(0x95)]


# How a program comes by a pointer, in r1: (kind, instructions, struct behind it).
SK = [insn(0x79, 1, 1, 168)] + not_null(1)
POINTERS = {
    'sock_common': ('SCHED_CLS', SK, 'bpf_sock'),
    'sock': ('SCHED_CLS', SK + [insn(0x85, imm=95)] + not_null(0) + [insn(0xbf, 1, 0)], 'bpf_sock'),
    'tcp_sock': ('SCHED_CLS', SK + [insn(0x85, imm=96)] + not_null(0) + [insn(0xbf, 1, 0)], 'bpf_tcp_sock'),
    'flow_keys': ('FLOW_DISSECTOR', [insn(0x79, 1, 1, 144)], 'bpf_flow_keys'),
}


def probe_pointers():
    print('pointer\tstruct\toffset\tsize\tload\tstore')
    leave = [insn(0xb7, 0), insn(0x95)]
    for name, (kind, get, behind) in POINTERS.items():
        for off in range(0, 128):
            for size in LOADS:
                may_load = load(get + [insn(LOADS[size], 2, 1, off)] + leave, kind)[0] == 0
                may_store = load(get + [insn(0xb7, 2), insn(STORES[size], 1, 2, off)] + leave, kind)[0] == 0
                if may_load or may_store:
                    print(name, behind, off, size, 'scalar' if may_load else '-', 'yes' if may_store else '-', sep='\t')


if __name__ == '__main__':
    probes = {'pointers': probe_pointers, 'helpers': probe_helpers, 'ctx': probe_ctx}
    if len(sys.argv) != 2 or sys.argv[1] not in probes:
        sys.exit(__doc__)
    probes[sys.argv[1]]()
