// Facts as data: everything the verifier may know about the world. A Facts is immutable once a load
// uses it: a registration makes a new one and publishes it (the runtime holds the newest).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "btf/btf.h"
#include "isa/insn.h"
#include "model/fields.h"
#include "model/program_facts.h"
#include "uapi/bpf.h"

namespace ring3 {
struct WeakType;  // object/weak_table.h
}

namespace ring3::model {

/// What a client may do: the four capability bits of behaviour.md 0.1.8.
struct Rights {
  bool bpf = false;
  bool perfmon = false;
  bool net_admin = false;
  bool sys_admin = false;
  /// Given up by the client itself, whatever it may do otherwise: addresses stay addresses, and nothing is read that was not
  /// written. What a program with these rights computes does not depend on where things lie.
  bool keeps_addresses = false;
  static Rights all() { return {true, true, true, true, false}; }
  bool has_bpf() const { return bpf || sys_admin; }
  bool has_perfmon() const { return perfmon || sys_admin; }
};

/// What a memory access touches, for rewrite/.
enum class AccessKind : std::uint8_t {
  kNone, kStack, kCtx, kMapValue, kPacket, kMem, kHostStruct, kUntrusted /* faulting read */, kArena, kSocket,
};

/// A map as the verifier sees it.
struct MapFacts {
  std::uint32_t id = 0;  // identity: equal ids are the same map
  std::uint32_t type = 0;  // enum bpf_map_type
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::uint32_t max_entries = 0;
  std::uint32_t flags = 0;
  std::string name;
  bool frozen = false;
  bool client_read_only = false;           // the descriptor given at load may not write (behaviour.md B.11.1)
  bool client_write_only = false;
  std::shared_ptr<const btf::Btf> btf;
  btf::TypeId key_type = 0;
  btf::TypeId value_type = 0;
  FieldTable fields;
  std::shared_ptr<const MapFacts> inner;   // map-in-map: the template
  /// Frozen read-only memory whose content is constant for the verifier; empty otherwise.
  std::span<const std::byte> constant_value;

  /// By the map's flags and by the descriptor it was given by.
  bool programs_may_write() const { return (flags & uapi::BPF_F_RDONLY_PROG) == 0 && !client_read_only; }
  bool programs_may_read() const { return (flags & uapi::BPF_F_WRONLY_PROG) == 0 && !client_write_only; }
};

enum KfuncFlag : std::uint32_t {
  kKfuncAcquire = 1 << 0,
  kKfuncRelease = 1 << 1,
  kKfuncRetNull = 1 << 2,
  kKfuncTrustedArgs = 1 << 4,
  kKfuncSleepable = 1 << 5,
  kKfuncDestructive = 1 << 6,
  kKfuncRcu = 1 << 7,
  kKfuncIterNew = 1 << 8,
  kKfuncIterNext = 1 << 9,
  kKfuncIterDestroy = 1 << 10,
  kKfuncRcuProtected = 1 << 11,
  kKfuncFastcall = 1 << 12,
};

/// A host function programs may call.
struct Kfunc {
  std::string name;
  std::shared_ptr<const btf::Btf> btf;  // the BTF that holds its FUNC
  btf::TypeId func = 0;
  std::uint32_t flags = 0;
  std::uint64_t prog_types = ~0ull;     // bit per enum bpf_prog_type
  void* address = nullptr;              // C function, u64 registers
  bool with_run = false;                // … and the run as the sixth: one of Linux's own, which exec/ implements
};
struct KfuncRef { std::uint32_t index; };  // into Facts::kfuncs

/// A variable of the host that programs may read: a VAR of its BTF. A per-CPU one is as many copies as there are possible CPUs.
struct HostVariable {
  std::string name;
  btf::TypeId var = 0;
  const void* first = nullptr;
  std::uint32_t stride_bytes = 0;    // per CPU: from one copy to the next; 0: there is one
  bool percpu() const { return stride_bytes != 0; }
};

/// A host's function on one of its objects, whatever its C++ signature is. False: it refused.
struct ObjectCall {
  void (*fn)() = nullptr;
  bool (*call)(void (*fn)(), void* object) = nullptr;

  explicit operator bool() const { return call != nullptr; }
  bool operator()(void* object) const { return call(fn, object); }
};

/// A host struct type objects of which may be owned by programs.
struct KptrType {
  std::string name;
  std::shared_ptr<const btf::Btf> btf;
  btf::TypeId type = 0;
  bool rcu_safe = false;
  bool release_may_sleep = false;       // then it is given back on a thread of the runtime's own
  ObjectCall acquire;                   // one more reference; empty: only kfuncs give them
  ObjectCall release;                   // destructor of one reference
  const WeakType* weak = nullptr;       // how weak slots hold it, for the runtime's life; null: there are none
  /// Writes what identifies an object, as snprintf does; null: its address does.
  int (*print)(void (*fn)(), const void* object, char* text, std::size_t bytes) = nullptr;
  void (*print_fn)() = nullptr;
  std::vector<btf::TypeId> reaches;     // host structs that an object may hold references to
};

/// A registered struct_ops type, as far as verification goes.
struct StructOpsMember {
  std::string name;
  btf::TypeId proto = 0;                // FUNC_PROTO, 0 for a data member
  bool supported = false;               // has a stub
  bool sleepable_allowed = false;
  std::uint32_t nullable_args = 0;      // bit per argument: __nullable
  std::uint32_t ref_args = 0;           // bit per argument: __ref
  std::vector<std::uint32_t> denied_helpers;  // of the type's, those this member's programs may not call
  // The host's own code around its programs, ready to run: r1 points to the arguments in both.
  std::vector<isa::Insn> prologue;
  std::vector<isa::Insn> epilogue;      // ends with exit
};
struct WritableField { std::string type_name; std::uint32_t off, size; };
/// Arguments that are declared as pointers to one struct and always point to another, which begins with it.
struct KnownArgument { btf::TypeId declared, is; };
struct StructOpsType {
  std::string name;
  std::shared_ptr<const btf::Btf> btf;
  btf::TypeId type = 0;
  std::vector<StructOpsMember> members;
  std::vector<WritableField> writable;  // fields of host structs its programs may write
  bool test_run = false;                // clients may run its programs by hand
  std::vector<KnownArgument> known_args;
  std::vector<std::uint32_t> allowed_helpers;  // beyond the base set
};

/// What a program attaches to.
struct AttachTarget {
  enum class Kind : std::uint8_t { kNone, kStructOpsMember, kFunction, kProgramFunction } kind = Kind::kNone;
  std::shared_ptr<const btf::Btf> btf;
  btf::TypeId type = 0;                 // attach_btf_id
  const StructOpsType* ops = nullptr;   // kStructOpsMember …
  std::uint32_t member = 0;
  std::shared_ptr<const ProgramFacts> program;  // kProgramFunction: whose function, in whose BTF `type` is
};

/// What a host says of a pointer in one of its structs, beyond the pointer's type.
enum class MemberTrust : std::uint8_t {
  kUnknown,
  kTrusted,        // valid as long as the struct is
  kTrustedOrNull,
  kRcu,            // valid for a read section
  kRcuOrNull,
};
struct MemberTrustRow {
  std::string type_name, member;
  MemberTrust trust;
};

struct Facts {
  std::shared_ptr<const btf::Btf> host_btf;
  std::vector<Kfunc> kfuncs;
  /// Functions and variables of the types are there, though nobody knows where: programs are judged, and those that name one
  /// do not run.
  bool types_alone = false;
  std::uint32_t possible_cpus = 0;  // 0: not known
  std::vector<std::shared_ptr<const HostVariable>> variables;  // each stays where it is: per-CPU ones are named by their address
  std::vector<KptrType> kptr_types;
  std::vector<std::shared_ptr<const StructOpsType>> struct_ops;
  std::vector<MemberTrustRow> member_trust;

  MemberTrust trust_of(std::string_view type_name, std::string_view member_name) const {
    for (const MemberTrustRow& row : member_trust)
      if (row.type_name == type_name && row.member == member_name) return row.trust;
    return MemberTrust::kUnknown;
  }
};

}  // namespace ring3::model
