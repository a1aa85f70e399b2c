#!/usr/bin/env python3
"""Asks a kernel's verifier what programs may do, and writes the answers as tables for src/model.

  tools/probe_model.py kinds     what each kind of program may return, and which rights loading it takes
  tools/probe_model.py helpers   which helper each kind of program may call, with which rights, GPL only or not
  tools/probe_model.py ctx       which loads and stores each kind of program may make in its context
  tools/probe_model.py kfuncs SETS  which kind may call which kernel function; SETS: a table of tools/kernel_sets.py
  tools/probe_model.py pointers  the same through the sockets and flow keys that contexts and helpers give

Uses BPF_PROG_LOAD alone, on programs of two or three instructions; nothing is attached or run. Needs root.
Kinds that the kernel does not have are left out. Output: tab-separated, to stdout; data/README.md says which
kernel the tables data/probe_*.tsv are from and how to ask another one in a guest.
"""
import ctypes
import os
import re
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
SYS_BPF, SYS_CAPSET, PROG_LOAD = 321, 126, 5
HELPERS = 211
CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_PERFMON, CAP_BPF = 12, 21, 38, 39
SLEEPABLE = 1 << 4
FUNC, STRUCT, TYPEDEF = 12, 4, 8

# name: (prog_type, expected_attach_type, flags, context struct, target in the kernel's BTF)
KINDS = {
    'SOCKET_FILTER': (1, 0, 0, '__sk_buff'),
    'KPROBE': (2, 0, 0, 'pt_regs'), 'KPROBE/multi': (2, 42, 0, 'pt_regs'), 'KPROBE/session': (2, 56, 0, 'pt_regs'),
    'KPROBE/uprobe_multi': (2, 48, 0, 'pt_regs'), 'KPROBE/sleepable': (2, 48, SLEEPABLE, 'pt_regs'),
    'SCHED_CLS': (3, 0, 0, '__sk_buff'), 'SCHED_CLS/tcx_ingress': (3, 46, 0, '__sk_buff'), 'SCHED_ACT': (4, 0, 0, '__sk_buff'),
    'TRACEPOINT': (5, 0, 0, 'tracepoint'),
    'XDP': (6, 0, 0, 'xdp_md'), 'XDP/devmap': (6, 33, 0, 'xdp_md'), 'XDP/cpumap': (6, 35, 0, 'xdp_md'),
    'PERF_EVENT': (7, 0, 0, 'bpf_perf_event_data'),
    'CGROUP_SKB': (8, 0, 0, '__sk_buff'), 'CGROUP_SKB/egress': (8, 1, 0, '__sk_buff'),
    'CGROUP_SOCK/create': (9, 2, 0, 'bpf_sock'), 'CGROUP_SOCK/post_bind4': (9, 12, 0, 'bpf_sock'),
    'CGROUP_SOCK/post_bind6': (9, 13, 0, 'bpf_sock'), 'CGROUP_SOCK/release': (9, 34, 0, 'bpf_sock'),
    'LWT_IN': (10, 0, 0, '__sk_buff'), 'LWT_OUT': (11, 0, 0, '__sk_buff'), 'LWT_XMIT': (12, 0, 0, '__sk_buff'),
    'SOCK_OPS': (13, 0, 0, 'bpf_sock_ops'), 'SK_SKB': (14, 0, 0, '__sk_buff'),
    'CGROUP_DEVICE': (15, 0, 0, 'bpf_cgroup_dev_ctx'), 'SK_MSG': (16, 0, 0, 'sk_msg_md'),
    'RAW_TRACEPOINT': (17, 0, 0, 'bpf_raw_tracepoint_args'),
    'SOCK_ADDR/bind4': (18, 8, 0, 'bpf_sock_addr'), 'SOCK_ADDR/bind6': (18, 9, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/connect4': (18, 10, 0, 'bpf_sock_addr'), 'SOCK_ADDR/connect6': (18, 11, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/sendmsg4': (18, 14, 0, 'bpf_sock_addr'), 'SOCK_ADDR/sendmsg6': (18, 15, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/recvmsg4': (18, 19, 0, 'bpf_sock_addr'), 'SOCK_ADDR/recvmsg6': (18, 20, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/getpeername4': (18, 29, 0, 'bpf_sock_addr'), 'SOCK_ADDR/getpeername6': (18, 30, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/getsockname4': (18, 31, 0, 'bpf_sock_addr'), 'SOCK_ADDR/getsockname6': (18, 32, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/unix_connect': (18, 49, 0, 'bpf_sock_addr'), 'SOCK_ADDR/unix_sendmsg': (18, 50, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/unix_recvmsg': (18, 51, 0, 'bpf_sock_addr'), 'SOCK_ADDR/unix_getpeername': (18, 52, 0, 'bpf_sock_addr'),
    'SOCK_ADDR/unix_getsockname': (18, 53, 0, 'bpf_sock_addr'),
    'LWT_SEG6LOCAL': (19, 0, 0, '__sk_buff'), 'LIRC_MODE2': (20, 0, 0, 'u32'),
    'SK_REUSEPORT': (21, 39, 0, 'sk_reuseport_md'), 'SK_REUSEPORT/migrate': (21, 40, 0, 'sk_reuseport_md'),
    'FLOW_DISSECTOR': (22, 0, 0, '__sk_buff'), 'CGROUP_SYSCTL': (23, 0, 0, 'bpf_sysctl'),
    'RAW_TRACEPOINT_WRITABLE': (24, 0, 0, 'bpf_raw_tracepoint_args'),
    'SOCKOPT/get': (25, 21, 0, 'bpf_sockopt'), 'SOCKOPT/set': (25, 22, 0, 'bpf_sockopt'),
    'TRACING/raw_tp': (26, 23, 0, 'args', (TYPEDEF, 'btf_trace_sched_switch')),
    'TRACING/fentry': (26, 24, 0, 'args', (FUNC, 'bpf_fentry_test7')), 'TRACING/fexit': (26, 25, 0, 'args', (FUNC, 'bpf_fentry_test7')),
    'TRACING/fentry_sleepable': (26, 24, SLEEPABLE, 'args', (FUNC, '__x64_sys_getpgid')),
    'TRACING/fmod_ret': (26, 26, 0, 'args', (FUNC, 'bpf_modify_return_test')),
    'TRACING/fmod_ret_sleepable': (26, 26, SLEEPABLE, 'args', (FUNC, '__x64_sys_getpgid')),
    'TRACING/iter': (26, 28, 0, 'args', (FUNC, 'bpf_iter_task')),
    'TRACING/iter_sleepable': (26, 28, SLEEPABLE, 'args', (FUNC, 'bpf_iter_task')),
    'STRUCT_OPS': (27, 6, 0, 'args', (STRUCT, 'tcp_congestion_ops')),
    'LSM/mac': (29, 27, 0, 'args', (FUNC, 'bpf_lsm_file_open')),
    'LSM/mac_sleepable': (29, 27, SLEEPABLE, 'args', (FUNC, 'bpf_lsm_file_open')),
    'LSM/bprm': (29, 27, 0, 'args', (FUNC, 'bpf_lsm_bprm_committed_creds')),
    'LSM/cgroup': (29, 43, 0, 'args', (FUNC, 'bpf_lsm_socket_bind')),
    'LSM/cgroup_void': (29, 43, 0, 'args', (FUNC, 'bpf_lsm_sk_free_security')),
    'SK_LOOKUP': (30, 36, 0, 'bpf_sk_lookup'), 'SYSCALL': (31, 0, SLEEPABLE, 'bytes'), 'NETFILTER': (32, 45, 0, 'bpf_nf_ctx'),
}


def kernel_types(wanted):
    """{(kind, name): id} of the wanted types of the kernel's BTF."""
    try:
        data = open('/sys/kernel/btf/vmlinux', 'rb').read()
    except OSError:
        return {}
    header, type_off, type_len, str_off, _ = struct.unpack_from('<IIIII', data, 4)
    at, end, names = header + type_off, header + type_off + type_len, header + str_off
    extra = {1: 4, 3: 12, 14: 4, 17: 4}
    per_item = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
    offsets = {}
    for kind, name in wanted:
        place = data.find(b'\0' + name.encode() + b'\0', names) + 1 - names
        offsets[kind, place] = (kind, name)
    found, number = {}, 0
    while at < end:
        number += 1
        name, info = struct.unpack_from('<II', data, at)
        kind = info >> 24 & 0x1f
        if (kind, name) in offsets:
            found[offsets[kind, name]] = number
        at += 12 + extra.get(kind, 0) + per_item.get(kind, 0) * (info & 0xffff)
    return found


TYPES = kernel_types({row[4] for row in KINDS.values() if len(row) > 4})


def insn(code, dst=0, src=0, off=0, imm=0):
    return struct.pack('<BBhi', code, (src << 4) | dst, off, imm)


def load(program, kind, gpl=True, level=1):
    """errno (0: accepted) and the log."""
    prog_type, attach, flags, _ = KINDS[kind][:4]
    target = TYPES.get(KINDS[kind][4], 0) if len(KINDS[kind]) > 4 else 0
    code = ctypes.create_string_buffer(b''.join(program), 8 * len(program))
    licence = ctypes.create_string_buffer(b'GPL' if gpl else b'MIT')
    log = ctypes.create_string_buffer(1 << 16)
    attr = ctypes.create_string_buffer(
        struct.pack('<IIQQIIQII16sII36xI', prog_type, len(program), ctypes.addressof(code), ctypes.addressof(licence),
                    level, len(log), ctypes.addressof(log), 0, flags, b'', 0, attach, target).ljust(128, b'\0'), 128)
    fd = LIBC.syscall(SYS_BPF, PROG_LOAD, attr, 128)
    error = 0 if fd >= 0 else ctypes.get_errno()
    if fd >= 0:
        os.close(fd)
    return error, log.value.decode(errors='replace')


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
LEAVE = [insn(0xb7, 0), insn(0x95)]
MODEST = [CAP_BPF, CAP_NET_ADMIN]
TRACER = [CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON]


def loads_here(kind):
    if len(KINDS[kind]) > 4 and KINDS[kind][4] not in TYPES:
        return False
    return any(load([insn(0xb7, 0, imm=value), insn(0x95)], kind)[0] == 0 for value in (0, 1))


def probe_kinds():
    """min, max: what a constant may be that main returns (-: anything). A right: loading takes it."""
    print('kind\ttype\tattach\tmin\tmax\tbpf\tperfmon\tnet_admin')
    for kind, row in KINDS.items():
        keep_capabilities(None)
        if not loads_here(kind):
            continue
        low, high = '-', '-'
        error, log = load([insn(0xb7, 0, imm=-123456), insn(0x95)], kind)
        if error:
            low, high = re.search(r'should have been in \[(-?\d+), (-?\d+)\]', log).groups()
        needs = []
        for right in (CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN):
            keep_capabilities([c for c in (CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN) if c != right])
            needs.append(int(not loads_here(kind)))
        print(kind, row[0], row[1], low, high, *needs, sep='\t')


def callable_helpers(kind):
    """{helper: (GPL only, may sleep)}"""
    def known(log):
        return not ('cannot use helper' in log or 'unknown func' in log or 'invalid func' in log)
    result = {}
    for helper in range(1, HELPERS + 1):
        call = [insn(0x85, imm=helper)] + LEAVE
        error, log = load(call, kind)
        if known(log) and (log or error == 0):
            result[helper] = ('GPL' in load(call, kind, gpl=False)[1], 'might sleep' in log)
    return result


def probe_helpers():
    """needs: the right a call takes besides those that loading takes (-: none)."""
    print('kind\thelper\tneeds\tgpl_only\tsleeps')
    for kind in KINDS:
        keep_capabilities(None)
        if not loads_here(kind):
            continue
        every = callable_helpers(kind)
        answers = []
        for needs, rights in (('-', []), ('bpf', MODEST), ('perfmon', TRACER)):
            keep_capabilities(rights)
            if loads_here(kind):
                answers.append((needs, callable_helpers(kind)))
        if answers:
            answers[0] = ('-', answers[0][1])
        for helper, (gpl, sleeps) in every.items():
            needs = next((right for right, helpers in answers if helper in helpers), 'sys_admin')
            print(kind, helper, needs, int(gpl), int(sleeps), sep='\t')


LOADS = {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
STORES = {1: 0x73, 2: 0x6b, 4: 0x63, 8: 0x7b}


def ctx_access(kind, off, size):
    """What a load yields and whether a store is taken; - where refused."""
    error, log = load([insn(LOADS[size], 2, 1, off)] + RETURN, kind, level=2)
    yields = re.search(r'^0: \(\w+\) .*; R1(?:_w)?=ctx\(\) R2(?:_w)?=P?(\w+)', log, re.M)
    error, log_store = load([insn(0xb7, 2), insn(STORES[size], 1, 2, off)] + RETURN, kind)
    return yields[1] if yields and 'invalid' not in log else '-', '-' if error else 'yes'


def probe_ctx():
    """needs_bpf: the load or the store (one letter each) takes that right although loading does not."""
    print('kind\tstruct\toffset\tsize\tload\tstore\tneeds_bpf')
    for kind, row in KINDS.items():
        if row[3] in ('bytes', 'tracepoint', 'args') or not loads_here(kind):
            continue
        keep_capabilities([])
        for_anybody = loads_here(kind)
        for off in range(0, 256):
            for size in LOADS:
                keep_capabilities(None)
                may = ctx_access(kind, off, size)
                if may == ('-', '-'):
                    continue
                keep_capabilities([])
                poor = ctx_access(kind, off, size) if for_anybody else may
                needs = ''.join(letter for letter, p, m in zip('ls', poor, may) if p != m)
                print(kind, row[3], off, size, *may, needs or '-', sep='\t')
        keep_capabilities(None)


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
    for name, (kind, get, behind) in POINTERS.items():
        for off in range(0, 128):
            for size in LOADS:
                may_load = load(get + [insn(LOADS[size], 2, 1, off)] + LEAVE, kind)[0] == 0
                may_store = load(get + [insn(0xb7, 2), insn(STORES[size], 1, 2, off)] + LEAVE, kind)[0] == 0
                if may_load or may_store:
                    print(name, behind, off, size, 'scalar' if may_load else '-', 'yes' if may_store else '-', sep='\t')


def probe_kfuncs():
    """One row a function: its flags and the kinds that may call it. Sets whose functions no kind may call are left out."""
    flags = {}
    for line in open(sys.argv[2]):
        _, name, bits = line.rstrip('\n').split('\t')
        if bits.startswith('0x'):
            flags[name] = bits
    ids = {name: number for (_, name), number in kernel_types({(FUNC, name) for name in flags}).items()}
    kinds = [kind for kind in KINDS if loads_here(kind)]
    print('kfunc\tflags\tkinds')
    for name, number in sorted(ids.items()):
        call = [insn(0x85, src=2, imm=number)] + LEAVE
        able = [kind for kind in kinds if 'is not allowed' not in load(call, kind)[1]]
        if able:
            print(name, flags[name], ','.join(able), sep='\t')


if __name__ == '__main__':
    probes = {'kinds': probe_kinds, 'kfuncs': probe_kfuncs, 'pointers': probe_pointers, 'helpers': probe_helpers, 'ctx': probe_ctx}
    if len(sys.argv) < 2 or sys.argv[1] not in probes:
        sys.exit(__doc__)
    probes[sys.argv[1]]()
