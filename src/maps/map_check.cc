#include "maps/map_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"

namespace ring3::maps {
namespace {

Errno refuse(TextSink& log, Errno e, std::string_view why) {
  log.write(fmt::format("map creation refused: {}\n", why));
  return e;
}

/// Only these kinds give map_extra a meaning.
bool takes_extra(std::uint32_t type) {
  return type == uapi::BPF_MAP_TYPE_BLOOM_FILTER || type == uapi::BPF_MAP_TYPE_ARENA;
}

/// What a map with all its elements from the start needs at least; other kinds are charged when they are made.
std::uint64_t least_bytes(const MapSpec& spec, std::uint32_t cpus) {
  std::uint64_t element = spec.value_size;
  switch (spec.type) {
    case uapi::BPF_MAP_TYPE_HASH:
    case uapi::BPF_MAP_TYPE_LRU_HASH:
      if ((spec.flags & uapi::BPF_F_NO_PREALLOC) != 0) return 0;
      element += spec.key_size;
      break;
    case uapi::BPF_MAP_TYPE_PERCPU_HASH:
    case uapi::BPF_MAP_TYPE_LRU_PERCPU_HASH:
      if ((spec.flags & uapi::BPF_F_NO_PREALLOC) != 0) return 0;
      element = element * cpus + spec.key_size;
      break;
    case uapi::BPF_MAP_TYPE_PERCPU_ARRAY: element *= cpus; break;
    case uapi::BPF_MAP_TYPE_ARRAY:
    case uapi::BPF_MAP_TYPE_QUEUE:
    case uapi::BPF_MAP_TYPE_STACK: break;
    case uapi::BPF_MAP_TYPE_PROG_ARRAY:
    case uapi::BPF_MAP_TYPE_PERF_EVENT_ARRAY:
    case uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS:
    case uapi::BPF_MAP_TYPE_STACK_TRACE: element = sizeof(void*); break;
    case uapi::BPF_MAP_TYPE_RINGBUF:
    case uapi::BPF_MAP_TYPE_USER_RINGBUF: element = 1; break;
    default: return 0;
  }
  std::uint64_t bytes = 0;
  return __builtin_mul_overflow(element, spec.max_entries, &bytes) ? UINT64_MAX : bytes;
}

}  // namespace

Errno refuse_memory(const MemoryAccount& memory, const MapSpec& spec, std::string_view kind, std::uint64_t bytes, TextSink& log) {
  const std::uint64_t limit = memory.limit();
  if (limit != 0 && bytes > limit) {
    return refuse(log, Errno::kTooBig,
                  fmt::format("{} map '{}' needs {} bytes, all maps of this host together may hold {}", kind, spec.name, bytes, limit));
  }
  return refuse(log, Errno::kNoMem,
                fmt::format("{} map '{}' needs {} bytes, all maps of this host together may hold {} and hold {}", kind, spec.name, bytes,
                            limit, memory.held()));
}

std::string memory_text(const Map& map) {
  const MemoryAccount& memory = map.host().memory();
  if (memory.limit() == 0) return {};
  return fmt::format("no memory for an element of {} map '{}' of {} bytes: all maps of this host together may hold {} and hold {}",
                     map.ops().name, map.spec().name, map.memory_bytes(), memory.limit(), memory.held());
}

bool access_flags_ok(std::uint32_t flags) {
  const auto both = [flags](std::uint32_t pair) { return (flags & pair) == pair; };
  return !both(uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY) && !both(uapi::BPF_F_RDONLY_PROG | uapi::BPF_F_WRONLY_PROG);
}

Result<void> refuse_btf(const MapSpec&) { return Errno::kNotSupp; }

Result<const MapOps*> check_attr(const MapKinds& kinds, const MapSpec& spec, TextSink& log) {
  if (spec.kernel_value_type != 0) {
    if (spec.type != uapi::BPF_MAP_TYPE_STRUCT_OPS)
      return refuse(log, Errno::kInval, "btf_vmlinux_value_type_id belongs to struct_ops maps");
    if (spec.key_type != 0 || spec.value_type != 0)
      return refuse(log, Errno::kInval, "btf_vmlinux_value_type_id excludes BTF key and value types of the client");
  } else if (spec.key_type != 0 && spec.value_type == 0) {
    return refuse(log, Errno::kInval, "a BTF key type needs a value type");
  }
  if (spec.extra != 0 && !takes_extra(spec.type)) return refuse(log, Errno::kInval, "this map type takes no map_extra");
  if ((spec.flags & uapi::BPF_F_RDONLY) && (spec.flags & uapi::BPF_F_WRONLY))
    return refuse(log, Errno::kInval, "BPF_F_RDONLY and BPF_F_WRONLY exclude each other");
  const MapOps* ops = RING3_TRY(kinds.find(spec.type, log));
  if (ops->control.check) {
    if (auto ok = ops->control.check(spec); !ok)
      return refuse(log, ok.error(),
                    fmt::format("attributes do not suit a {} map (key_size {}, value_size {}, max_entries {}, flags "
                                "{:#x})",
                                ops->name, spec.key_size, spec.value_size, spec.max_entries, spec.flags));
  }
  return ops;
}

Result<void> check_btf(const MapOps& ops, const MapSpec& spec, TextSink& log) {
  if (spec.key_type == 0 && spec.value_type == 0) return {};
  if (!spec.btf) return refuse(log, Errno::kInval, "BTF types without BTF");
  if (spec.key_type != 0) {
    if (spec.btf->size_of(spec.key_type) != spec.key_size)
      return refuse(log, Errno::kInval, fmt::format("BTF key type {} is not {} bytes", spec.key_type, spec.key_size));
  } else if (!ops.control.check_btf) {
    return refuse(log, Errno::kInval, "this map type needs a BTF key type beside the value type");
  }
  if (spec.btf->size_of(spec.value_type) != spec.value_size)
    return refuse(log, Errno::kInval,
                  fmt::format("BTF value type {} is not {} bytes", spec.value_type, spec.value_size));
  if (ops.control.check_btf) {
    if (auto ok = ops.control.check_btf(spec); !ok)
      return refuse(log, ok.error(), fmt::format("BTF key or value type does not suit a {} map", ops.name));
  }
  return {};
}

Result<void> check_fields(const MapSpec& spec, MapHost& host, TextSink& log) {
  if (spec.fields.empty()) return {};
  if (spec.flags & (uapi::BPF_F_RDONLY_PROG | uapi::BPF_F_WRONLY_PROG))
    return refuse(log, Errno::kAcces, "special fields in a map that programs may not read or write");
  RING3_TRY(model::check_map_type_holds(spec.type, spec.fields, log));
  const auto owners = FieldOwners::make(spec.fields, host, log);
  return owners.ok() ? Result<void>() : Result<void>(owners.error());
}

Result<Ref<Map>> make_map(const MapOps& ops, const MapSpec& spec, MapHost& host, TextSink& log) {
  // Before anything is touched, as far as that can be said.
  const std::uint64_t least = least_bytes(spec, host.possible_cpus());
  const MemoryAccount& memory = host.memory();
  if (memory.limit() != 0 && least > memory.limit() - std::min(memory.held(), memory.limit()))
    return refuse_memory(memory, spec, ops.name, least, log);
  Ref<Map> map = RING3_TRY(ops.control.create(spec, host));
  RING3_TRY(map->charge(log));
  return map;
}

Result<Ref<Map>> create_map(const MapKinds& kinds, const MapSpec& spec, MapHost& host, TextSink& log) {
  const MapOps* ops = RING3_TRY(check_attr(kinds, spec, log));
  RING3_TRY(check_btf(*ops, spec, log));
  RING3_TRY(check_fields(spec, host, log));
  return make_map(*ops, spec, host, log);
}

}  // namespace ring3::maps
