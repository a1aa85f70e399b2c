#!/usr/bin/env python3
"""Asks a kernel's verifier what arguments its helpers take and what they return, as a table for src/model.

  tools/probe_args.py ROWS   ROWS: a table of tools/probe_model.py helpers; writes kind, helper, result and arguments

Each argument in turn is left unset, set to an unknown number, to null, to a context, to memory of several sorts; what the log says
about it is its description:
  -            not read                     any        anything with a value         number     a number only
  size, size0  size of the memory before it, from 1 or from 0                          const      a constant
  a list       the kinds the log names, then [null] where null will do, [w] written, [uninit] may be uninitialised, [pkt] packet
               memory will do, [=NAME] host struct, [?] nothing at hand satisfies it: later arguments are unknown
Result: what the log shows in R0; ? when no call was accepted. BPF_PROG_LOAD, BPF_MAP_CREATE and BPF_MAP_FREEZE only.
"""
import ctypes
import re
import struct
import sys

import probe_model as pm
from probe_model import insn

MAP_CREATE, MAP_FREEZE = 0, 22
RDONLY_PROG = 1 << 7


def create_map(map_type, key, value, entries, flags=0):
    attr = ctypes.create_string_buffer(struct.pack('<IIIII', map_type, key, value, entries, flags).ljust(128, b'\0'), 128)
    return pm.LIBC.syscall(pm.SYS_BPF, MAP_CREATE, attr, 128)


def read_only_map():
    fd = create_map(2, 4, 64, 1, RDONLY_PROG)
    attr = ctypes.create_string_buffer(struct.pack('<I', fd).ljust(128, b'\0'), 128)
    pm.LIBC.syscall(pm.SYS_BPF, MAP_FREEZE, attr, 128)
    return fd


def wide(dst, src, imm, high=0):
    return [insn(0x18, dst, src, 0, imm), insn(0, 0, 0, 0, high)]


MAPS = {}
SOCKETS = {'SCHED_CLS': 168, 'SCHED_ACT': 168, 'CGROUP_SKB': 168, 'SOCKET_FILTER': 168, 'SK_SKB': 168, 'LWT_XMIT': 168, 'SOCK_ADDR': 64,
           'SK_MSG': 72, 'SOCKOPT': 0, 'SOCK_OPS': 184, 'SK_REUSEPORT': 40, 'SK_LOOKUP': 0, 'FLOW_DISSECTOR': 168}
PACKETS = {'SCHED_CLS': (76, 80, 0x61), 'XDP': (0, 4, 0x61), 'CGROUP_SKB': (76, 80, 0x61), 'SK_SKB': (76, 80, 0x61),
           'SK_MSG': (0, 8, 0x79), 'LWT_XMIT': (76, 80, 0x61), 'SOCK_OPS': (192, 200, 0x79)}


def begin(kind):
    """r6 context, r7 an unknown number, 128 bytes of zero at fp-128; r1 ... r5 unset."""
    out = [insn(0xbf, 6, 1)] + [insn(0x7a, 10, 0, -8 * i) for i in range(1, 17)] + [insn(0x85, imm=7), insn(0xbf, 7, 0)]
    return out + [insn(0xb7, 0, imm=0)]


def give(kind, reg, what):
    """(instructions before the arguments, instructions that set the argument)"""
    base = kind.split('/')[0]
    leave = [insn(0xb7, 0, imm=0), insn(0x95)]
    if what == 'unset':
        return [], []
    if isinstance(what, int):
        return [], [insn(0xb7, reg, imm=what)]
    if what == 'unknown':
        return [], [insn(0xbf, reg, 7)]
    if what == 'ctx':
        return [], [insn(0xbf, reg, 6)]
    if what.startswith('map'):
        return [], wide(reg, 1, MAPS[what])
    if what == 'rovalue':
        return [], wide(reg, 2, MAPS['map_ro'])
    if what in ('stack', 'uninit', 'dynptr'):
        return [], [insn(0xbf, reg, 10), insn(0x07, reg, imm={'stack': -128, 'uninit': -256, 'dynptr': -280}[what])]
    if what == 'sock' and base in SOCKETS:
        return [insn(0x79, 8, 6, SOCKETS[base]), insn(0x55, 8, 0, 2)] + leave, [insn(0xbf, reg, 8)]
    if what == 'task':
        return [insn(0x85, imm=158), insn(0xbf, 8, 0)], [insn(0xbf, reg, 8)]
    if what == 'seq':
        return [insn(0x79, 8, 6, 0), insn(0x79, 8, 8, 0)], [insn(0xbf, reg, 8)]
    if what == 'file':
        return [insn(0x79, 8, 6, 0)], [insn(0xbf, reg, 8)]
    if what == 'packet' and base in PACKETS:
        data, end, load = PACKETS[base]
        return [insn(load, 8, 6, data), insn(load, 9, 6, end), insn(0xbf, 5, 8), insn(0x07, 5, imm=64),
                insn(0xbd, 5, 9, 2)] + leave, [insn(0xbf, reg, 8)]
    return None


def attempt(kind, helper, values, level=1):
    before, setup = [], []
    for i, what in enumerate(values):
        given = give(kind, i + 1, what)
        if given is None:
            return None
        before += given[0]
        setup += given[1]
    body = begin(kind) + before + setup + [insn(0x85, imm=helper), insn(0xb7, 1, imm=0)]
    for value in (0, 1):
        error, log = pm.load(body + [insn(0xb7, 0, imm=value), insn(0x95)], kind, level=level)
        if error == 0:
            break
    return error, log


def complaint(log, reg):
    """What the log says about the register of this argument; None: nothing."""
    lines = [line for line in log.splitlines() if not line.startswith('processed')]
    about = [line for line in lines if re.search(r'\bR%d\b' % reg, line) and 'R%d_w=' % reg not in line and 'R%d=' % reg not in line]
    return about[-1] if about else None


def provider(kind, words):
    first = words.split(',')[0].strip()
    if 'sock' in first:
        return ['sock']
    if 'ptr_' in first and 'dynptr' not in words:
        return ['task', 'seq', 'file', 'sock']
    return {'ctx': ['ctx'], 'map_ptr': ['map'], 'scalar': [8], 'map_value': ['rovalue']}.get(
        first, ['stack', 'dynptr'] if first == 'fp' else [])


def describe(kind, helper, values, reg, modest):
    """(description, a value that will do or None)"""
    unset = attempt(kind, helper, values + ['unset'])
    if 'R%d !read_ok' % reg not in unset[1]:
        return '-', 'unset'
    said = complaint(attempt(kind, helper, values + ['unknown'])[1], reg)
    typed = re.search(r'R%d type=\S+ expected=(.*)' % reg, said or '')
    if not typed:
        if said and ('negative' in said or 'unbounded' in said or 'zero-sized' in said):
            zero = complaint(attempt(kind, helper, values + [0])[1], reg)
            return ('size' if zero else 'size0'), 8
        if said and 'known const' in said:
            return 'const', 8
        other = complaint(attempt(kind, helper, values + ['ctx'])[1], reg)
        return ('number' if other and 'type=' in other else 'any'), 8
    words = typed[1].strip()
    marks = ''
    null = complaint(attempt(kind, helper, values + [0])[1], reg)
    if null is None or 'type=' not in null:
        marks += '[null]'
    good, memory = None, words.startswith('fp, pkt')
    for what in provider(kind, words):
        result = attempt(kind, helper, values + [what])
        if result is None:
            continue
        about = complaint(result[1], reg)
        wanted = re.search(r'is of type \S+ but (\S+) is expected', about or '')
        if wanted and '[=' not in marks:
            marks += '[=%s]' % wanted[1]
        if about is None or memory:
            good = what
            if what == 'task' and '[=' not in marks:
                marks += '[=task_struct]'
            break
    if memory:
        for size in (8, None):
            tail = [] if size is None else [size]
            log = attempt(kind, helper, values + ['rovalue'] + tail)[1]
            if 'write into map forbidden' in log:
                marks += '[w]'
                break
        packet = attempt(kind, helper, values + ['packet', 8])
        if packet and 'helper access to the packet is not allowed' not in packet[1]:
            marks += '[pkt]'
        if modest:
            pm.keep_capabilities(pm.MODEST)
            log = attempt(kind, helper, values + ['uninit', 8])[1]
            marks += '[uninit]' if 'read from stack' not in log else ''
            pm.keep_capabilities(None)
    return words + marks + ('' if good is not None else '[?]'), good


def probe(kind, helper):
    pm.keep_capabilities(pm.MODEST)
    modest = pm.loads_here(kind)
    pm.keep_capabilities(None)
    values, texts = [], []
    for reg in range(1, 6):
        text, value = describe(kind, helper, values, reg, modest)
        texts.append(text)
        if value is None:
            break
        values.append(value)
    texts += ['?'] * (5 - len(texts))
    result = '?'
    for name in sorted(MAPS, key=lambda n: n != 'map'):
        tried = ['map' if v == 'map' and name == 'map' else name if v == 'map' else v for v in values]
        error, log = attempt(kind, helper, tried, level=2)
        if error == 0:
            found = re.findall(r'call bpf_\w+#%d\s*;.*?R0(?:_w)?=(\w+)' % helper, log)
            result = found[-1] if found else 'none'
            break
        if 'map' not in values:
            break
    last = [line for line in log.splitlines() if not line.startswith('processed')][-1:]
    return result, texts, '' if result != '?' else (last or [''])[0]


def main():
    by_helper = {}
    for line in open(sys.argv[1]).read().splitlines()[1:]:
        kind, helper = line.split('\t')[:2]
        by_helper.setdefault(int(helper), []).append(kind)
    MAPS.update({'map': create_map(2, 4, 64, 1), 'map_ro': read_only_map()})
    for map_type, shape in {1: (4, 64, 1), 3: (4, 4, 1), 4: (4, 4, 1), 7: (4, 64, 1), 8: (4, 4, 1), 9: (4, 64, 1), 14: (4, 4, 1),
                            15: (4, 4, 1), 18: (4, 4, 1), 19: (12, 64, 0), 20: (4, 4, 1), 22: (0, 64, 1), 27: (0, 0, 4096),
                            6: (4, 64, 1), 31: (0, 0, 4096), 30: (0, 4, 8)}.items():
        fd = create_map(map_type, *shape)
        if fd >= 0:
            MAPS['map_%d' % map_type] = fd
    print('helper\tkinds\tresult\targ1\targ2\targ3\targ4\targ5\tlast words')
    for helper, kinds in sorted(by_helper.items()):
        seen = {}
        for kind in kinds:
            if kind.split('/')[0] in ('SYSCALL', 'LSM', 'TRACING', 'STRUCT_OPS') and kind not in (
                    'SYSCALL', 'LSM/mac', 'TRACING/fentry', 'TRACING/iter', 'STRUCT_OPS') and 'sleepable' not in kind:
                continue
            result, texts, last = probe(kind, helper)
            seen.setdefault((result, *texts, last), []).append(kind)
        for row, names in seen.items():
            print(helper, ','.join(names), *row, sep='\t')
        sys.stdout.flush()


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
