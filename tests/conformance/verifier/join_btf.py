#!/usr/bin/env python3
"""Joins the types of a kernel and of a module split from it into one BTF blob.

usage: join_btf.py OUT VMLINUX MODULE

A split BTF numbers its types and its strings on from the end of its base, so the joined blob is both type sections
and both string sections, one behind the other.
"""
import struct
import sys

HEADER = struct.Struct("<HBBIIIII")  # magic, version, flags, header length, types at, bytes, strings at, bytes
SECTION = struct.Struct("<IIQQQQIIQQ")  # of 64-bit ELF: name, type, flags, address, at, bytes, …


def section(path, wanted):
    elf = open(path, "rb").read()
    table, = struct.unpack_from("<Q", elf, 0x28)
    count, names = struct.unpack_from("<HH", elf, 0x3C)
    sections = [SECTION.unpack_from(elf, table + i * SECTION.size) for i in range(count)]
    names_at = sections[names][4]
    for name, _, _, _, at, size, *_ in sections:
        end = elf.index(b"\0", names_at + name)
        if elf[names_at + name:end] == wanted:
            return elf[at:at + size]
    sys.exit(f"{path}: no section {wanted.decode()}")


def parts(blob):
    _, _, _, header, type_off, type_len, str_off, str_len = HEADER.unpack_from(blob)
    types, strings = header + type_off, header + str_off
    return blob[types:types + type_len], blob[strings:strings + str_len]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    base_types, base_strings = parts(section(sys.argv[2], b".BTF"))
    types, strings = parts(section(sys.argv[3], b".BTF"))
    types, strings = base_types + types, base_strings + strings
    with open(sys.argv[1], "wb") as out:
        out.write(HEADER.pack(0xEB9F, 1, 0, HEADER.size, 0, len(types), len(types), len(strings)))
        out.write(types + strings)


main()
