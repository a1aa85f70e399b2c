// The struct_ops types of one runtime, and what the other files of the room need of a type, computed once.
// Types are never removed. The registration checks are in type_check.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/mutex.h"
#include "base/text_sink.h"
#include "btf/btf.h"
#include "exec/code_memory.h"
#include "exec/thunk.h"
#include "model/facts.h"
#include "ring3/result.h"
#include "ring3/struct_ops_host.h"

namespace ring3::struct_ops {

/// One member of the ops struct.
struct MemberLayout {
  std::string name;
  std::uint32_t off = 0;   // in the ops struct
  std::uint32_t size = 0;
  bool is_function = false;
  bool is_module_owner = false;  // struct module *: must be zero
  exec::ThunkShape shape;        // functions
  const void* stub = nullptr;    // functions: what the host calls when the client leaves it out
};

/// Constant after registration, except for the mutex.
struct OpsType {
  explicit OpsType(exec::CodeMemory& code) : default_stubs(code) {}
  const std::string& name() const { return facts->name; }

  std::shared_ptr<const model::StructOpsType> facts;
  btf::TypeId wrapper = 0;       // bpf_struct_ops_<name>
  std::uint32_t wrapper_size = 0;
  std::uint32_t count_off = 0;   // refcnt of the common header, in the wrapper
  std::uint32_t state_off = 0;
  std::uint32_t ops_off = 0;     // of the ops struct in the wrapper
  std::uint32_t ops_size = 0;
  std::vector<MemberLayout> members;
  std::vector<bool> is_padding;  // one per byte of the wrapper: belongs to no member
  exec::ThunkSet default_stubs;  // functions that return 0
  StructOpsHost* host = nullptr;
  /// Serialises the host's callbacks of this type. Below the mutexes of maps and links of the type.
  mutable Mutex host_mutex;
};

/// All checks of behaviour.md A.1.3 and what follows from them. code: for default stubs. log: one line for the reason.
Result<std::unique_ptr<OpsType>> check_type(const StructOpsDef& def, const std::shared_ptr<const btf::Btf>& btf,
                                            exec::CodeMemory& code, TextSink& log);

class Registry {
 public:
  /// code: memory for thunks; log: receives refusals of clients' commands that an errno cannot explain, one line
  /// each, from any thread. Both outlive the registry.
  Registry(exec::CodeMemory& code, TextSink& log) : code_(code), log_(log) {}

  /// Runs the checks and the host's init(). log: one line for the reason of a refusal.
  /// Errors: behaviour.md A.1.3; kExist a type of that name is registered.
  Result<const OpsType*> add(const StructOpsDef& def, const std::shared_ptr<const btf::Btf>& btf, TextSink& log);
  /// Null: not registered. Pointers stay valid as long as the registry.
  const OpsType* find_by_wrapper(const btf::Btf& btf, btf::TypeId wrapper) const;
  const OpsType* find_by_facts(const model::StructOpsType& facts) const;
  std::vector<const OpsType*> all() const;

  /// The host's check_member().
  Result<void> check_member(const model::StructOpsType& facts, std::uint32_t member, bool sleepable) const;

  exec::CodeMemory& code() const { return code_; }
  TextSink& log() const { return log_; }

 private:
  exec::CodeMemory& code_;
  TextSink& log_;
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<OpsType>> types_ RING3_GUARDED_BY(mutex_);
};

/// One line: the host's callback, its reason if it gave one, the errno. Under type.host_mutex. No memory, no line.
void log_refusal(const Registry& registry, const OpsType& type, std::string_view callback, Errno e) noexcept
    RING3_REQUIRES(type.host_mutex);

/// Runs a callback of the host. Memory that runs out inside is kNoMem here, so that what surrounds the call is undone
/// in the ordinary way; an error is logged.
template <typename Callback>
std::invoke_result_t<Callback> ask_host(const Registry& registry, const OpsType& type, std::string_view name,
                                        Callback callback) RING3_REQUIRES(type.host_mutex) {
  using Answer = std::invoke_result_t<Callback>;
  Answer answered = [&]() -> Answer {
    try {
      return callback();
    } catch (const std::bad_alloc&) {
      return Errno::kNoMem;
    }
  }();
  if (!answered.ok()) log_refusal(registry, type, name, answered.error());
  return answered;
}

}  // namespace ring3::struct_ops
