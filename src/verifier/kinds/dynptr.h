// Dynptrs: bounds-checked views of memory whose size only the host knows, kept in two slots of the program's stack.
//
// Kinds: local (a map value), ringbuf (a reservation, owned until it is submitted or discarded), skb and xdp (the packet).
// A pointer to a dynptr's memory (a slice) carries the dynptr's id, and a ringbuf's reference.
//
// Soundness
//   - Slots that hold a dynptr are believed only while all 16 bytes are untouched: any store into them forgets the dynptr and
//     its slices, and is refused when that would lose a reservation. Helpers never write over one.
//   - Slices of a packet are forgotten with the packet pointers when the packet may change. A dynptr of unknown kind (the
//     argument of a global function) counts as one of a packet.
//   - A slice of a packet may be a copy in the buffer that the call was given. On the stack that buffer is known for what it is
//     (RegState::lent_stack()): writes through the slice count as writes to it. The slice ends when the buffer does.
//   - A clone shares the reference of what it was cloned from; giving that back forgets all of them, in every frame.
#pragma once

#include "model/helper.h"
#include "verifier/verification.h"

namespace ring3::verifier {

/// What a call was told by the initialised dynptr among its arguments.
struct DynptrUse {
  model::DynptrKind kind = model::kDynptrAny;
  std::uint32_t id = 0;         // 0: the call has none
  std::uint32_t ref_obj_id = 0;
};

inline bool is_packet_dynptr(model::DynptrKind kind) {
  return kind == model::kDynptrSkb || kind == model::kDynptrXdp || kind == model::kDynptrAny;
}

/// The register points to an initialised dynptr of a kind (kDynptrAny: of whatever kind).
Result<DynptrUse> use_dynptr(Step& step, unsigned regno, model::DynptrKind wanted);
/// The register points to 16 bytes of stack where the call makes a dynptr. clone_of: reference a clone shares; 0: a ringbuf
/// dynptr acquires its own.
Result<void> make_dynptr(Step& step, unsigned regno, model::DynptrKind kind, std::uint32_t clone_of);
/// The dynptr in the register's stack slots is one the path owns.
Result<void> check_owned_dynptr(Step& step, unsigned regno);
/// Ends the reservation behind a ringbuf dynptr, its clones and slices.
Result<void> release_dynptr(Step& step, std::uint32_t ref_obj_id);
/// A store is about to hit this stack slot.
Result<void> overwrite_dynptr(Step& step, std::uint32_t frameno, std::uint32_t slot);
/// r0 becomes a slice: memory of the dynptr, or null.
void set_slice(Step& step, const DynptrUse& dynptr, std::uint32_t bytes, bool read_only);
/// The argument of a callback or of a global function.
void set_constant_dynptr(Step& step, RegState& reg, model::DynptrKind kind);

std::string_view dynptr_text(model::DynptrKind kind);

}  // namespace ring3::verifier
