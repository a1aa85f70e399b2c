#include "syscall/load_session.h"

#include <utility>

#include "base/try.h"
#include "syscall/kernel.h"

namespace ring3::syscall {

LoadSession::LoadSession(Kernel& kernel) : kernel_(kernel), transaction_(kernel.objects()) {}

LoadSession::~LoadSession() { rollback(); }

Result<void> LoadSession::add(Ref<Object> object) {
  RING3_TRY(transaction_.add(object));
  MutexLock lock(mutex_);
  objects_.push_back(std::move(object));
  return {};
}

Result<void> LoadSession::add_link(Ref<attach::Link> link) {
  RING3_TRY(transaction_.add(link));
  MutexLock lock(mutex_);
  objects_.push_back(link);
  links_.push_back(std::move(link));
  return {};
}

Result<void> LoadSession::add_pin(const std::string& path, const PinIdentity& who, Ref<Object> object, mode_t umask) {
  RING3_TRY(kernel_.pins().check_pin(path, who));
  MutexLock lock(mutex_);
  for (const PendingPin& pending : pins_)
    if (pending.path == path) return Errno::kExist;
  pins_.push_back({path, who, std::move(object), umask});
  return {};
}

std::vector<Ref<Object>> LoadSession::objects() const {
  MutexLock lock(mutex_);
  return objects_;
}

std::vector<Ref<attach::Link>> LoadSession::links() const {
  MutexLock lock(mutex_);
  return links_;
}

void LoadSession::drop_link(const attach::Link& link) noexcept {
  transaction_.drop(link);
  Ref<attach::Link> gone;  // the reference goes after the lock
  MutexLock lock(mutex_);
  for (auto it = links_.begin(); it != links_.end(); ++it) {
    if (it->get() != &link) continue;
    gone = std::move(*it);
    links_.erase(it);
    break;
  }
  std::erase_if(objects_, [&](const Ref<Object>& o) { return o.get() == &link; });
}

Result<void> LoadSession::commit() {
  // Attaching runs the host's callbacks, so the parts are taken out first and no lock is held.
  std::vector<Ref<attach::Link>> links;
  std::vector<PendingPin> pins;
  {
    MutexLock lock(mutex_);
    if (!transaction_.open()) return Errno::kBusy;
    links = links_;
    pins = std::move(pins_);
    pins_.clear();
  }
  Result<void> status;
  std::size_t pinned = 0, attached = 0;
  std::vector<Ref<attach::Link>> done;
  for (; status.ok() && pinned < pins.size(); ++pinned) {
    status = kernel_.pins().pin(pins[pinned].path, pins[pinned].who, pins[pinned].object, pins[pinned].umask);
    if (!status.ok()) break;
  }
  for (; status.ok() && attached < links.size(); ++attached) {
    if (links[attached]->state() != attach::LinkState::kPending) continue;  // attached in another way by the module manager
    status = links[attached]->attach();
    if (!status.ok()) break;
    done.push_back(links[attached]);
  }
  if (status.ok()) status = transaction_.commit();
  if (!status.ok()) {
    for (auto it = done.rbegin(); it != done.rend(); ++it) (void)(*it)->detach().ok();
    const PinIdentity undo{0, 0, {}, true};
    for (std::size_t i = 0; i < pinned; ++i) (void)kernel_.pins().unlink(pins[i].path, undo).ok();
    rollback();
    return status;
  }
  MutexLock lock(mutex_);
  objects_.clear();
  links_.clear();
  return {};
}

void LoadSession::rollback() noexcept {
  std::vector<Ref<Object>> objects;
  std::vector<Ref<attach::Link>> links;
  std::vector<PendingPin> pins;
  {
    MutexLock lock(mutex_);
    objects.swap(objects_);
    links.swap(links_);
    pins.swap(pins_);
  }
  transaction_.rollback();
}

}  // namespace ring3::syscall
