"""What bpftool is asked to do, and what it should answer: every verb it documents, in plain and in JSON form."""

import re

PINS = "/sys/fs/bpf"
FAILED = "an error"  # bpftool ends with the low byte of a negated errno
ANY = "any"


class Case:
    """A command, the exit code it should end with, and what its output must hold; or a question to the host, or a pin that is read."""

    def __init__(self, name, command, code=0, holds=(), lacks=(), shape=None, stdin=None, interrupted=False, read=None, raw=False):
        self.interrupted = interrupted  # runs until somebody interrupts it
        self.name, self.command, self.code = name, command, code
        self.holds, self.lacks, self.shape, self.stdin = holds, lacks, shape, stdin
        self.read = read  # the pin
        self.raw = raw  # not one value of JSON, or an error without words: so this bpftool is, whatever kernel it asks


def listing(*keys):
    """The JSON is a list of at least one record with these keys."""
    def check(value):
        if not isinstance(value, list) or not value:
            return f"not a list of records: {str(value)[:80]}"
        missing = [key for key in keys if key not in value[0]]
        return f"no {', '.join(missing)} in {str(value[0])[:120]}" if missing else None
    return check


def parts(*keys):
    """The JSON is a list of records that have these keys among them."""
    def check(value):
        seen = {key for part in value for key in part}
        return None if seen >= set(keys) else f"only {', '.join(sorted(seen))}"
    return check


def nothing(value):
    return None if value is None else f"says {str(value)[:80]}"


def record(*keys):
    def check(value):
        missing = [key for key in keys if key not in value]
        return f"no {', '.join(missing)} in {str(value)[:120]}" if missing else None
    return check


def maps_of_bpftool():
    m = f"{PINS}/m"
    yield Case("map create", ["map", "create", m, "type", "hash", "key", "4", "value", "8", "entries", "4", "name", "numbers"])
    yield Case("map create: the name is taken", ["map", "create", m, "type", "hash", "key", "4", "value", "8", "entries", "4", "name", "n"], FAILED, ["exists"])
    yield Case("map create: no such type", ["map", "create", f"{PINS}/x", "type", "nothing", "key", "4", "value", "8", "entries", "4", "name", "n"], FAILED)
    for key in "1", "2":
        yield Case(f"map update {key}", ["map", "update", "pinned", m, "key", key, "0", "0", "0", "value"] + ["7"] * 8)
    yield Case("map update noexist", ["map", "update", "pinned", m, "key", "1", "0", "0", "0", "value"] + ["7"] * 8 + ["noexist"], FAILED, ["File exists"])
    yield Case("map show", ["map", "show"], holds=["hash", "name numbers", "key 4B", "value 8B", "max_entries 4"])
    yield Case("map show -j", ["-j", "map", "show", "pinned", m], shape=record("id", "type", "name", "bytes_key", "bytes_value", "max_entries"))
    yield Case("map list name", ["map", "list", "name", "numbers"], holds=["numbers"])
    yield Case("map lookup", ["map", "lookup", "pinned", m, "key", "1", "0", "0", "0"], holds=["07 07 07 07 07 07 07 07"])
    yield Case("map lookup -j", ["-j", "map", "lookup", "pinned", m, "key", "1", "0", "0", "0"], shape=record("key", "value"))
    yield Case("map lookup: no such key", ["map", "lookup", "pinned", m, "key", "9", "0", "0", "0"], FAILED, ["Not found"])
    yield Case("map dump", ["map", "dump", "pinned", m], holds=["Found 2 elements"])
    yield Case("map dump -j", ["-j", "map", "dump", "pinned", m], shape=listing("key", "value"))
    yield Case("map dump -p name", ["-p", "map", "dump", "name", "numbers"], shape=listing("key", "value"))
    yield Case("map getnext", ["map", "getnext", "pinned", m], holds=["next key"])
    yield Case("map getnext -j", ["-j", "map", "getnext", "pinned", m], shape=record("next_key"))
    yield Case("map delete", ["map", "delete", "pinned", m, "key", "1", "0", "0", "0"])
    yield Case("map delete: again", ["map", "delete", "pinned", m, "key", "1", "0", "0", "0"], FAILED, ["No such file"])
    yield Case("map pin", ["map", "pin", "name", "numbers", f"{PINS}/m2"])
    yield Case("B-30 map show -f", ["-f", "map", "show", "pinned", m], holds=[f"pinned {m}\n", f"pinned {m}2\n"])
    yield Case("B-30 map show -j -f", ["-j", "-f", "map", "show", "pinned", m], shape=record("id", "pinned"))
    yield Case("map freeze", ["map", "freeze", "pinned", m])
    yield Case("map update: frozen", ["map", "update", "pinned", m, "key", "3", "0", "0", "0", "value"] + ["7"] * 8, FAILED, ["Operation not permitted"])
    for kind, put, take in (("queue", "enqueue", "dequeue"), ("stack", "push", "pop")):
        q = f"{PINS}/{kind}"
        yield Case(f"map create {kind}", ["map", "create", q, "type", kind, "key", "0", "value", "4", "entries", "4", "name", kind])
        yield Case(f"map {put}", ["map", put, "pinned", q, "value", "1", "2", "3", "4"])
        yield Case(f"map peek {kind}", ["map", "peek", "pinned", q], holds=["01 02 03 04"])
        yield Case(f"map {take}", ["map", take, "pinned", q], holds=["01 02 03 04"])
        yield Case(f"map {take}: empty", ["map", take, "pinned", q], FAILED, ["empty map"])
    j = f"{PINS}/mj"
    yield Case("map create -j", ["-j", "map", "create", j, "type", "hash", "key", "4", "value", "4", "entries", "4", "name", "json"], shape=nothing)
    yield Case("map create -j: the name is taken", ["-j", "map", "create", j, "type", "hash", "key", "4", "value", "4", "entries", "4", "name", "json"], FAILED, ["exists"])
    yield Case("map update -j", ["-j", "map", "update", "pinned", j, "key", "1", "0", "0", "0", "value"] + ["7"] * 4, shape=nothing)
    yield Case("map update -j noexist", ["-j", "map", "update", "pinned", j, "key", "1", "0", "0", "0", "value"] + ["7"] * 4 + ["noexist"], FAILED, ["File exists"])
    yield Case("map list -j", ["-j", "map", "list"], shape=listing("id", "type", "name"))
    yield Case("map lookup -j: no such key", ["-j", "map", "lookup", "pinned", j, "key", "9", "0", "0", "0"], FAILED, raw=True)
    yield Case("map getnext -j: after the last key", ["-j", "map", "getnext", "pinned", j, "key", "1", "0", "0", "0"], FAILED)
    yield Case("map pin -j", ["-j", "map", "pin", "name", "json", f"{PINS}/mj2"], shape=nothing)
    yield Case("map pin -j: the name is taken", ["-j", "map", "pin", "name", "json", f"{PINS}/mj2"], FAILED)
    yield Case("map delete -j", ["-j", "map", "delete", "pinned", j, "key", "1", "0", "0", "0"], shape=nothing)
    yield Case("map delete -j: again", ["-j", "map", "delete", "pinned", j, "key", "1", "0", "0", "0"], FAILED, ["No such file"])
    yield Case("map freeze -j", ["-j", "map", "freeze", "pinned", j], shape=nothing)
    for kind, put, take in (("queue", "enqueue", "dequeue"), ("stack", "push", "pop")):
        q = f"{PINS}/{kind}"
        yield Case(f"map {put} -j", ["-j", "map", put, "pinned", q, "value", "1", "2", "3", "4"], shape=nothing)
        yield Case(f"map peek -j {kind}", ["-j", "map", "peek", "pinned", q], shape=record("value"))
        yield Case(f"map {take} -j", ["-j", "map", take, "pinned", q], shape=record("value"))
        yield Case(f"map {take} -j: empty", ["-j", "map", take, "pinned", q], FAILED, raw=True)
    for kind, entries in (("array", "4"), ("percpu_hash", "4"), ("percpu_array", "4"), ("lru_hash", "4"), ("lru_percpu_hash", "4")):
        yield Case(f"map create {kind}", ["map", "create", f"{PINS}/{kind}", "type", kind, "key", "4", "value", "8", "entries", entries, "name", kind])
        yield Case(f"map dump -j {kind}", ["-j", "map", "dump", "pinned", f"{PINS}/{kind}"])
    yield Case("map create lpm_trie", ["map", "create", f"{PINS}/trie", "type", "lpm_trie", "key", "8", "value", "4", "entries", "4", "name", "trie", "flags", "1"])
    yield Case("map create ringbuf", ["map", "create", f"{PINS}/ring", "type", "ringbuf", "key", "0", "value", "0", "entries", "4096", "name", "ring"])
    yield Case("map create prog_array", ["map", "create", f"{PINS}/jumps", "type", "prog_array", "key", "4", "value", "4", "entries", "4", "name", "jumps"])
    yield Case("map create hash_of_maps", ["map", "create", f"{PINS}/outer", "type", "hash_of_maps", "key", "4", "value", "4", "entries", "4", "name", "outer", "inner_map", "pinned", f"{PINS}/array"])
    yield Case("map update hash_of_maps", ["map", "update", "pinned", f"{PINS}/outer", "key", "1", "0", "0", "0", "value", "pinned", f"{PINS}/array"])
    yield Case("map dump hash_of_maps", ["map", "dump", "pinned", f"{PINS}/outer"], holds=["Found 1 element"])


def programs_of_bpftool(objects):
    p, counter = f"{PINS}/count", f"{objects}/clients_counter.bpf.o"
    yield Case("prog load", ["prog", "load", counter, p])
    yield Case("prog load: the name is taken", ["prog", "load", counter, p], FAILED)
    yield Case("prog load: no object", ["prog", "load", "/etc/hostname", f"{PINS}/x"], FAILED)
    yield Case("prog show", ["prog", "show"], holds=["socket_filter", "name count", "tag", "xlated", "map_ids"])
    yield Case("prog show -j", ["-j", "prog", "show", "pinned", p], shape=record("id", "type", "name", "tag", "bytes_xlated", "map_ids", "btf_id"))
    yield Case("prog list name", ["prog", "list", "name", "count"], holds=["count"])
    yield Case("prog dump xlated", ["prog", "dump", "xlated", "pinned", p], holds=["exit"])
    yield Case("prog dump xlated linum", ["prog", "dump", "xlated", "pinned", p, "linum"], holds=["counter.bpf.c"])
    yield Case("prog dump xlated opcodes", ["prog", "dump", "xlated", "pinned", p, "opcodes"], holds=["exit"])
    yield Case("prog dump xlated visual", ["prog", "dump", "xlated", "pinned", p, "visual"], holds=["digraph"])
    yield Case("prog dump xlated -j", ["-j", "prog", "dump", "xlated", "pinned", p])
    yield Case("prog dump jited -j", ["-j", "prog", "dump", "jited", "pinned", p])
    yield Case("prog run", ["prog", "run", "pinned", p, "data_in", f"{objects}/packet"], holds=["Return value: 6"])
    yield Case("prog run -j repeat", ["-j", "prog", "run", "pinned", p, "data_in", f"{objects}/packet", "repeat", "10"], shape=record("retval", "duration"))
    yield Case("prog pin", ["prog", "pin", "pinned", p, f"{PINS}/count2"])
    yield Case("B-30 prog show -f", ["-f", "prog", "show", "pinned", p], holds=[f"pinned {p}\n", f"pinned {p}2\n"])
    yield Case("B-30 link show -f: the preloaded iterators", ["-f", "link", "show"], holds=[f"pinned {PINS}/maps.debug\n", f"pinned {PINS}/progs.debug\n"])
    yield Case("prog loadall", ["prog", "loadall", counter, f"{PINS}/all"])
    yield Case("prog loadall pinmaps", ["prog", "loadall", counter, f"{PINS}/all2", "pinmaps", f"{PINS}/all2maps"])
    yield Case("prog load -j", ["-j", "prog", "load", counter, f"{PINS}/count_j"], shape=nothing)
    yield Case("prog load -j: the name is taken", ["-j", "prog", "load", counter, f"{PINS}/count_j"], FAILED)
    yield Case("prog loadall -j", ["-j", "prog", "loadall", counter, f"{PINS}/all_j"], shape=nothing)
    yield Case("prog list -j", ["-j", "prog", "list"], shape=listing("id", "type", "name"))
    yield Case("prog pin -j", ["-j", "prog", "pin", "pinned", p, f"{PINS}/count3"], shape=nothing)
    yield Case("prog run: too little data", ["prog", "run", "pinned", p], FAILED)
    yield Case("prog run -j: too little data", ["-j", "prog", "run", "pinned", p], FAILED)
    for style in [], ["-j"]:
        yield Case(" ".join(["prog profile"] + style) + ": no hooks for it", style + ["prog", "profile", "pinned", p, "duration", "1", "cycles"], ANY, raw=True)
        yield Case(" ".join(["prog tracelog"] + style) + ": no trace of the kernel's", style + ["prog", "tracelog"], ANY, interrupted=True)
        yield Case(" ".join(["prog detach"] + style) + ": no such hook", style + ["prog", "detach", "pinned", p, "sk_skb_verdict", "pinned", f"{PINS}/array"], FAILED)
    yield Case("prog attach -j: no such hook", ["-j", "prog", "attach", "pinned", p, "sk_skb_verdict", "pinned", f"{PINS}/array"], FAILED)
    yield Case("prog attach: no such hook", ["prog", "attach", "pinned", p, "sk_skb_verdict", "pinned", f"{PINS}/array"], FAILED)
    yield Case("map dump .bss -j", ["-j", "map", "dump", "name", "clients_.bss"])
    yield Case("map dump with BTF", ["map", "dump", "name", "by_length"], holds=['"key": 6', '"value": 11'])


def btf_of_bpftool(objects):
    yield Case("btf list", ["btf", "list"], holds=["[vmlinux]"])
    yield Case("btf show -j", ["-j", "btf", "show"], shape=listing("id", "size"))
    yield Case("btf dump id", ["btf", "dump", "id", "1"], holds=["policy_ops"])
    yield Case("btf dump id -j", ["-j", "btf", "dump", "id", "1"], shape=record("types"))
    yield Case("btf dump id format c", ["btf", "dump", "id", "1", "format", "c"], holds=["struct policy_ops {", "choose"])
    yield Case("btf dump prog", ["btf", "dump", "prog", "pinned", f"{PINS}/count"], holds=["count"])
    yield Case("btf dump map value", ["btf", "dump", "map", "pinned", f"{PINS}/all2maps/by_length", "kv"], holds=["'__u32'", "'__u64'"])
    yield Case("btf dump file: where the kernel's stands", ["btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"], holds=["struct policy_ops {"])
    yield Case("btf dump file: object", ["btf", "dump", "file", f"{objects}/clients_counter.bpf.o"], holds=["record"])
    yield Case("btf dump: no such id", ["btf", "dump", "id", "9999"], FAILED)
    yield Case("btf dump -j: no such id", ["-j", "btf", "dump", "id", "9999"], FAILED, ["No such file"], raw=True)
    yield Case("btf show", ["btf", "show", "id", "1"], holds=["[vmlinux]"])
    yield Case("btf list -j", ["-j", "btf", "list"], shape=listing("id", "size"))
    yield Case("btf dump file -j", ["-j", "btf", "dump", "file", f"{objects}/clients_counter.bpf.o"], shape=record("types"))


def struct_ops_of_bpftool(objects):
    yield Case("struct_ops list: none", ["struct_ops", "list"], lacks=["policy"])
    yield Case("A-35 struct_ops register", ["struct_ops", "register", f"{objects}/clients_policy_classic.bpf.o"], holds=["Registered", "policy_ops"])
    yield Case("A-35 struct_ops list", ["struct_ops", "list"], holds=["policy_classic", "policy_ops"])
    yield Case("A-35 struct_ops show -j", ["-j", "struct_ops", "show"], shape=listing("id", "name", "kernel_struct_ops"))
    yield Case("A-35 struct_ops show name", ["struct_ops", "show", "name", "policy_classic"], holds=["policy_classic"])
    yield Case("A-35 struct_ops dump", ["struct_ops", "dump", "name", "policy_classic"], holds=["choose", "weigh", "INUSE"])
    yield Case("A-35 struct_ops dump -j", ["-j", "struct_ops", "dump", "name", "policy_classic"], shape=parts("bpf_map_info", "bpf_struct_ops_policy_ops"))
    yield Case("A-35 the host calls the program", None, holds=["15"], stdin="choose 5\n")
    yield Case("A-35 struct_ops register: the place is taken", ["struct_ops", "register", f"{objects}/clients_policy_classic.bpf.o"], FAILED)
    yield Case("A-35 struct_ops unregister", ["struct_ops", "unregister", "name", "policy_classic"], holds=["Unregistered"])
    yield Case("A-35 struct_ops unregister: again", ["struct_ops", "unregister", "name", "policy_classic"], FAILED, ["no struct_ops found"])
    yield Case("A-35 the host calls its own", None, holds=["5"], stdin="choose 5\n")


def json_of_struct_ops(objects):
    yield Case("A-35 struct_ops register -j", ["-j", "struct_ops", "register", f"{objects}/clients_policy_classic.bpf.o"])
    yield Case("A-35 struct_ops list -j", ["-j", "struct_ops", "list"], shape=listing("id", "name", "kernel_struct_ops"))
    yield Case("A-35 struct_ops show", ["struct_ops", "show"], holds=["policy_classic", "policy_ops"])
    yield Case("A-35 struct_ops register -j: the place is taken", ["-j", "struct_ops", "register", f"{objects}/clients_policy_classic.bpf.o"], FAILED)
    yield Case("A-35 struct_ops unregister -j", ["-j", "struct_ops", "unregister", "name", "policy_classic"])
    yield Case("A-35 struct_ops unregister -j: again", ["-j", "struct_ops", "unregister", "name", "policy_classic"], FAILED)


def links_of_bpftool(objects, label):
    """Iterators are links that live by their pins; the linked flavour of struct_ops is one that 6.12's bpftool makes."""
    maps, elements = f"{PINS}/each_map", f"{PINS}/each_element"
    yield Case("iter pin", ["iter", "pin", f"{objects}/clients_iter_maps.bpf.o", maps])
    yield Case("iter pin: what is pinned is read", None, holds=["map 0"], read=maps)
    yield Case("iter pin: the name is taken", ["iter", "pin", f"{objects}/clients_iter_maps.bpf.o", maps], FAILED)
    yield Case("iter pin -j map", ["-j", "iter", "pin", f"{objects}/clients_iter_elem.bpf.o", elements, "map", "pinned", f"{PINS}/array"], shape=nothing)
    yield Case("iter pin map: what is pinned is read", None, holds=["key 0", "key 3"], read=elements)
    yield Case("iter pin -j: no such object", ["-j", "iter", "pin", "/etc/hostname", f"{PINS}/it"], FAILED)
    yield Case("link list", ["link", "list"], holds=["iter", "target_name bpf_map", "bpf_map_elem"])
    yield Case("link list -j", ["-j", "link", "list"], shape=listing("id", "type", "prog_id", "target_name"))
    # 6.12's answers ANY: its exit code is what errno happens to be.
    yield Case("link show pinned", ["link", "show", "pinned", maps], ANY, holds=["target_name bpf_map"])
    yield Case("link show -j pinned", ["-j", "link", "show", "pinned", elements], ANY, shape=record("id", "type", "target_name", "map_id"))
    yield Case("link pin", ["link", "pin", "pinned", maps, f"{PINS}/each_map2"])
    yield Case("link pin -j", ["-j", "link", "pin", "pinned", maps, f"{PINS}/each_map3"], shape=nothing)
    yield Case("link pin -j: the name is taken", ["-j", "link", "pin", "pinned", maps, f"{PINS}/each_map3"], FAILED)
    yield Case("link detach: an iterator has none", ["link", "detach", "pinned", maps], FAILED, ["not supported"])
    yield Case("link detach -j: an iterator has none", ["-j", "link", "detach", "pinned", maps], FAILED, ["not supported"])
    if label == "7.1":
        return
    yield Case("struct_ops register LINK_DIR", ["struct_ops", "register", f"{objects}/clients_features_link.bpf.o", f"{PINS}/policies"], holds=["Registered", "link id"])
    yield Case("link show: of struct_ops", ["link", "show"], holds=["struct_ops", "map "])
    yield Case("the host calls the linked program", None, holds=["82"], stdin="choose 5\n")
    yield Case("link detach", ["link", "detach", "pinned", f"{PINS}/policies/features"])
    yield Case("link detach: the host calls its own", None, holds=["5"], stdin="choose 5\n")
    yield Case("link detach -j: again", ["-j", "link", "detach", "pinned", f"{PINS}/policies/features"], ANY)


def hook_of_a_device(objects):
    """The host has a hook at the loopback device: what is attached there is a client's business, and only bpftool of 6.12 knows it."""
    drop = f"{PINS}/drop"
    yield Case("prog load: for a device", ["prog", "load", f"{objects}/clients_drop.bpf.o", drop])
    yield Case("the host's packet: nobody decides", None, holds=["nobody"], stdin="packet\n")
    yield Case("net attach tcx_ingress", ["net", "attach", "tcx_ingress", "pinned", drop, "dev", "lo"])
    yield Case("the host's packet: the program decides", None, holds=["verdict 2"], stdin="packet\n")
    yield Case("net show: what is attached", ["net", "show", "dev", "lo"], holds=["lo(1) tcx/ingress drop prog_id"])
    yield Case("net show -j: what is attached", ["-j", "net", "show", "dev", "lo"], holds=['"kind":"tcx/ingress"', '"name":"drop"'])
    yield Case("net attach -j: there is one", ["-j", "net", "attach", "tcx_ingress", "pinned", drop, "dev", "lo"], FAILED)
    yield Case("net detach tcx_ingress", ["net", "detach", "tcx_ingress", "dev", "lo"])
    yield Case("net detach -j: there is none", ["-j", "net", "detach", "tcx_ingress", "dev", "lo"], FAILED)
    yield Case("net attach -j tcx_egress: the host has no such hook", ["-j", "net", "attach", "tcx_egress", "pinned", drop, "dev", "lo"], FAILED)
    yield Case("the host's packet: nobody decides any more", None, holds=["nobody"], stdin="packet\n")


def rest_of_bpftool(objects, scratch):
    yield Case("version", ["version"], holds=["bpftool v"])
    yield Case("version -j", ["-j", "version"], shape=record("version"))
    yield Case("help", ["help"])
    yield Case("feature probe", ["feature", "probe"], holds=["eBPF map_type hash is available", "eBPF program_type socket_filter is available", "eBPF helpers supported for program type"])
    yield Case("feature probe -j", ["-j", "feature", "probe", "kernel"], shape=record("program_types", "map_types", "helpers"))
    yield Case("feature probe full", ["feature", "probe", "kernel", "full"], holds=["bpf_map_lookup_elem"])
    yield Case("feature probe macros", ["feature", "probe", "macros"], holds=["#define"])
    yield Case("link show", ["link", "show"])
    yield Case("link show -j", ["-j", "link", "show"])
    yield Case("cgroup tree", ["cgroup", "tree"])
    yield Case("cgroup show -j", ["-j", "cgroup", "show", "/sys/fs/cgroup"])
    yield Case("net show", ["net", "show"], holds=["xdp:", "tc:"])
    yield Case("net show -j", ["-j", "net", "show"])
    yield Case("perf show", ["perf", "show"])
    yield Case("iter pin: no such object", ["iter", "pin", "/etc/hostname", f"{PINS}/it"], FAILED)
    yield Case("gen skeleton", ["gen", "skeleton", f"{objects}/clients_counter.bpf.o", "name", "counter"], holds=["counter__open"])
    yield Case("gen subskeleton", ["gen", "subskeleton", f"{objects}/clients_counter.bpf.o", "name", "counter"], holds=["counter__open"])
    yield Case("gen object", ["gen", "object", f"{scratch}/linked.o", f"{objects}/clients_counter.bpf.o"])
    yield Case("gen min_core_btf", ["gen", "min_core_btf", "/sys/kernel/btf/vmlinux", f"{scratch}/min.btf", f"{objects}/clients_counter.bpf.o"])
    yield Case("batch", ["batch", "file", f"{scratch}/batch"], holds=["processed 2 commands"])


def hooks_of_bpftool(objects):
    """What is attached, or asks what is: hooks of the kernel's own are not there, and the answers say so."""
    p = f"{PINS}/count"
    yield Case("map create perf_event_array", ["map", "create", f"{PINS}/events", "type", "perf_event_array", "key", "4", "value", "4", "entries", "2", "name", "events"])
    yield Case("map event_pipe", ["map", "event_pipe", "pinned", f"{PINS}/events"], interrupted=True)
    yield Case("map event_pipe -j", ["-j", "map", "event_pipe", "pinned", f"{PINS}/events", "cpu", "0", "index", "0"], interrupted=True)
    yield Case("link pin: no such link", ["link", "pin", "id", "9999", f"{PINS}/x"], FAILED)
    yield Case("link detach: no such link", ["link", "detach", "id", "9999"], FAILED)
    yield Case("cgroup attach: a hook of the kernel's", ["cgroup", "attach", "/sys/fs/cgroup", "ingress", "pinned", p], FAILED)
    yield Case("cgroup detach: a hook of the kernel's", ["cgroup", "detach", "/sys/fs/cgroup", "ingress", "pinned", p], FAILED)
    yield Case("cgroup attach -j: a hook of the kernel's", ["-j", "cgroup", "attach", "/sys/fs/cgroup", "ingress", "pinned", p], FAILED)
    yield Case("cgroup detach -j: a hook of the kernel's", ["-j", "cgroup", "detach", "/sys/fs/cgroup", "ingress", "pinned", p], FAILED)
    yield Case("cgroup show: no such folder", ["cgroup", "show", "/sys/fs/nothing"], FAILED)
    yield Case("cgroup list", ["cgroup", "list", "/sys/fs/cgroup"])
    yield Case("cgroup list -j", ["-j", "cgroup", "list", "/sys/fs/cgroup"])
    yield Case("cgroup show", ["cgroup", "show", "/sys/fs/cgroup"])
    yield Case("cgroup show effective", ["cgroup", "show", "/sys/fs/cgroup", "effective"])
    yield Case("cgroup tree -j", ["-j", "cgroup", "tree"])
    yield Case("net attach: no such device", ["net", "attach", "xdpgeneric", "pinned", p, "dev", "nothing0"], FAILED)
    yield Case("net detach: no such device", ["net", "detach", "xdpgeneric", "dev", "nothing0"], FAILED)
    yield Case("net attach -j: no such device", ["-j", "net", "attach", "xdpgeneric", "pinned", p, "dev", "nothing0"], FAILED)
    yield Case("net detach -j: no such device", ["-j", "net", "detach", "xdpgeneric", "dev", "nothing0"], FAILED)
    yield Case("net attach: a device of the machine's", ["net", "attach", "xdpgeneric", "pinned", p, "dev", "lo"], FAILED)
    yield Case("net list -j", ["-j", "net", "list"], shape=listing("xdp", "tc"))
    yield Case("net list dev", ["net", "list", "dev", "lo"], holds=["xdp:"])
    yield Case("perf list -j", ["-j", "perf", "list"])
    yield Case("feature probe unprivileged", ["feature", "probe", "kernel", "unprivileged"], holds=["eBPF map_type hash is available"])
    yield Case("perf show -j", ["-j", "perf", "show"])
    yield Case("perf list", ["perf", "list"])
    yield Case("gen skeleton -j", ["-j", "gen", "skeleton", f"{objects}/clients_counter.bpf.o", "name", "counter"], holds=["counter__open"], raw=True)
    yield Case("gen object -j", ["-j", "gen", "object", "linked_j.o", f"{objects}/clients_counter.bpf.o"], raw=True)
    yield Case("gen min_core_btf -j", ["-j", "gen", "min_core_btf", "/sys/kernel/btf/vmlinux", "min_j.btf", f"{objects}/clients_features.bpf.o"], raw=True)
    yield Case("gen subskeleton -j", ["-j", "gen", "subskeleton", f"{objects}/clients_counter.bpf.o", "name", "counter"], holds=["counter__open"], raw=True)
    yield Case("gen skeleton: no object", ["gen", "skeleton", "/etc/hostname"], FAILED)
    yield Case("gen skeleton -j: no object", ["-j", "gen", "skeleton", "/etc/hostname"], FAILED)
    yield Case("feature probe macros prefix", ["feature", "probe", "macros", "prefix", "OURS_"], holds=["#define OURS_"])
    yield Case("gen skeleton -L", ["-L", "gen", "skeleton", f"{objects}/clients_counter.bpf.o", "name", "counter"], holds=["counter__open", "skel_internal.h"])
    for what in "prog_types", "map_types", "attach_types", "link_types", "helpers":
        yield Case(f"feature list_builtins {what}", ["feature", "list_builtins", what])
        yield Case(f"feature list_builtins {what} -j", ["-j", "feature", "list_builtins", what])
    for what in "key", "value", "all":
        yield Case(f"btf dump map {what}", ["btf", "dump", "map", "pinned", f"{PINS}/all2maps/by_length", what])
    yield Case("btf dump prog -j", ["-j", "btf", "dump", "prog", "pinned", p], shape=record("types"))
    for verb in "prog", "map", "btf", "link", "struct_ops", "iter", "cgroup", "net", "gen", "feature", "perf":
        yield Case(f"{verb} help", [verb, "help"])
        yield Case(f"{verb} help -j", ["-j", verb, "help"])




def all_of_bpftool(label, objects, scratch):
    yield from rest_of_bpftool(objects, scratch)
    yield from maps_of_bpftool()
    yield from programs_of_bpftool(objects)
    yield from btf_of_bpftool(objects)
    yield from struct_ops_of_bpftool(objects)
    yield from json_of_struct_ops(objects)
    yield from links_of_bpftool(objects, label)
    yield from hooks_of_bpftool(objects)
    if label != "7.1":
        yield from hook_of_a_device(objects)


OBJECTS = ("prog", "map", "link", "cgroup", "perf", "net", "feature", "btf", "gen", "struct_ops", "iter")


def documented_verbs(help_text):
    """The verbs in what `bpftool OBJECT help` prints."""
    verbs = set()
    for line in help_text.splitlines():
        words = re.sub(r"^(Usage:)?\s+\S*bpftool\S* ", "", line).split()
        if words == line.split() or len(words) < 2:
            continue
        names = words[2 : words.index("}")] if words[1] == "{" else words[1:2]
        verbs |= {(words[0], name) for name in names if re.fullmatch(r"[a-z_]+", name)}
    return verbs


def asked(cases):
    """(object, verb, form) of every command."""
    for case in cases:
        if not case.command:
            continue
        words = [word for word in case.command if word not in ("-L",)]
        form = words[0] if words[0] in ("-j", "-p") else "plain"
        words = words[1:] if form != "plain" else words
        if len(words) > 1:
            yield words[0], words[1], "plain" if form == "plain" else "JSON"
