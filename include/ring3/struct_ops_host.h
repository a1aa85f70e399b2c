#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ring3/result.h"

namespace ring3 {

/// A table of functions a client has filled: one struct_ops map. Made by ring3, seen by the host in callbacks.
/// A pointer to it is valid during the callback it was passed to, and for as long as the host holds it.
class StructOpsInstance {
 public:
  /// The host's struct. Function members are plain C functions callable from any thread inside a ReadSection
  /// (or while held). A member the client left out is the type's stub, or null where `null_when_unset`.
  virtual const void* ops() const noexcept = 0;
  template <typename T>
  const T* as() const noexcept { return static_cast<const T*>(ops()); }

  /// One bit per member: set by the client (a program, or a nonzero value).
  virtual std::uint64_t members_set() const noexcept = 0;
  virtual std::uint32_t map_id() const noexcept = 0;

  /// A counted host reference, beyond registration: what a client sees as the header's count. Any thread that is
  /// inside a ReadSection or a callback. False: the instance is already going away.
  [[nodiscard]] virtual bool hold() noexcept = 0;
  virtual void release() noexcept = 0;

 protected:
  ~StructOpsInstance() = default;
};

/// One registration of an instance: a link, or the classic flavour's own registration (link_id 0).
class StructOpsAttachment {
 public:
  virtual std::uint32_t link_id() const noexcept = 0;
  /// The host ends it: unreg() is called as if the client had detached; a link stays open, empty and hung up.
  /// False when it had ended already. Must not be called from a callback of the same type; may be called from a
  /// thread that runs one of its members.
  virtual bool eject() noexcept = 0;
  /// The same if it is `instance` that is registered by it now: a client may have replaced the one a host found fault with. False
  /// when it is another one's, or none's.
  virtual bool eject(const StructOpsInstance& instance) noexcept = 0;

 protected:
  ~StructOpsAttachment() = default;
};

/// What a host does with instances of one ops type. Called on the thread of the client's command, one call at a
/// time per type, without locks of the data paths. Must not call back into Runtime::bpf.
/// An error is the command's errno; refuse() adds a text for the runtime's log.
class StructOpsHost {
 public:
  virtual ~StructOpsHost() = default;
  /// Registration of the type; an error refuses it.
  virtual Result<void> init() { return {}; }
  /// A program for `member` is being loaded. An error is the load's errno. Default: sleepable programs only where
  /// StructOpsDef::sleepable says so (checked before this is called).
  virtual Result<void> check_member(std::uint32_t member, bool sleepable) {
    (void)member, (void)sleepable;
    return {};
  }
  /// A member of the client's value, any kind. src, dst: the whole struct. True: consumed (dst is as the host
  /// wants it); false: ring3 goes on (functions are linked; data must be zero).
  virtual Result<bool> init_member(std::uint32_t member, const void* src, void* dst) {
    (void)member, (void)src, (void)dst;
    return false;
  }
  /// The whole table is filled, nothing is registered. May be refused (a mandatory member is missing …).
  virtual Result<void> validate(const void* ops) { (void)ops; return {}; }
  /// From now on the instance may be called.
  virtual Result<void> reg(StructOpsInstance& instance, StructOpsAttachment& via) = 0;
  /// No new calls from now on. Calls that are inside stay safe: memory goes after readers and held references.
  virtual void unreg(StructOpsInstance& instance, StructOpsAttachment& via) noexcept = 0;
  /// Replaces `old` by `next` under the same registration; callers see the one or the other.
  virtual bool can_update() const { return false; }
  virtual Result<void> update(StructOpsInstance& next, StructOpsInstance& old, StructOpsAttachment& via) {
    (void)next, (void)old, (void)via;
    return Errno::kOpNotSupp;
  }

  /// The reason given by the callback that was called last; "" none. ring3 asks after an error.
  std::string take_refusal() { return std::move(refusal_); }

 protected:
  /// `return refuse(Errno::kInval, "name is empty");`
  Errno refuse(Errno e, std::string text) {
    refusal_ = std::move(text);
    return e;
  }

 private:
  std::string refusal_;
};

/// A struct_ops type as the host defines it, by its C struct in the host's BTF.
struct StructOpsDef {
  std::string name;                  ///< of the struct; the wrapper is bpf_struct_ops_<name>
  std::size_t size_bytes = 0;        ///< sizeof the struct, compared with the BTF; 0: not compared
  /// The struct with a stub function in every supported member; a null function member is unsupported. Null pointer:
  /// every function member is supported, and an unset one is a function that returns 0.
  const void* stubs = nullptr;
  bool null_when_unset = false;      ///< unset function members are null for the host instead of the stub
  std::vector<std::size_t> unsupported;  ///< byte offsets of function members without support
  std::vector<std::size_t> sleepable;    ///< byte offsets of members that take sleepable programs
  /// Byte offsets of members whose stub FUNC record (<name>__<member>) must be there, because its
  /// parameter names carry annotations (__nullable, __ref). Others use it when it is there.
  std::vector<std::size_t> annotated;
  /// The host's own instructions around the programs of a member, as the 8-byte slots of the ABI. They are trusted as the
  /// host is. r1 points to the arguments, 8 bytes each. Loads, stores, arithmetic and jumps among themselves; no calls.
  struct Code { std::size_t member = 0; std::vector<std::uint64_t> insns; };
  std::vector<Code> prologues;       ///< run before the program; r1 stays as it is
  std::vector<Code> epilogues;       ///< run in the place of every exit of the main function; end with exit
  struct Writable { std::string type; std::size_t off, size; };
  std::vector<Writable> writable;    ///< fields of host structs its programs may write
  /// Arguments declared as pointers to the struct `type` always point to an `as`, which begins with it.
  struct Known { std::string type, as; };
  std::vector<Known> known;
  std::vector<std::uint32_t> helpers;  ///< helper ids beyond the base set
  /// Clients may run programs of the type by hand (BPF_PROG_TEST_RUN). Structs that members get pointers to are then made
  /// of the client's bytes, so kfuncs must take any of them for good. Members that get or give references, or structs with
  /// pointers inside, are refused all the same.
  bool test_run = false;
  /// Helpers of `helpers` that the programs of one member may not call.
  struct Denied { std::size_t member; std::uint32_t helper; };
  std::vector<Denied> denied;
  StructOpsHost* host = nullptr;     ///< outlives the runtime
};

}  // namespace ring3
