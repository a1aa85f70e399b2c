#include "syscall/load_session.h"

#include <utility>

#include "base/try.h"
#include "syscall/kernel.h"

namespace ring3::syscall {

LoadSession::LoadSession(Kernel& kernel) : kernel_(kernel), transaction_(kernel.objects()) {}

LoadSession::~LoadSession() { rollback(); }

Result<void> LoadSession::add(Ref<Object> object) {
  transaction_.drop_abandoned();
  return transaction_.add(std::move(object));
}

Result<void> LoadSession::add_link(Ref<attach::Link> link) { return add(std::move(link)); }

Result<void> LoadSession::add_pin(const std::string& path, const PinIdentity& who, Ref<Object> object, mode_t umask) {
  const std::shared_ptr<PinInstance> mount = kernel_.mounts().find(path);
  if (!mount) return Errno::kNoEnt;
  RING3_TRY(mount->tree.check_pin(path, who));
  MutexLock lock(mutex_);
  for (const PendingPin& pending : pins_)
    if (pending.path == path) return Errno::kExist;
  pins_.push_back({path, who, std::move(object), umask});
  return {};
}

std::vector<Ref<Object>> LoadSession::objects() const { return transaction_.objects(); }

std::vector<Ref<attach::Link>> LoadSession::links() const {
  std::vector<Ref<attach::Link>> links;
  for (Ref<Object>& object : transaction_.objects())
    if (object->kind() == ObjectKind::kLink) links.push_back(ref_cast<attach::Link>(std::move(object)));
  return links;
}

void LoadSession::drop_abandoned() noexcept {
  kernel_.descriptors().drain();
  transaction_.drop_abandoned();
}

void LoadSession::drop_link(const attach::Link& link) noexcept { transaction_.drop(link); }

Result<void> LoadSession::commit() {
  // Attaching runs the host's callbacks, so the parts are taken out first and no lock is held.
  if (!transaction_.open()) return Errno::kBusy;
  const std::vector<Ref<attach::Link>> links = this->links();
  std::vector<PendingPin> pins;
  {
    MutexLock lock(mutex_);
    pins.swap(pins_);
  }
  Result<void> status;
  std::size_t pinned = 0, attached = 0;
  std::vector<Ref<attach::Link>> done;
  for (; status.ok() && pinned < pins.size(); ++pinned) {
    const std::shared_ptr<PinInstance> mount = kernel_.mounts().find(pins[pinned].path);
    status = mount ? mount->tree.pin(pins[pinned].path, pins[pinned].who, pins[pinned].object, pins[pinned].umask)
                   : Result<void>(Errno::kNoEnt);  // unmounted meanwhile
    if (!status.ok()) break;
  }
  for (; status.ok() && attached < links.size(); ++attached) {
    if (links[attached]->state() != attach::LinkState::kPending) continue;  // attached in another way by the module manager
    status = links[attached]->attach();
    if (!status.ok()) break;
    done.push_back(links[attached]);
  }
  if (status.ok()) status = transaction_.commit();
  if (status.ok())
    for (const Ref<attach::Link>& link : done) link->give();
  if (!status.ok()) {
    for (auto it = done.rbegin(); it != done.rend(); ++it) (void)(*it)->detach().ok();
    const PinIdentity undo{0, 0, {}, true};
    for (std::size_t i = 0; i < pinned; ++i)
      if (const auto mount = kernel_.mounts().find(pins[i].path)) (void)mount->tree.unlink(pins[i].path, undo).ok();
    rollback();
  }
  return status;
}

void LoadSession::rollback() noexcept {
  std::vector<PendingPin> pins;  // references go after the lock
  {
    MutexLock lock(mutex_);
    pins.swap(pins_);
  }
  transaction_.rollback();
}

}  // namespace ring3::syscall
