#include "struct_ops/ops_link.h"

#include <fmt/format.h>

#include "base/try.h"
#include "struct_ops/ops_map.h"

namespace ring3::struct_ops {
namespace {

/// Registration of one READY map. What the host sees of it is the StructOpsAttachment.
class OpsLink final : public attach::Link, public StructOpsAttachment {
 public:
  OpsLink(Ref<maps::Map> map, Birth birth, ObjectTable& table);

  std::uint32_t link_id() const noexcept override { return id(); }
  bool eject() noexcept override { return detach_attached().ok(); }
  bool eject(const StructOpsInstance& instance) noexcept override { return detach_from(static_cast<const OpsMap&>(instance)).ok(); }

  Result<void> attach_map() RING3_REQUIRES(mutex_);
  Result<void> detach_map() RING3_REQUIRES(mutex_);
  Result<void> replace_map(Ref<Object> next, const Ref<Object>& expected, std::uint32_t flags) RING3_REQUIRES(mutex_);

 private:
  OpsMap& map() RING3_REQUIRES(mutex_) { return *as_ops_map(target_locked().get()); }
  void unregister(OpsMap& map) noexcept {
    MutexLock host_lock(map.type().host_mutex);
    map.type().host->unreg(map, *this);
  }
};

OpsLink& ops_link(attach::Link& link) { return static_cast<OpsLink&>(link); }

// Callbacks run under the link's mutex, which the analysis cannot see through a function pointer.
void release(attach::Link& l) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS { (void)ops_link(l).detach_map(); }

const attach::LinkOps kOpsLink = {
    .type = uapi::BPF_LINK_TYPE_STRUCT_OPS,
    .name = "struct_ops",
    .attach = [](attach::Link& l) RING3_NO_THREAD_SAFETY_ANALYSIS { return ops_link(l).attach_map(); },
    .release = &release,
    .detach = [](attach::Link& l) RING3_NO_THREAD_SAFETY_ANALYSIS { return ops_link(l).detach_map(); },
    .update_map = [](attach::Link& l, Ref<Object> next, Ref<Object> expected,
                     std::uint32_t flags) RING3_NO_THREAD_SAFETY_ANALYSIS {
      return ops_link(l).replace_map(std::move(next), expected, flags);
    },
    .fill_info = [](const attach::Link& l, uapi::bpf_link_info& info) {
      const Ref<Object> map = l.target();
      info.struct_ops.map_id = map ? map->id() : 0;
    },
    .pollable = true,
};

OpsLink::OpsLink(Ref<maps::Map> map, Birth birth, ObjectTable& table)
    : Link(kOpsLink, uapi::BPF_STRUCT_OPS, std::move(map), table, birth) {}

Result<void> OpsLink::attach_map() {
  OpsMap& ops = map();
  MutexLock host_lock(ops.type().host_mutex);
  return ask_host(ops.registry(), ops.type(), "reg", [&] { return ops.type().host->reg(ops, *this); });
}

Result<void> OpsLink::detach_map() {
  unregister(map());
  return {};
}

/// behaviour.md A.5.3, in its order.
Result<void> OpsLink::replace_map(Ref<Object> next, const Ref<Object>& expected, std::uint32_t flags) {
  if ((flags & ~static_cast<std::uint32_t>(uapi::BPF_F_REPLACE)) != 0) return Errno::kInval;
  const bool must_match = (flags & uapi::BPF_F_REPLACE) != 0;
  if (must_match != static_cast<bool>(expected)) return Errno::kInval;
  OpsMap* ops = as_ops_map(next.get());
  if (ops == nullptr || !next_state(OpsEvent::kLinkUpdate, ops->flavour(), ops->state()).ok()) return Errno::kInval;
  OpsMap& old = map();
  if (!old.type().host->can_update()) return Errno::kOpNotSupp;
  if (must_match && !(expected == target_locked())) return Errno::kPerm;
  if (&ops->type() != &old.type()) return Errno::kInval;
  // A host that told what goes from what comes by its table would take down what it has just set up.
  if (ops == &old) return {};
  {
    MutexLock host_lock(old.type().host_mutex);
    RING3_TRY(ask_host(ops->registry(), old.type(), "update",
                       [&] { return old.type().host->update(*ops, old, *this); }));
  }
  set_target_locked(std::move(next));
  return {};
}

}  // namespace

Result<Ref<attach::Link>> create_link(Ref<maps::Map> map, std::uint32_t flags, Birth birth) {
  OpsMap* ops = as_ops_map(map.get());
  if (flags != 0 || ops == nullptr) return Errno::kInval;
  if (!next_state(OpsEvent::kLinkCreate, ops->flavour(), ops->state()).ok()) return Errno::kInval;
  ObjectTable& table = map->host().objects();
  return Ref<attach::Link>(Ref<OpsLink>::adopt(new OpsLink(std::move(map), birth, table)));
}

}  // namespace ring3::struct_ops
