// Which functions may change the packet: addresses into it that their callers hold are worth nothing afterwards.
//
// Soundness: a static function is walked at its calls and forgets such addresses where it changes the packet. A global function
// is walked apart, so its callers go by this: whoever names a function that changes the packet, as what it calls or as a callback
// of its own, changes it too. A tail call counts, since what it leads to returns to the caller; so does writing through a dynptr,
// of which only the walk knows whether it is a packet.
#include "model/helper.h"
#include "verifier/flow/flow.h"

namespace ring3::verifier {
namespace {

bool changes_packet(const isa::Insn& insn) {
  if (insn.op != isa::Op::kCallHelper) return false;
  const model::HelperProto* proto = model::find_helper(static_cast<std::uint32_t>(insn.imm));
  constexpr std::uint32_t kChanges = model::kHelperChangesPacket | model::kHelperMaybeChangesPacket | model::kHelperTailCall;
  return proto == nullptr || (proto->flags & kChanges) != 0;
}

}  // namespace

void find_packet_changes(Program& prog) {
  for (std::uint32_t i = 0; i < prog.size(); ++i)
    if (changes_packet(prog.insn(i))) prog.subprogs[prog.subprog_at(i)].changes_packet = true;
  for (bool again = true; again;) {
    again = false;
    for (std::uint32_t i = 0; i < prog.size(); ++i) {
      const std::uint32_t named = named_subprog(prog, i);
      if (named == UINT32_MAX || !prog.subprogs[named].changes_packet) continue;
      SubprogInfo& user = prog.subprogs[prog.subprog_at(i)];
      again |= !user.changes_packet;
      user.changes_packet = true;
    }
  }
}

}  // namespace ring3::verifier
