#!/usr/bin/env python3
"""Writes the lists of functions and types a kernel keeps for its verifier as a table for src/model.

  tools/kernel_sets.py VMLINUX [SET…]    all sets, or the named ones: set, name, flags (sets with flags: kfuncs), tab-separated

VMLINUX is a file with the sections .BTF and .BTF_ids and its symbols, e.g. the one of Debian's package linux-headers-*.
"""
import struct
import sys

EXTRA = {1: 4, 3: 12, 14: 4, 17: 4}
PER_ITEM = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}


def text(blob, at):
    return blob[at:blob.index(b'\0', at)].decode()


def sections(elf):
    at, (size, count, names) = struct.unpack_from('<Q', elf, 40)[0], struct.unpack_from('<HHH', elf, 58)
    rows = [struct.unpack_from('<IIQQQQ', elf, at + i * size) for i in range(count)]
    return {text(elf, rows[names][4] + row[0]): (row[3], row[4], row[5]) for row in rows}


def type_names(blob):
    header, types, length, strings, _ = struct.unpack_from('<IIIII', blob, 4)
    at, end, names = header + types, header + types + length, ['void']
    while at < end:
        name, info = struct.unpack_from('<II', blob, at)
        names.append(text(blob, header + strings + name))
        at += 12 + EXTRA.get(info >> 24 & 31, 0) + PER_ITEM.get(info >> 24 & 31, 0) * (info & 0xffff)
    return names


def main():
    elf = open(sys.argv[1], 'rb').read()
    found = sections(elf)
    _, at, size = found['.BTF']
    names = type_names(elf[at:at + size])
    ids_addr, ids_at, _ = found['.BTF_ids']
    _, symbols, symbols_size = found['.symtab']
    strings = found['.strtab'][1]
    print('set\tname\tflags')
    sets = {}
    for at in range(symbols, symbols + symbols_size, 24):
        name, _, addr, _ = struct.unpack_from('<IIQQ', elf, at)
        name = text(elf, strings + name)
        for prefix, words in (('__BTF_ID__set8__', 2), ('__BTF_ID__set__', 1)):
            if name.startswith(prefix):
                sets[name[len(prefix):]] = (addr - ids_addr + ids_at, words)
    for name, (at, words) in sorted(sets.items()):
        if len(sys.argv) > 2 and name not in sys.argv[2:]:
            continue
        count, = struct.unpack_from('<I', elf, at)
        rows = []
        for i in range(count):
            row = struct.unpack_from('<%dI' % words, elf, at + 4 * words + 4 * words * i)
            rows.append((names[row[0]], hex(row[1]) if words == 2 else '-'))
        for row in sorted(rows):
            print(name, *row, sep='\t')


if __name__ == '__main__':
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main()
