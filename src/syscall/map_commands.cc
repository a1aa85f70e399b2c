// MAP_CREATE and MAP_FREEZE. The order of checks is behaviour.md 0.1.9; what a kind wants is its own
// (maps/map_check.h).
#include <fmt/format.h>

#include "base/text_sink.h"
#include "base/try.h"
#include "maps/map_check.h"
#include "maps/map_kinds.h"
#include "maps/map_memory.h"
#include "model/rights.h"
#include "struct_ops/ops_map.h"
#include "syscall/handlers.h"
#include "syscall/token.h"
#include "syscall/writable_mappings.h"

namespace ring3::syscall {
namespace {

/// Lines for the host's log and the common log; a refusal has one.
class ExplainSink final : public TextSink {
 public:
  explicit ExplainSink(Call& call) : call_(call) {}
  void write(std::string_view text) override {
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    if (!text.empty()) call_.explain(text);
  }

 private:
  Call& call_;
};

maps::MapSpec spec_of(const uapi::bpf_attr& attr) {
  maps::MapSpec spec;
  spec.type = static_cast<uapi::bpf_map_type>(attr.map_type);
  spec.key_size = attr.key_size;
  spec.value_size = attr.value_size;
  spec.max_entries = attr.max_entries;
  spec.flags = attr.map_flags & ~static_cast<std::uint32_t>(uapi::BPF_F_TOKEN_FD);
  spec.extra = attr.map_extra;
  spec.key_type = attr.btf_key_type_id;
  spec.value_type = attr.btf_value_type_id;
  spec.kernel_value_type = attr.btf_vmlinux_value_type_id;
  return spec;
}

/// What this profile does not have is refused with text instead of being passed over.
Result<void> check_unsupported(Call& call, const uapi::bpf_attr& attr) {
  if (attr.map_ifindex != 0) {
    call.explain("map offload to a device is not supported");
    return Errno::kInval;
  }
  return {};
}

Result<void> resolve_inner(Call& call, const uapi::bpf_attr& attr, maps::MapSpec& spec) {
  if (spec.type != uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS && spec.type != uapi::BPF_MAP_TYPE_HASH_OF_MAPS) return {};
  spec.inner = RING3_TRY(call.map(static_cast<int>(attr.inner_map_fd))).map;
  return {};
}

/// The attribute checks of a struct_ops map, whose kind lives in a room above maps/.
Result<void> check_ops_attr(const maps::MapSpec& spec) {
  if (spec.kernel_value_type != 0 && (spec.key_type != 0 || spec.value_type != 0)) return Errno::kInval;
  if (spec.extra != 0) return Errno::kInval;
  return struct_ops::check_map(spec);
}

/// The value id, then the value size, before the client's BTF is looked at.
Result<void> check_ops_type(Call& call, const uapi::bpf_attr& attr, const maps::MapSpec& spec,
                            const btf::Btf& host_btf) {
  if ((spec.flags & uapi::BPF_F_VTYPE_BTF_OBJ_FD) != 0) {
    RING3_TRY(call.btf(attr.value_type_btf_obj_fd));
    call.explain("value_type_btf_obj_fd names no module BTF; the host's types are all in its vmlinux BTF");
    return Errno::kInval;
  }
  const struct_ops::OpsType* type =
      call.kernel().services().struct_ops().find_by_wrapper(host_btf, spec.kernel_value_type);
  if (type == nullptr) {
    call.explain(fmt::format("type {} is not the value wrapper of a registered struct_ops type",
                             spec.kernel_value_type));
    return Errno::kNotSupp;
  }
  if (spec.value_size != type->wrapper_size) {
    call.explain(fmt::format("value_size {} is not the size of bpf_struct_ops_{} ({})", spec.value_size, type->name(),
                             type->wrapper_size));
    return Errno::kInval;
  }
  return {};
}

Result<void> resolve_btf(Call& call, const uapi::bpf_attr& attr, maps::MapSpec& spec) {
  if (spec.key_type == 0 && spec.value_type == 0 && spec.kernel_value_type == 0) return {};
  const Ref<prog::BtfObject> object = RING3_TRY(call.btf(static_cast<int>(attr.btf_fd)));
  if (object->is_kernel()) return Errno::kAcces;
  spec.btf = object->btf();
  spec.btf_object_id = object->id();
  return {};
}

/// The digest of the only program that may use the map.
Result<void> read_exclusive(Call& call, const uapi::bpf_attr& attr, maps::MapSpec& spec) {
  if (attr.excl_prog_hash == 0 && attr.excl_prog_hash_size == 0) return {};
  if (attr.excl_prog_hash == 0 || attr.excl_prog_hash_size != sizeof(sign::Sha256)) {
    call.explain(fmt::format("excl_prog_hash is a SHA-256, of 32 bytes and not {}", attr.excl_prog_hash_size));
    return Errno::kInval;
  }
  spec.exclusive_to = RING3_TRY(call.memory().read_value<sign::Sha256>(attr.excl_prog_hash));
  return {};
}

/// Everything from the rights on, for either sort of kind.
Result<void> resolve(Call& call, const uapi::bpf_attr& attr, maps::MapSpec& spec) {
  Delegation wanted = delegated_cmd(uapi::BPF_MAP_CREATE);
  wanted.maps = delegated_bit(spec.type);
  const bool token = (attr.map_flags & uapi::BPF_F_TOKEN_FD) != 0;
  const model::Rights rights = RING3_TRY(rights_with_token(call, token, attr.map_token_fd, wanted));
  if (!rights.has_bpf() && !call.kernel().services().unprivileged_allowed()) return Errno::kPerm;
  if (!model::may_create_map(spec.type, rights)) return Errno::kPerm;
  RING3_TRY(resolve_inner(call, attr, spec));
  if (spec.type == uapi::BPF_MAP_TYPE_STRUCT_OPS)
    RING3_TRY(check_ops_type(call, attr, spec, *call.kernel().services().program_host().host_btf()->btf()));
  spec.name = RING3_TRY(Call::object_name(attr.map_name));
  RING3_TRY(resolve_btf(call, attr, spec));
  RING3_TRY(read_exclusive(call, attr, spec));
  spec.birth = call.birth();
  return {};
}

/// The access mode belongs to the descriptor, not to the map.
void drop_access_mode(maps::MapSpec& spec) {
  spec.flags &= ~static_cast<std::uint32_t>(uapi::BPF_F_RDONLY | uapi::BPF_F_WRONLY);
}

Result<Ref<maps::Map>> create_ops_map(Call& call, const uapi::bpf_attr& attr, maps::MapSpec& spec) {
  RING3_TRY(check_ops_attr(spec));
  RING3_TRY(resolve(call, attr, spec));
  KernelServices& services = call.kernel().services();
  Ref<maps::Map> map = RING3_TRY(struct_ops::create_map(spec, *services.program_host().host_btf()->btf(),
                                                        services.struct_ops(), services.map_host()));
  ExplainSink log(call);
  RING3_TRY(map->charge(log));
  return map;
}

/// The special fields of the value, if what they point to can be given back. Linux makes a map that breaks a rule all the same,
/// without any; so does a lenient runtime.
Result<void> find_fields(KernelServices& services, maps::MapSpec& spec, TextSink& log) {
  if (spec.value_type == 0) return {};
  const std::shared_ptr<const btf::Btf> hosts[] = {services.program_host().host_btf()->btf()};
  auto found = model::parse_fields(spec.btf, spec.value_type, hosts, model::kMapValueFields, log);
  if (!services.lenient_fields()) {
    spec.fields = RING3_TRY(std::move(found));
    return {};
  }
  if (!found.ok()) return {};
  const auto owners = maps::FieldOwners::make(*found, services.map_host(), log);
  if (owners.ok() || owners.error() != Errno::kNoEnt) spec.fields = std::move(found).value();
  return {};
}

Result<Ref<maps::Map>> create_data_map(Call& call, const uapi::bpf_attr& attr, maps::MapSpec& spec) {
  ExplainSink log(call);
  KernelServices& services = call.kernel().services();
  const maps::MapOps* ops = RING3_TRY(maps::check_attr(services.map_kinds(), spec, log));
  RING3_TRY(resolve(call, attr, spec));
  RING3_TRY(maps::check_btf(*ops, spec, log));
  RING3_TRY(find_fields(services, spec, log));
  RING3_TRY(maps::check_fields(spec, services.map_host(), log));
  drop_access_mode(spec);
  RING3_TRY(call.admit_spec(spec));
  return maps::make_map(*ops, spec, services.map_host(), log);
}

}  // namespace

Result<long> map_create(Call& call, uapi::bpf_attr& attr) {
  maps::MapSpec spec = spec_of(attr);
  RING3_TRY(check_unsupported(call, attr));
  const Access access = RING3_TRY(access_of_flags(attr.map_flags));
  Ref<maps::Map> map = spec.type == uapi::BPF_MAP_TYPE_STRUCT_OPS ? RING3_TRY(create_ops_map(call, attr, spec))
                                                                  : RING3_TRY(create_data_map(call, attr, spec));
  return call.publish_and_give(std::move(map), access);
}

Result<long> map_freeze(Call& call, uapi::bpf_attr& attr) {
  const Call::OpenMap open = RING3_TRY(call.map(static_cast<int>(attr.map_fd)));
  maps::Map& map = *open.map;
  if (!map.can_freeze()) return Errno::kNotSupp;
  if (!open.may_write()) return Errno::kPerm;
  // Memory that is sealed already (BPF_F_RDONLY_PROG) never had a client that could write it.
  if (map.memory_fd() >= 0 && !map.frozen() && !maps::writes_sealed(map.memory_fd()) &&
      mapped_writable(map.memory_fd(), map.host_view())) {
    call.explain("a client has the map's memory mapped writable");
    return Errno::kBusy;
  }
  RING3_TRY(map.freeze());
  return 0L;
}

}  // namespace ring3::syscall
