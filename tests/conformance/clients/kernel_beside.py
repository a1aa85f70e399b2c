"""What this machine's own kernel is asked as well as a runtime; the answers are compared. Nothing is attached."""

import re

from bpftool_cases import PINS

# (type, key, value, entries, words more): well made and not.
MAPS = [("hash", "4", "8", "3", []), ("hash", "4", "8", "3", ["flags", "1"]), ("hash", "4", "8", "3", ["flags", "0x80"]), ("array", "4", "8", "3", []), ("array", "4", "8", "3", ["flags", "0x400"]),
        ("array", "4", "8", "0", []), ("array", "4", "0", "3", []), ("prog_array", "4", "4", "2", []), ("prog_array", "4", "8", "2", []), ("perf_event_array", "4", "4", "2", []),
        ("percpu_hash", "4", "8", "3", []), ("percpu_array", "4", "8", "3", []), ("lru_hash", "4", "8", "64", []), ("lru_hash", "4", "8", "64", ["flags", "1"]), ("lru_percpu_hash", "4", "8", "64", []),
        ("lpm_trie", "8", "4", "3", ["flags", "1"]), ("lpm_trie", "4", "4", "3", ["flags", "1"]), ("lpm_trie", "8", "4", "3", []), ("stack_trace", "4", "16", "4", []), ("stack_trace", "4", "7", "4", []),
        ("cgroup_array", "4", "4", "2", []), ("queue", "0", "8", "2", []), ("stack", "0", "8", "2", []), ("ringbuf", "0", "0", "4096", []), ("ringbuf", "0", "0", "4097", []), ("bloom_filter", "0", "4", "8", []),
        ("hash_of_maps", "4", "4", "2", []), ("array_of_maps", "4", "4", "2", [])]


# What the machine's own kernel is asked as well; the answers are compared.
def compared(objects):
    m, p = f"{PINS}/cmp_map", f"{PINS}/cmp_prog"
    yield ["map", "create", m, "type", "hash", "key", "4", "value", "4", "entries", "2", "name", "cmp_map"]
    yield ["map", "create", m, "type", "hash", "key", "4", "value", "4", "entries", "2", "name", "cmp_map"]
    for key in "1", "2", "3":
        yield ["map", "update", "pinned", m, "key", key, "0", "0", "0", "value", "5", "6", "7", "8"]
    yield ["map", "update", "pinned", m, "key", "1", "0", "0", "0", "value", "5", "6", "7", "8", "noexist"]
    for style in [], ["-j"], ["-p"]:
        yield style + ["map", "lookup", "pinned", m, "key", "1", "0", "0", "0"]
        yield style + ["map", "lookup", "pinned", m, "key", "9", "0", "0", "0"]
        yield style + ["map", "show", "pinned", m]
    yield ["map", "delete", "pinned", m, "key", "2", "0", "0", "0"]
    yield ["map", "delete", "pinned", m, "key", "2", "0", "0", "0"]
    yield ["-j", "map", "dump", "pinned", m]
    yield ["map", "getnext", "pinned", m]
    yield ["map", "freeze", "pinned", m]
    yield ["map", "update", "pinned", m, "key", "1", "0", "0", "0", "value", "5", "6", "7", "8"]
    for kind, key, put, take in (("queue", "0", "enqueue", "dequeue"), ("stack", "0", "push", "pop")):
        q = f"{PINS}/cmp_{kind}"
        yield ["map", "create", q, "type", kind, "key", key, "value", "4", "entries", "1", "name", kind]
        yield ["map", put, "pinned", q, "value", "1", "2", "3", "4"]
        yield ["map", put, "pinned", q, "value", "1", "2", "3", "5"]
        yield ["map", "peek", "pinned", q]
        yield ["map", take, "pinned", q]
        yield ["map", take, "pinned", q]
    for bad in (["type", "hash", "key", "0", "value", "4"], ["type", "array", "key", "8", "value", "4"], ["type", "lpm_trie", "key", "8", "value", "4"],
                ["type", "queue", "key", "4", "value", "4"], ["type", "ringbuf", "key", "0", "value", "0"]):
        yield ["map", "create", f"{PINS}/cmp_bad"] + bad + ["entries", "3", "name", "bad"]
    for kind, key, value, entries, more in MAPS:
        pinned = f"{PINS}/cmp_{kind}_{key}_{value}_{entries}_{'_'.join(more)}"
        yield ["map", "create", pinned, "type", kind, "key", key, "value", value, "entries", entries, "name", kind[:15]] + more
        yield ["-j", "map", "show", "pinned", pinned]
        yield ["-j", "map", "dump", "pinned", pinned]
        yield ["-j", "map", "lookup", "pinned", pinned, "key"] + ["0"] * int(key)
        yield ["-j", "map", "getnext", "pinned", pinned]
    yield ["prog", "load", f"{objects}/clients_counter.bpf.o", p]
    yield ["prog", "load", f"{objects}/clients_counter.bpf.o", p]
    yield ["prog", "load", "/etc/hostname", f"{PINS}/cmp_none"]
    yield ["prog", "loadall", f"{objects}/clients_drop.bpf.o", f"{PINS}/cmp_all"]
    yield ["prog", "load", f"{objects}/clients_drop.bpf.o", f"{PINS}/cmp_xdp", "type", "xdp"]
    yield ["map", "dump", "pinned", f"{PINS}/cmp_array_4_8_3_"]
    yield ["map", "pin", "pinned", m, f"{PINS}/cmp_map_again"]
    yield ["map", "pin", "pinned", m, f"{PINS}/cmp_map_again"]
    yield ["map", "pin", "pinned", m, f"{PINS}/with.dot"]
    yield ["map", "show", "pinned", p]
    yield ["prog", "show", "pinned", m]
    yield ["btf", "dump", "map", "pinned", m]
    yield ["prog", "dump", "xlated", "pinned", p, "linum"]
    for style in [], ["-j"]:
        yield style + ["prog", "run", "pinned", p, "data_in", f"{objects}/packet"]
        yield style + ["prog", "show", "pinned", p]
    yield ["btf", "dump", "prog", "pinned", p]
    yield ["prog", "run", "pinned", p]
    yield ["btf", "dump", "id", "999999"]


# What differs from kernel to kernel: ids, sizes of code, times, memory, tags (since 6.18 of another digest).
DIFFERS = [(r'"(id|loaded_at|bytes_memlock|bytes_xlated|bytes_jited|duration|uid|btf_id|pid)": ?\d+', r'"\1":N'), (r'"tag": ?"\w+"', '"tag":"N"'),
           (r"\b(id|loaded_at|memlock|xlated|jited|uid|btf_id|map_ids|tag|duration \(average\):) \S+", r"\1 N"), (r"^\d+: ", "N: "),
           (r'"map_ids": ?\[[^]]*\]', '"map_ids":[]'), (r'"pids": ?\[[^]]*\],?', ""), (r"\s+pids .*", ""), (r"\d+ns", "Nns"), (r"map\[id:\d+\]", "map[id:N]"),
           (r"^ +\d+: \(\w\w\) .*\n", "")]  # instructions: each kernel inlines helpers its own way; the lines of source between them are the same


def levelled(text):
    for pattern, by in DIFFERS:
        text = re.sub(pattern, by, text, flags=re.MULTILINE)
    return text
