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

/// What a commit has done so far; undone unless it stays.
struct LoadSession::Done {
  struct Pin {
    std::shared_ptr<PinInstance> mount;
    std::uint64_t inode;
  };
  LoadSession& session;
  std::vector<Pin> pinned{};
  std::vector<Ref<attach::Link>> attached{};
  bool stays = false;

  explicit Done(LoadSession& of) : session(of) {}
  ~Done() {
    if (!stays) undo();
  }
  Done(const Done&) = delete;
  Done& operator=(const Done&) = delete;

 private:
  void undo() noexcept;
};

Result<void> LoadSession::commit() {
  // Attaching runs the host's callbacks, so the parts are taken out first and no lock is held.
  if (!transaction_.open()) return Errno::kBusy;
  const std::vector<Ref<attach::Link>> links = this->links();
  std::vector<PendingPin> pins;
  {
    MutexLock lock(mutex_);
    pins.swap(pins_);
  }
  Done done(*this);
  done.attached.reserve(links.size());
  done.pinned.reserve(pins.size());
  for (const PendingPin& pin : pins) {
    std::shared_ptr<PinInstance> mount = kernel_.mounts().find(pin.path);
    if (!mount) return Errno::kNoEnt;  // unmounted meanwhile
    std::uint64_t inode = 0;
    RING3_TRY(mount->tree.pin(pin.path, pin.who, pin.object, pin.umask, &inode));
    done.pinned.push_back({std::move(mount), inode});
  }
  for (const Ref<attach::Link>& link : links) {
    if (link->state() != attach::LinkState::kPending) continue;  // attached in another way by the module manager
    RING3_TRY(link->attach());
    done.attached.push_back(link);
  }
  RING3_TRY(transaction_.commit());
  done.stays = true;
  for (const Ref<attach::Link>& link : done.attached) link->give();
  return {};
}

void LoadSession::Done::undo() noexcept {
  for (auto it = attached.rbegin(); it != attached.rend(); ++it) (*it)->withdraw();
  for (const Pin& pin : pinned) pin.mount->tree.take_back(pin.inode);
  session.rollback();
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
