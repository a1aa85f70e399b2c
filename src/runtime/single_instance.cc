// The default policy of a struct_ops type. Callbacks are serialised by ring3; the hot path reads current_ alone.
//
// Soundness of the bare pointer: current_ is changed before the registration's references go, and an instance's
// memory goes only after readers, so whoever loaded current_ inside a ReadSection may call through it until the
// section ends.
#include <cstring>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "object/rcu.h"
#include "ring3/struct_ops.h"

namespace ring3::detail {

/// What tells the host that the last caller has left. Made when an instance takes over, so that its end needs no memory.
struct Retirement {
  rcu::Deferred node;  // first: the deferred call gets its address
  StructOpsInstance* instance;
  void (*run)(SingleInstance& policy, const void* ops) noexcept;
  SingleInstance* policy;
};

namespace {

bool is_zero(const char* bytes, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i)
    if (bytes[i] != 0) return false;
  return true;
}

}  // namespace

SingleInstance::~SingleInstance() { delete retirement_; }

StructOpsInstance* SingleInstance::hold_active() const noexcept {
  rcu::ReadSection readers;
  StructOpsInstance* instance = instance_.load(std::memory_order_acquire);
  return instance != nullptr && instance->hold() ? instance : nullptr;
}

bool SingleInstance::eject() noexcept {
  rcu::ReadSection readers;
  StructOpsAttachment* via = via_.load(std::memory_order_acquire);
  return via != nullptr && via->eject();
}

bool SingleInstance::eject(const void* ops) noexcept {
  rcu::ReadSection readers;
  StructOpsAttachment* via = via_.load(std::memory_order_acquire);
  StructOpsInstance* instance = instance_.load(std::memory_order_acquire);
  // Both may be changing hands: the attachment itself knows whether it is this instance's.
  return via != nullptr && instance != nullptr && instance->ops() == ops && via->eject(*instance);
}

/// Data members are the client's to choose; text must end inside its array. Required functions must be there.
Result<bool> SingleInstance::init_member(std::uint32_t member, const void* src, void* dst) {
  const OpsMember& m = members_[member];
  const char* given = static_cast<const char*>(src) + m.off;
  if (m.is_function) {
    for (const std::size_t off : required_)
      if (off == m.off && is_zero(given, m.size_bytes)) return refuse(Errno::kInval, "member " + m.name + " is required");
    return false;
  }
  if (m.is_text && std::memchr(given, 0, m.size_bytes) == nullptr)
    return refuse(Errno::kInval, "text in member " + m.name + " has no end");
  std::memcpy(static_cast<char*>(dst) + m.off, given, m.size_bytes);
  return true;
}

Result<void> SingleInstance::validate(const void* ops) { return check_table(ops); }

void SingleInstance::put(StructOpsInstance* instance, StructOpsAttachment* via) noexcept {
  via_.store(via, std::memory_order_release);
  instance_.store(instance, std::memory_order_release);
  current_.store(instance != nullptr ? instance->ops() : fallback_, std::memory_order_release);
}

Result<void> SingleInstance::reg(StructOpsInstance& instance, StructOpsAttachment& via) {
  if (instance_.load(std::memory_order_relaxed) != nullptr)
    return refuse(Errno::kBusy, "another instance is in charge; update its link to replace it");
  auto retirement = wants_retired() ? std::make_unique<Retirement>() : nullptr;
  RING3_TRY(activating(instance.ops()));
  retirement_ = retirement.release();
  put(&instance, &via);
  return {};
}

void SingleInstance::unreg(StructOpsInstance& instance, StructOpsAttachment&) noexcept {
  put(nullptr, nullptr);
  deactivated(instance.ops());
  retire(instance);
}

Result<void> SingleInstance::update(StructOpsInstance& next, StructOpsInstance& old, StructOpsAttachment& via) {
  auto retirement = wants_retired() ? std::make_unique<Retirement>() : nullptr;
  RING3_TRY(activating(next.ops()));
  put(&next, &via);
  deactivated(old.ops());
  retire(old);
  retirement_ = retirement.release();
  return {};
}

void SingleInstance::retire(StructOpsInstance& instance) noexcept {
  Retirement* r = std::exchange(retirement_, nullptr);
  if (r == nullptr) return;
  // The registration still holds it.
  RING3_CHECK(instance.hold(), "an instance that retires is alive");
  r->instance = &instance;
  r->policy = this;
  r->run = [](SingleInstance& policy, const void* ops) noexcept { policy.retired(ops); };
  rcu::call_after_readers(&r->node, [](rcu::Deferred* node) {
    auto* retirement = reinterpret_cast<Retirement*>(node);
    {
      rcu::ReadSection readers;
      retirement->run(*retirement->policy, retirement->instance->ops());
    }
    retirement->instance->release();
    delete retirement;
  });
}

}  // namespace ring3::detail
