// Modules: a named unit of programs, maps, ops and links, made by committing a load session.
//
// References run one way (behaviour.md F.1.1): a module holds its members, nothing holds a module. A resident
// or session module holds user references, so it outlives the client that loaded it; a pinned module holds
// nothing, its pins do, and it is forgotten once the last of its members is gone.
//
// commit() is all or nothing. Order: check the request; make room for everything that comes; switch the links
// of a replaced module over and attach the others, undoing those already done when one fails; publish every
// object in one step; add the module. Objects are invisible until then, and a replaced module stays whole
// until the new one stands. What follows the publication cannot fail.
//
// A removed module stays listed as "unloading" until the last caller has left its programs and their memory
// is gone; its name is free at once.
//
// Lock: mutex_ before the locks of sessions, links and the id table. No data path takes it; the host's
// callbacks run below it and must not come back here.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/text_sink.h"
#include "module/module_info.h"
#include "object/object.h"
#include "ring3/result.h"
#include "syscall/load_session.h"

namespace ring3::module {

/// Who asks.
struct Actor {
  Birth birth;
  bool admin = false;  // may touch modules of others
};

struct CommitRequest {
  std::string name;      // letters, digits, '_', '-'; 1 to 31 characters
  Lifetime lifetime = Lifetime::kResident;
  std::string replaces;  // name of the module whose links are taken over; "" none
  std::string source;
  std::string digest;
  std::uint64_t session = 0;  // who loads: kSession modules go with it
  Actor who;
};

class Registry {
 public:
  explicit Registry(ObjectTable& objects);
  ~Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// Makes the session's objects a module; returns its id. On an error (also when memory runs out by exception)
  /// the session is rolled back and nothing has changed. why: one line that names what was refused.
  /// Errors: kInval the name, or a load that made nothing; kExist the name is taken; kNoEnt the module to replace;
  /// kPerm it is somebody else's; kBusy the session has ended; kNoMem; and the errors of attaching a link.
  Result<std::uint32_t> commit(syscall::LoadSession& session, const CommitRequest& request, TextSink& why);

  /// Detaches the module's links and drops what it holds. Returns its id at once: memory goes after the callers
  /// that are inside.
  /// Errors: kNoEnt no such module; kPerm somebody else's; kBusy it is used (why says by whom) and not `force`.
  Result<std::uint32_t> remove(std::string_view name, bool force, const Actor& who, TextSink& why);

  /// Removes the modules of a session that ended.
  void session_ended(std::uint64_t session);
  /// Removes everything, newest first: the runtime ends.
  void remove_all() noexcept;

  /// In order of loading; those that are unloading included.
  std::vector<ModuleInfo> list();
  /// Errors: kNoEnt.
  Result<ModuleInfo> find(std::string_view name);

 private:
  struct Module;
  class Swaps;

  Module* by_name(std::string_view name) RING3_REQUIRES(mutex_);
  void forget_gone() RING3_REQUIRES(mutex_);
  ModuleInfo describe(const Module& module) const RING3_REQUIRES(mutex_);
  Result<void> check_request(const CommitRequest& request, TextSink& why) RING3_REQUIRES(mutex_);
  Result<std::uint32_t> commit_locked(syscall::LoadSession& session, const CommitRequest& request, TextSink& why)
      RING3_REQUIRES(mutex_);
  /// Makes the links of `old` hold the session's maps, and drops the session's own links for them.
  Result<void> swap_links(syscall::LoadSession& session, const Module& old, Swaps& swaps, TextSink& why)
      RING3_REQUIRES(mutex_);
  /// Names of the other modules whose programs use its maps.
  std::vector<std::string> users_of(const Module& module) const RING3_REQUIRES(mutex_);

  ObjectTable& objects_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Module>> modules_ RING3_GUARDED_BY(mutex_);  // in order of loading
  std::uint32_t last_id_ RING3_GUARDED_BY(mutex_) = 0;
};

}  // namespace ring3::module
