#include "attach/hook.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/try.h"

namespace ring3::attach {
namespace {

constexpr std::uint32_t kNext = UINT32_MAX;  // -1: TCX_NEXT, NETKIT_NEXT

constexpr std::uint32_t kXdpModes = 1u << 1 | 1u << 2 | 1u << 3;  // XDP_FLAGS_MODES: by the stack, the driver, the device

constexpr HookKind kKinds[] = {
    {uapi::BPF_XDP, uapi::BPF_PROG_TYPE_XDP, uapi::BPF_LINK_TYPE_XDP, "xdp", kNext, true, kXdpModes, RunConfig::kPass},
    {uapi::BPF_TCX_INGRESS, uapi::BPF_PROG_TYPE_SCHED_CLS, uapi::BPF_LINK_TYPE_TCX, "tcx", kNext},
    {uapi::BPF_TCX_EGRESS, uapi::BPF_PROG_TYPE_SCHED_CLS, uapi::BPF_LINK_TYPE_TCX, "tcx", kNext},
    {uapi::BPF_NETKIT_PRIMARY, uapi::BPF_PROG_TYPE_SCHED_CLS, uapi::BPF_LINK_TYPE_NETKIT, "netkit", kNext},
    {uapi::BPF_NETKIT_PEER, uapi::BPF_PROG_TYPE_SCHED_CLS, uapi::BPF_LINK_TYPE_NETKIT, "netkit", kNext},
};

class HookLink final : public Link {
 public:
  HookLink(const LinkOps& ops, std::shared_ptr<HookPoint> point, Ref<prog::Program> program, OrderWish wish, Birth birth,
           ObjectTable& table)
      : Link(ops, static_cast<std::uint32_t>(point->kind().attach), std::move(program), table, birth), point_(std::move(point)),
        wish_(std::move(wish)) {}

  const HookPoint& point() const { return *point_; }

  Result<void> take_place() RING3_REQUIRES(mutex_) {
    OrderWish wish = std::exchange(wish_, {});  // what it is relative to is not kept
    Result<void> done = point_->list().attach(program(), this, nullptr, wish.flags, wish.to, wish.revision, wish.config);
    if (!done.ok()) wish_ = std::move(wish);
    return done;
  }
  void leave() noexcept { point_->list().leave(this); }
  Result<void> replace(Ref<Object> next, const Ref<Object>& expected) RING3_REQUIRES(mutex_) {
    if (expected && !(expected == target_locked())) return Errno::kPerm;
    const auto& fresh = static_cast<const prog::Program&>(*next);
    if (fresh.type() != program()->type()) return Errno::kInval;
    if (point_->kind().is_alone && fresh.attach_type() != program()->attach_type()) return Errno::kInval;
    if (next == target_locked()) return {};
    std::optional<RunConfig> config;
    if (std::string why; point_->chains()) config = RING3_TRY(read_run_config(fresh, why));
    RING3_TRY(point_->list().attach(ref_cast<prog::Program>(next), this, program().get(), uapi::BPF_F_REPLACE, {}, 0, std::move(config)));
    set_target_locked(std::move(next));
    return {};
  }

 private:
  Ref<prog::Program> program() const RING3_REQUIRES(mutex_) { return ref_cast<prog::Program>(target_locked()); }

  const std::shared_ptr<HookPoint> point_;
  OrderWish wish_;
};

HookLink& hook_link(Link& link) { return static_cast<HookLink&>(link); }

void fill_info(const Link& link, uapi::bpf_link_info& info) {
  const HookPoint& point = static_cast<const HookLink&>(link).point();
  // All kinds have the device in one place of the record, the ordered ones the attach type behind it.
  info.tcx.ifindex = link.state() == LinkState::kDetached ? 0 : point.ifindex();
  if (!point.kind().is_alone) info.tcx.attach_type = link.attach_type();
}

// Callbacks run under the link's mutex, which the analysis cannot see through a function pointer.
void release(Link& l) noexcept { hook_link(l).leave(); }

constexpr LinkOps ops_of(uapi::bpf_link_type type, const char* name) {
  return {
      .type = type,
      .name = name,
      .attach = [](Link& l) RING3_NO_THREAD_SAFETY_ANALYSIS { return hook_link(l).take_place(); },
      .release = &release,
      .detach =
          [](Link& l) {
            hook_link(l).leave();
            return Result<void>();
          },
      .update_prog = [](Link& l, Ref<Object> next, Ref<Object> expected,
                        std::uint32_t) RING3_NO_THREAD_SAFETY_ANALYSIS {
        return hook_link(l).replace(std::move(next), expected);
      },
      .fill_info = &fill_info,
  };
}

const LinkOps kLinks[] = {ops_of(uapi::BPF_LINK_TYPE_TCX, "tcx"), ops_of(uapi::BPF_LINK_TYPE_NETKIT, "netkit"), ops_of(uapi::BPF_LINK_TYPE_XDP, "xdp")};

const LinkOps& ops_for(const HookKind& kind) {
  return *std::find_if(std::begin(kLinks), std::end(kLinks), [&](const LinkOps& ops) { return ops.type == kind.link; });
}

/// How a device runs the program is the host's own: the modes are taken, one at most, and make no difference.
Result<void> check_flags(const HookKind& kind, std::uint32_t flags) {
  if (!kind.is_alone) return (flags & ~(kOrderFlags & ~std::uint32_t{uapi::BPF_F_REPLACE})) != 0 ? Result<void>(Errno::kInval) : Result<void>();
  return (flags & ~kind.alone_flags) != 0 || std::popcount(flags) > 1 ? Result<void>(Errno::kInval) : Result<void>();
}

}  // namespace

const HookKind* find_hook_kind(std::uint32_t attach_type) {
  const auto found = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&](const HookKind& kind) { return static_cast<std::uint32_t>(kind.attach) == attach_type; });
  return found == std::end(kKinds) ? nullptr : found;
}

Result<std::shared_ptr<HookPoint>> Hooks::add(std::uint32_t attach_type, std::uint32_t ifindex, std::string name, bool chains) {
  const HookKind* kind = find_hook_kind(attach_type);
  if (kind == nullptr || ifindex == 0 || (chains && !kind->is_alone)) return Errno::kInval;
  auto point = std::make_shared<HookPoint>(*kind, ifindex, std::move(name), chains);
  MutexLock lock(mutex_);
  if (find_locked(attach_type, ifindex)) return Errno::kExist;
  points_.push_back(point);
  return point;
}

Result<void> Hooks::remove(HookPoint& point) {
  std::shared_ptr<HookPoint> keep;  // dropped behind the lock
  std::vector<Ref<Link>> links = RING3_TRY(point.list().close());
  {
    MutexLock lock(mutex_);
    const auto at = std::find_if(points_.begin(), points_.end(), [&](const auto& each) { return each.get() == &point; });
    if (at == points_.end()) return Errno::kNoEnt;
    keep = std::move(*at);
    points_.erase(at);
  }
  for (const Ref<Link>& link : links) (void)link->detach().ok();
  return {};
}

std::shared_ptr<HookPoint> Hooks::find(std::uint32_t attach_type, std::uint32_t ifindex) const {
  MutexLock lock(mutex_);
  return find_locked(attach_type, ifindex);
}

std::shared_ptr<HookPoint> Hooks::find_locked(std::uint32_t attach_type, std::uint32_t ifindex) const {
  for (const auto& point : points_)
    if (static_cast<std::uint32_t>(point->kind().attach) == attach_type && point->ifindex() == ifindex) return point;
  return nullptr;
}

std::vector<std::shared_ptr<HookPoint>> Hooks::all(std::uint32_t attach_type) const {
  std::vector<std::shared_ptr<HookPoint>> out;
  MutexLock lock(mutex_);
  for (const auto& point : points_)
    if (static_cast<std::uint32_t>(point->kind().attach) == attach_type) out.push_back(point);
  return out;
}

bool Hooks::has_device(std::uint32_t ifindex) const {
  MutexLock lock(mutex_);
  return std::any_of(points_.begin(), points_.end(), [&](const auto& point) { return point->ifindex() == ifindex; });
}

bool stands_in_chain(const Link& link) {
  const bool of_hook = std::any_of(std::begin(kLinks), std::end(kLinks), [&](const LinkOps& ops) { return &ops == &link.ops(); });
  return of_hook && static_cast<const HookLink&>(link).point().chains();
}

Result<Ref<Link>> create_hook_link(std::shared_ptr<HookPoint> point, Ref<prog::Program> program, OrderWish wish, Birth birth) {
  if (static_cast<std::uint32_t>(point->kind().program) != program->type()) return Errno::kInval;
  RING3_TRY(check_flags(point->kind(), wish.flags));
  if (point->kind().is_alone) wish = {.config = std::move(wish.config)};
  const LinkOps& ops = ops_for(point->kind());
  ObjectTable& table = program->table();
  return Ref<Link>(
      Ref<HookLink>::adopt(new HookLink(ops, std::move(point), std::move(program), std::move(wish), birth, table)));
}

}  // namespace ring3::attach
