// A map's own struct, which programs with rights may look at through a map pointer: Linux shows its kernel struct by BTF.
//
// Soundness: maps here are no such structs, so nothing is ever read from one: a pointer in it reads as null (what follows it faults and
// reads as zero, as through any pointer that nobody vouches for). The numbers a map was made with are put into the program
// where all paths ask the same map (rewrite/convert_context.cc); a program that reads another number is judged and then refused.
#include <optional>

#include "uapi/bpf.h"
#include "verifier/kinds/access.h"
#include "verifier/kinds/struct_walk.h"
#include "verifier/transfer/regs.h"

namespace ring3::verifier {
namespace {

/// The kernel's struct behind a type of map; "" there is no such type.
std::string_view map_struct(std::uint32_t type) {
  switch (type) {
    case uapi::BPF_MAP_TYPE_ARRAY: case uapi::BPF_MAP_TYPE_PERCPU_ARRAY: case uapi::BPF_MAP_TYPE_PROG_ARRAY:
    case uapi::BPF_MAP_TYPE_PERF_EVENT_ARRAY: case uapi::BPF_MAP_TYPE_CGROUP_ARRAY: case uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS:
      return "bpf_array";
    case uapi::BPF_MAP_TYPE_HASH: case uapi::BPF_MAP_TYPE_PERCPU_HASH: case uapi::BPF_MAP_TYPE_LRU_HASH:
    case uapi::BPF_MAP_TYPE_LRU_PERCPU_HASH: case uapi::BPF_MAP_TYPE_HASH_OF_MAPS:
      return "bpf_htab";
    case uapi::BPF_MAP_TYPE_RINGBUF: case uapi::BPF_MAP_TYPE_USER_RINGBUF: return "bpf_ringbuf_map";
    case uapi::BPF_MAP_TYPE_QUEUE: case uapi::BPF_MAP_TYPE_STACK: return "bpf_queue_stack";
    case uapi::BPF_MAP_TYPE_STACK_TRACE: return "bpf_stack_map";
    case uapi::BPF_MAP_TYPE_LPM_TRIE: return "lpm_trie";
    case uapi::BPF_MAP_TYPE_BLOOM_FILTER: return "bpf_bloom_filter";
    case uapi::BPF_MAP_TYPE_SOCKMAP: return "bpf_stab";
    case uapi::BPF_MAP_TYPE_SOCKHASH: return "bpf_shtab";
    case uapi::BPF_MAP_TYPE_XSKMAP: return "xsk_map";
    case uapi::BPF_MAP_TYPE_ARENA: return "bpf_arena";
    case uapi::BPF_MAP_TYPE_DEVMAP: case uapi::BPF_MAP_TYPE_DEVMAP_HASH: return "bpf_dtab";
    case uapi::BPF_MAP_TYPE_CPUMAP: return "bpf_cpu_map";
    case uapi::BPF_MAP_TYPE_REUSEPORT_SOCKARRAY: return "reuseport_array";
    case uapi::BPF_MAP_TYPE_CGROUP_STORAGE: case uapi::BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE: return "bpf_cgroup_storage_map";
    case uapi::BPF_MAP_TYPE_SK_STORAGE: case uapi::BPF_MAP_TYPE_INODE_STORAGE: case uapi::BPF_MAP_TYPE_TASK_STORAGE:
    case uapi::BPF_MAP_TYPE_CGRP_STORAGE:
      return "bpf_local_storage_map";
    case uapi::BPF_MAP_TYPE_STRUCT_OPS: return "bpf_struct_ops_map";
    default: return {};
  }
}

/// What the map was made with, by the name of its member in the kernel's struct.
struct MadeWith {
  std::string_view name;
  std::uint32_t (*number)(const model::MapFacts&);
};
constexpr MadeWith kMadeWith[] = {
    {"map_type", [](const model::MapFacts& map) { return map.type; }},
    {"key_size", [](const model::MapFacts& map) { return map.key_size; }},
    {"value_size", [](const model::MapFacts& map) { return map.value_size; }},
    {"max_entries", [](const model::MapFacts& map) { return map.max_entries; }},
    {"map_flags", [](const model::MapFacts& map) { return map.flags; }},
    {"id", [](const model::MapFacts& map) { return map.id; }},
};

/// The number a load gives, whole. Every kernel struct of a map begins with what all of them have.
std::optional<std::uint32_t> made_with(const btf::Btf& host, const model::MapFacts& map, std::int32_t off, unsigned size) {
  const btf::TypeId common = host.find("bpf_map", btf::Kind::kStruct);
  const btf::Type* type = common == 0 ? nullptr : host.type(common);
  for (std::uint32_t i = 0; type != nullptr && i < type->vlen; ++i) {
    const btf::Member member = host.member(common, i);
    if (member.bit_off != static_cast<std::uint32_t>(off) * 8 || size != sizeof(std::uint32_t)) continue;
    if (host.size_of(member.type).value_or(0) != size) continue;
    for (const MadeWith& row : kMadeWith)
      if (row.name == member.name) return row.number(map);
  }
  return std::nullopt;
}

/// The load gives `number` on all paths, or the program is not run.
void note_number(Step& step, std::optional<std::uint32_t> number) {
  InsnFacts& facts = step.facts();
  if (step.first_note(Step::kFactConstArgs) && number.has_value()) {
    facts.const_args_known = 1;
    facts.const_arg[0] = *number;
  }
  if (!number.has_value() || facts.const_args_known != 1 || facts.const_arg[0] != *number) step.out.not_runnable = "the fields of a map";
}

}  // namespace

Result<void> access_map_fields(Step& step, const Access& access, std::int32_t off) {
  const RegState& reg = step.reg(access.base);
  const std::uint32_t map_type = step.prog.maps[reg.map]->type;
  const std::string_view name = map_struct(map_type);
  const auto& host = step.prog.facts.host_btf;
  const btf::TypeId type = host == nullptr || name.empty() ? 0 : host->find(name, btf::Kind::kStruct);
  const auto refuse = [&](const std::string& why) { return step.diag.refuse(Rule::kStructField, {why}); };
  if (type == 0)
    return step.diag.refuse_as(Errno::kNotSupp, Rule::kStructField,
                               {"map_ptr access not supported for map type " + std::to_string(map_type)});
  if (off < 0) return refuse("R" + std::to_string(access.base) + " is " + std::string(name) + " invalid negative access: off=" + std::to_string(off));
  if (access.write || access.atomic) return refuse("only read from " + std::string(name) + " is supported");
  const StructWalk walk = walk_struct(*host, type, static_cast<std::uint32_t>(off), access.size);
  if (walk.result == StructWalk::Result::kRefused) return step.diag.refuse(Rule::kStructField, {walk.refusal});
  RING3_TRY(note_access(step, model::AccessKind::kSocket));
  if (walk.result == StructWalk::Result::kScalar || access.sign_extend) {
    // A map found in another one only resembles its template.
    const bool itself = reg.map < step.prog.in.maps.size() && reg.btf == 0 && !access.sign_extend;
    note_number(step, itself ? made_with(*host, *step.prog.maps[reg.map], off, access.size) : std::nullopt);
    load_unknown(step, access);
    return {};
  }
  if (access.value == kNoReg) return {};
  RegState& dst = step.reg(static_cast<unsigned>(access.value));
  set_pointer(dst, RegKind::kHostStruct);
  dst.btf = 0;
  dst.btf_type = walk.pointee;
  return {};
}

}  // namespace ring3::verifier
