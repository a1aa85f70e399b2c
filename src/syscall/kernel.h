// What one runtime is to its commands: the services the runtime implements, and the two things this room
// owns for it, the descriptors handed to clients and the tree of pins.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "attach/hook.h"
#include "attach/hook_tree.h"
#include "maps/map.h"
#include "object/object_table.h"
#include "prog/load.h"
#include "ring3/log.h"
#include "ring3/result.h"
#include "ring3/rights.h"
#include "struct_ops/registry.h"
#include "syscall/caller.h"
#include "syscall/descriptors.h"
#include "syscall/iter_pump.h"
#include "syscall/pin_mounts.h"
#include "verifier/log_sink.h"
#include "verifier/verifier.h"

namespace ring3 {
class FrameTaker;
}

namespace ring3::maps {
class MapKinds;
}

namespace ring3::syscall {

/// One answered command, for tracing.
struct CommandTrace {
  int number;
  std::string_view name;  // "MAP_CREATE"; "" for an unknown number
  const Credentials& credentials;
  std::uint32_t attr_bytes;
  long result;
  std::uint64_t duration_ns;
};

/// A program that a client wanted to load, judged.
struct JudgedProgram {
  std::string_view name;
  Errno error{};                             // 0: accepted
  const verifier::Stats* stats = nullptr;    // null: refused before verification
  const verifier::Rejection* why = nullptr;  // null: accepted, or refused before or after verification
};

/// Implemented by the runtime, and by a fake in tests. Called from any thread.
class KernelServices {
 public:
  virtual ObjectTable& objects() = 0;
  virtual maps::MapHost& map_host() = 0;
  virtual const maps::MapKinds& map_kinds() = 0;
  virtual prog::ProgramHost& program_host() = 0;
  virtual const struct_ops::Registry& struct_ops() = 0;
  /// The verifier refused a program: the reason, for the host's log and the report for people.
  virtual void program_refused(const verifier::Rejection&) {}
  /// Every load, when it is decided. Pointers are valid during the call.
  virtual void program_judged(const JudgedProgram&) {}
  /// Birth times of objects: ns of the boot clock, as load_time in info records.
  virtual std::uint64_t now_ns() = 0;
  virtual void log(Severity severity, std::string_view text) = 0;
  /// Host policy: may this caller issue this command at all? Errors: kPerm (the host logs why).
  virtual Result<void> permit(const Credentials&, int /*command*/) { return {}; }
  /// Clients without CAP_BPF may make basic maps and load what needs no rights (kernel.unprivileged_bpf_disabled = 0).
  virtual bool unprivileged_allowed() { return false; }
  /// A map whose value type breaks a rule of special fields is made as if it had none, instead of refused.
  virtual bool lenient_fields() { return false; }
  /// How much clients of one user may hold.
  virtual ClientLimits client_limits() { return {}; }
  /// Who takes what clients' live frames become; null: nobody.
  virtual FrameTaker* frames() { return nullptr; }
  virtual bool tracing() { return false; }
  virtual void trace(const CommandTrace&) {}

 protected:
  ~KernelServices() = default;
};

class Kernel {
 public:
  /// pin_roots: path prefixes that mean the tree of pins, e.g. {"/sys/fs/bpf", "/run/ring3/NAME/bpf"}.
  /// Errors: kMFile, kNoMem.
  static Result<std::unique_ptr<Kernel>> create(KernelServices& services, std::vector<std::string> pin_roots);

  KernelServices& services() { return services_; }
  ObjectTable& objects() { return services_.objects(); }
  Descriptors& descriptors() { return *descriptors_; }
  /// The runtime's own tree of pins.
  PinTree& pins() { return mounts_.main().tree; }
  PinMounts& mounts() { return mounts_; }
  IterPump& iterators() { return iterators_; }
  /// Where the host lets programs be attached in order.
  attach::Hooks& hooks() { return hooks_; }
  /// Where the host lets them be attached along a tree.
  attach::HookTree& hook_tree() { return hook_tree_; }

 private:
  Kernel(KernelServices& services, std::unique_ptr<Descriptors> descriptors, std::vector<std::string> pin_roots);

  KernelServices& services_;
  std::unique_ptr<Descriptors> descriptors_;
  PinMounts mounts_;
  IterPump iterators_;
  attach::Hooks hooks_;
  attach::HookTree hook_tree_;
};

}  // namespace ring3::syscall
