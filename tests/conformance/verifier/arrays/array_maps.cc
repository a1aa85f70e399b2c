#include "arrays/array_maps.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace ring3::conformance {

namespace {

/// Values of maps with special fields; ids of the types that value_types() makes, in this order.
enum class Value : std::uint8_t { kPlain, kSpinLock, kTimer, kKptrs };

struct Row {
  bpf_map_type type;
  std::uint32_t key_bytes, value_bytes, entries, flags;
  Value value = Value::kPlain;
  bool preset = false;  // element 0 is an index of 28 and a pattern in the seventh word behind it
};

/// Program arrays and maps of maps have rows, too, but need more than these.
constexpr Row row_of(array_map map) {
  switch (map) {
    case ARRAY_MAP_hash_8b: return {BPF_MAP_TYPE_HASH, 8, 8, 1, BPF_F_NO_PREALLOC};
    case ARRAY_MAP_hash_48b: return {BPF_MAP_TYPE_HASH, 8, 48, 1, BPF_F_NO_PREALLOC};
    case ARRAY_MAP_hash_16b: return {BPF_MAP_TYPE_HASH, 8, 16, 1, BPF_F_NO_PREALLOC};
    case ARRAY_MAP_array_48b: return {BPF_MAP_TYPE_ARRAY, 4, 48, 1, 0, Value::kPlain, true};
    case ARRAY_MAP_sockmap: return {BPF_MAP_TYPE_SOCKMAP, 4, 4, 1, 0};
    case ARRAY_MAP_sockhash: return {BPF_MAP_TYPE_SOCKHASH, 4, 4, 1, 0};
    case ARRAY_MAP_xskmap: return {BPF_MAP_TYPE_XSKMAP, 4, 4, 1, 0};
    case ARRAY_MAP_stacktrace: return {BPF_MAP_TYPE_STACK_TRACE, 4, 8, 1, 0};
    case ARRAY_MAP_prog1: return {BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0};
    case ARRAY_MAP_prog2: return {BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 8, 0};
    case ARRAY_MAP_map_in_map: return {BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0};
    case ARRAY_MAP_cgroup_storage: return {BPF_MAP_TYPE_CGROUP_STORAGE, sizeof(bpf_cgroup_storage_key), 64, 0, 0};
    case ARRAY_MAP_percpu_cgroup_storage: return {BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, sizeof(bpf_cgroup_storage_key), 64, 0, 0};
    case ARRAY_MAP_spin_lock: return {BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0, Value::kSpinLock};
    case ARRAY_MAP_array_ro: return {BPF_MAP_TYPE_ARRAY, 4, 48, 1, BPF_F_RDONLY_PROG, Value::kPlain, true};
    case ARRAY_MAP_array_wo: return {BPF_MAP_TYPE_ARRAY, 4, 48, 1, BPF_F_WRONLY_PROG, Value::kPlain, true};
    case ARRAY_MAP_array_small: return {BPF_MAP_TYPE_ARRAY, 4, 1, 1, 0, Value::kPlain, true};
    case ARRAY_MAP_sk_storage: return {BPF_MAP_TYPE_SK_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC, Value::kSpinLock};
    case ARRAY_MAP_event_output: return {BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 1, 0};
    case ARRAY_MAP_reuseport_array: return {BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, 4, 8, 1, 0};
    case ARRAY_MAP_ringbuf: return {BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0};
    case ARRAY_MAP_timer: return {BPF_MAP_TYPE_ARRAY, 4, 16, 1, 0, Value::kTimer};
    case ARRAY_MAP_kptr: return {BPF_MAP_TYPE_ARRAY, 4, 24, 1, 0, Value::kKptrs};
    case ARRAY_MAP_COUNT: break;
  }
  return {BPF_MAP_TYPE_UNSPEC, 0, 0, 0, 0};
}

struct ValueTypes {
  int fd = -1;
  std::uint32_t key = 0, spin_lock = 0, timer = 0, kptrs = 0;

  std::uint32_t of(Value value) const {
    switch (value) {
      case Value::kPlain: return 0;
      case Value::kSpinLock: return spin_lock;
      case Value::kTimer: return timer;
      case Value::kKptrs: return kptrs;
    }
    return 0;
  }
};

std::uint32_t id(int made) { return static_cast<std::uint32_t>(made); }

/// struct { int cnt; struct bpf_spin_lock l; }, struct { struct bpf_timer t; }, and a struct of three kptrs:
/// prog_test_ref_kfunc untrusted and referenced, prog_test_member referenced.
ValueTypes load_value_types() {
  const std::unique_ptr<btf, decltype(&btf__free)> owned(btf__new_empty(), btf__free);
  btf* types = owned.get();
  ValueTypes out;
  out.key = id(btf__add_int(types, "int", 4, BTF_INT_SIGNED));
  const auto word = static_cast<int>(out.key);
  const int lock = btf__add_struct(types, "bpf_spin_lock", 4);
  btf__add_field(types, "val", word, 0, 0);
  out.spin_lock = id(btf__add_struct(types, "val", 8));
  btf__add_field(types, "cnt", word, 0, 0);
  btf__add_field(types, "l", lock, 32, 0);
  const int timer = btf__add_struct(types, "bpf_timer", 16);
  out.timer = id(btf__add_struct(types, "timer", 16));
  btf__add_field(types, "t", timer, 0, 0);
  const int referent = btf__add_struct(types, "prog_test_ref_kfunc", 0), member = btf__add_struct(types, "prog_test_member", 0);
  const int untrusted = btf__add_ptr(types, btf__add_type_tag(types, "kptr_untrusted", referent));
  const int referenced = btf__add_ptr(types, btf__add_type_tag(types, "kptr", referent));
  const int inner = btf__add_ptr(types, btf__add_type_tag(types, "kptr", member));
  out.kptrs = id(btf__add_struct(types, "btf_ptr", 24));
  btf__add_field(types, "ptr", untrusted, 0, 0);
  btf__add_field(types, "ptr", referenced, 64, 0);
  btf__add_field(types, "ptr", inner, 128, 0);
  std::uint32_t bytes = 0;
  const void* raw = btf__raw_data(types, &bytes);
  out.fd = bpf_btf_load(raw, bytes, nullptr);
  return out;
}

int make(const Row& row, int inner_fd = -1) {
  bpf_map_create_opts options{};
  options.sz = sizeof(options);
  options.map_flags = row.flags;
  ValueTypes types;
  if (inner_fd >= 0) options.inner_map_fd = static_cast<std::uint32_t>(inner_fd);
  if (row.value != Value::kPlain) {
    types = load_value_types();
    if (types.fd < 0) return types.fd;
    options.btf_fd = static_cast<std::uint32_t>(types.fd);
    options.btf_key_type_id = types.key;
    options.btf_value_type_id = types.of(row.value);
  }
  const int fd = bpf_map_create(row.type, row.value == Value::kPlain ? nullptr : "test_map", row.key_bytes, row.value_bytes,
                                row.entries, &options);
  if (types.fd >= 0) close(types.fd);
  return fd;
}

int make_map_of_maps(const Row& row) {
  const int inner = make({BPF_MAP_TYPE_ARRAY, 4, 4, 1, 0});
  if (inner < 0) return inner;
  const int fd = make(row, inner);
  close(inner);
  return fd;
}

constexpr bpf_insn mov_imm(unsigned dst, int value) {
  return {BPF_ALU64 | BPF_MOV | BPF_K, static_cast<std::uint8_t>(dst & 0xf), 0, 0, value};
}
constexpr bpf_insn kExit{BPF_JMP | BPF_EXIT, 0, 0, 0, 0};

int load_returning(bpf_prog_type type, int value) {
  const bpf_insn insns[] = {mov_imm(0, value), kExit};
  return bpf_prog_load(type, nullptr, "GPL", insns, std::size(insns), nullptr);
}

/// Tail-calls element `key` of `map`; returns 41 when that does not happen.
int load_calling(bpf_prog_type type, int map, int key) {
  const bpf_insn insns[] = {mov_imm(3, key),
                            {BPF_LD | BPF_IMM | BPF_DW, 2, BPF_PSEUDO_MAP_FD, 0, map},
                            {0, 0, 0, 0, 0},
                            {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call},
                            mov_imm(0, 41),
                            kExit};
  return bpf_prog_load(type, nullptr, "GPL", insns, std::size(insns), nullptr);
}

/// Element `first`: returns 42; 1: calls itself by the array, again and again, and returns 41; 2: returns 24.
int make_program_array(const Row& row, bpf_prog_type type, int first) {
  const int map = make(row);
  if (map < 0) return map;
  const struct {
    int key, program;
  } elements[] = {{first, load_returning(type, 42)}, {1, load_calling(type, map, 1)}, {2, load_returning(type, 24)}};
  int problem = 0;
  for (const auto& [key, program] : elements) {
    if (problem == 0) problem = program < 0 ? program : bpf_map_update_elem(map, &key, &program, BPF_ANY);
    if (program >= 0) close(program);
  }
  if (problem == 0) return map;
  close(map);
  return problem;
}

}  // namespace

int make_array_map(array_map map, std::uint32_t prog_type) {
  const Row row = row_of(map);
  if (row.type == BPF_MAP_TYPE_PROG_ARRAY)
    return make_program_array(row, static_cast<bpf_prog_type>(prog_type), map == ARRAY_MAP_prog1 ? 0 : 7);
  if (row.type == BPF_MAP_TYPE_ARRAY_OF_MAPS) return make_map_of_maps(row);
  const int fd = make(row);
  if (fd < 0 || !row.preset) return fd;
  std::uint32_t element[12] = {28};
  element[1 + 6] = 0xabcdef12;
  const std::uint32_t key = 0;
  const int problem = bpf_map_update_elem(fd, &key, element, BPF_ANY);
  if (problem == 0) return fd;
  close(fd);
  return problem;
}

}  // namespace ring3::conformance
