// Objects the program makes itself (bpf_obj_new), and the special fields of what a register points to.
//
// An object pointer is a kHostStruct with kAllocObj whose type is in the BTF of the program, or of a map it uses:
//   owning       it has a reference, which some call must take
//   non-owning   kNonOwning: the object is in a collection; valid until the lock is given back
//   RCU          kRcuPtr: read out of a kptr field; valid while the read section lasts
//   else         kUntrusted: of no use any more
// Valid ones may be read and written, except for their special fields. A pointer loaded out of one is a number.
#pragma once

#include "verifier/verification.h"

namespace ring3::verifier {

/// Valid object memory, one copy of it.
bool is_object(const RegState& reg);
/// An owning pointer as functions take it: not null, neither non-owning nor RCU.
bool is_owning_object(const RegState& reg);
/// Of the host's types, not of a program's.
bool is_host_type(const Program& prog, const RegState& reg);
bool is_host_btf(const Program& prog, const btf::Btf* btf);

/// The special fields of the struct, in the BTF `btf` of Program::btfs; null: they are declared wrongly (the program is told
/// when it makes one). Of host types there are none.
const model::FieldTable* fields_of_type(Program& prog, std::uint32_t btf, btf::TypeId type);
/// Special fields of the map value or object that the register points to; empty for other kinds.
const model::FieldTable& fields_of(Program& prog, const RegState& reg);
/// The pointer names the instance of a lock: its id must survive.
bool may_hold_lock(Program& prog, const RegState& reg);

/// A load or store of an object touches no special field.
Result<void> check_object_fields(Step& step, const RegState& reg, std::int32_t off, std::uint32_t size);

/// Records that the instruction works on objects of this type. Two types on one instruction are refused, unless it ends them:
/// then all are noted, or of per-CPU objects the first.
enum class ObjectUse : std::uint8_t { kOther, kEnd };
Result<void> note_object(Step& step, std::uint32_t btf, btf::TypeId type, bool percpu, ObjectUse use = ObjectUse::kOther);

/// "bpf_list_head", as the kernel's log names a kind of field.
const char* field_struct(model::FieldKind kind);

}  // namespace ring3::verifier
