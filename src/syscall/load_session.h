// A load transaction as commands see it: what is made in it stays invisible, and what would have an
// effect on the host (link attach, pin) waits for commit().
//
// The session keeps what is made in it alive; an object that the client closes again and that nothing else holds
// is let go of, as it would be outside of a load.
//
// Objects get ids at once, so info records are right, and the session finds its own objects by id; nobody
// else does. Dropping the session undoes everything: descriptors die with the client, the rest with it.
// The module manager takes what it needs (objects(), links()) before it commits, and may commit the parts in
// another order (a replacement updates the old links instead of attaching the new ones).
//
// Thread-safe. Lock: before the id table and the pin tree.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attach/link.h"
#include "base/mutex.h"
#include "object/object.h"
#include "object/transaction.h"
#include "ring3/result.h"
#include "syscall/pin_tree.h"

namespace ring3::syscall {

class Kernel;

class LoadSession {
 public:
  explicit LoadSession(Kernel& kernel);
  ~LoadSession();
  LoadSession(const LoadSession&) = delete;
  LoadSession& operator=(const LoadSession&) = delete;

  Transaction& transaction() { return transaction_; }

  /// Takes an object in. Errors: kNoMem; kBusy the session has ended.
  Result<void> add(Ref<Object> object);
  /// A link that is to be attached at commit. Errors: as add().
  Result<void> add_link(Ref<attach::Link> link);
  /// A pin to be made at commit; what can be checked is checked now. Errors: those of PinTree::pin.
  Result<void> add_pin(const std::string& path, const PinIdentity& who, Ref<Object> object, mode_t umask);

  /// Lets go of what the client has closed again and nothing else needs: feature probes, for the most part.
  void drop_abandoned() noexcept;
  /// Takes a pending link out: what it would have attached is attached in another way.
  void drop_link(const attach::Link& link) noexcept;

  /// Everything made so far, in order of creation; links included.
  std::vector<Ref<Object>> objects() const;
  std::vector<Ref<attach::Link>> links() const;

  /// Publishes all objects, makes the pins, attaches the links that are still pending. On an error (also when memory runs out by
  /// exception) what was attached and pinned is undone, and the session is rolled back.
  Result<void> commit();
  void rollback() noexcept;
  bool open() const { return transaction_.open(); }

 private:
  struct PendingPin {
    std::string path;
    PinIdentity who;
    Ref<Object> object;
    mode_t umask;
  };

  struct Done;

  Kernel& kernel_;
  Transaction transaction_;
  mutable Mutex mutex_;
  std::vector<PendingPin> pins_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::syscall
