#include "maps/map_check.h"

#include <fmt/format.h>

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

}  // namespace

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

Result<Ref<Map>> create_map(const MapKinds& kinds, const MapSpec& spec, MapHost& host, TextSink& log) {
  const MapOps* ops = RING3_TRY(check_attr(kinds, spec, log));
  RING3_TRY(check_btf(*ops, spec, log));
  RING3_TRY(check_fields(spec, host, log));
  return ops->control.create(spec, host);
}

}  // namespace ring3::maps
