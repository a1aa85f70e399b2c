#include "verifier/diag/kernel_log.h"

#include <algorithm>

#include "isa/disassemble.h"
#include "isa/helper_names.h"
#include "verifier/kinds/dynptr.h"

namespace ring3::verifier {
namespace {

/// "_rw": looked at by what follows, written since the checkpoint before.
void append_marks(std::string& out, bool read, bool written) {
  if (!read && !written) return;
  out += '_';
  if (read) out += 'r';
  if (written) out += 'w';
}

/// What of a frame has been looked at.
struct Looked {
  std::uint16_t regs = 0;
  std::uint64_t slots = 0;

  bool reg(unsigned i) const { return (regs >> i & 1) != 0; }
  bool slot(std::size_t i) const { return (slots >> i & 1) != 0; }
};

void append_regs(std::string& out, const Diag& diag, const Program& prog, const FrameState& frame, bool all, const Looked& looked) {
  for (unsigned i = 0; i < isa::kRegCount; ++i) {
    const RegState& reg = frame.regs[i];
    if (reg.kind == RegKind::kNotInit || (!all && (diag.scratched.regs >> i & 1) == 0)) continue;
    out += " R" + std::to_string(i);
    append_marks(out, i != isa::kFrameReg && looked.reg(i), reg.written);
    out += "=" + reg_text(prog, frame, reg);
  }
}

void append_slot(std::string& out, const Program& prog, const FrameState& frame, std::size_t i, bool looked_at) {
  const StackSlot& slot = frame.stack[i];
  if (!slot.holds_anything()) return;
  if (slot.is_object(SlotByte::kIter)) {
    if (!slot.object.first) return;
    std::string_view type = prog.btf_name(slot.object.btf, slot.object.type);
    if (type.starts_with("bpf_")) type.remove_prefix(4);
    out += " fp" + std::to_string(-(static_cast<int>(i) + 1) * kSlotBytes);
    append_marks(out, looked_at, slot.spilled.written);
    out += "=" + std::string(type) + "(ref_id=" + std::to_string(slot.object.ref_obj_id) +
           (slot.object.state == SlotObject::State::kActive ? ",state=active" : ",state=drained") +
           ",depth=" + std::to_string(slot.object.depth) + ")";
    return;
  }
  if (slot.is_object(SlotByte::kDynptr)) {
    if (!slot.object.first) return;
    out += " fp" + std::to_string(-(static_cast<int>(i) + 1) * kSlotBytes);
    append_marks(out, looked_at, slot.spilled.written);
    out += "=dynptr_" + std::string(dynptr_text(slot.object.dynptr));
    if (slot.object.ref_obj_id != 0) out += "(ref_id=" + std::to_string(slot.object.ref_obj_id) + ")";
    return;
  }
  out += " fp" + std::to_string(-(static_cast<int>(i) + 1) * kSlotBytes);
  append_marks(out, looked_at, slot.is_spilled() && slot.spilled.written);
  out += "=";
  // Letters of the bytes above a narrow spill, or of all eight.
  for (SlotByte b : slot.bytes) {
    if (b == SlotByte::kSpill) break;
    out += kSlotLetters[static_cast<std::size_t>(b)];
  }
  if (slot.is_spilled()) out += reg_text(prog, frame, slot.spilled);
}

std::string frame_text(const Diag& diag, const Program& prog, const PathState& path, const FrameState& frame, bool all,
                       const Looked& looked = {}) {
  std::string out;
  if (frame.frameno != 0) out += " frame" + std::to_string(frame.frameno) + ":";
  append_regs(out, diag, prog, frame, all, looked);
  for (std::size_t i = 0; i < frame.stack.size(); ++i)
    if (all || (diag.scratched.slots >> i & 1) != 0) append_slot(out, prog, frame, i, looked.slot(i));
  const char* separator = " refs=";
  for (const Reference& r : path.refs) {
    out += separator + std::to_string(r.id);
    separator = ",";
  }
  if (frame.role == FrameRole::kCallback) out += " cb";
  if (frame.role == FrameRole::kAsyncCallback) out += " async_cb";
  return out;
}

class ProgramNames final : public isa::Names {
 public:
  explicit ProgramNames(const Program& prog) : prog_(prog) {}

  bool call(const isa::Insn& insn, std::string& out) const override {
    if (insn.op == isa::Op::kCallKfunc) {
      const auto& btf = prog_.facts.host_btf;
      const btf::Type* type = insn.off == 0 && btf != nullptr ? btf->type(static_cast<btf::TypeId>(insn.imm)) : nullptr;
      if (type == nullptr || type->kind != btf::Kind::kFunc) return false;
      out = type->name;
      return true;
    }
    return false;
  }

 private:
  const Program& prog_;
};

void log_line(Diag& diag, const Program& prog, std::uint32_t idx) {
  if (idx >= prog.line_of.size() || prog.line_of[idx] == UINT32_MAX) return;
  const std::uint32_t at = prog.line_of[idx];
  if (diag.last_line == at) return;
  diag.last_line = at;
  const LineInfo& line = prog.in.line_info[at];
  std::string_view text = line.line;
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  std::string_view file = line.file;
  if (const std::size_t slash = file.rfind('/'); slash != std::string_view::npos) file.remove_prefix(slash + 1);
  diag.print("; {} @ {}:{}\n", {text, file, line.line_num});
}

}  // namespace

std::string insn_text(const Program& prog, std::uint32_t idx) {
  const ProgramNames names(prog);
  return isa::disassemble(prog.insn(idx), &names);
}

std::string frame_line(const Diag& diag, const Program& prog, const PathState& path, const FrameState& frame, const ValueSet& read) {
  return frame_text(diag, prog, path, frame, true, {read.regs[frame.frameno], read.slots[frame.frameno]});
}

void log_frame(Diag& diag, const Program& prog, const PathState& path, const FrameState& frame, bool all) {
  diag.write(frame_text(diag, prog, path, frame, all) + "\n");
  if (!all) diag.scratched = {};
}

void log_resume(Diag& diag, const Program& prog, const PathState& path) {
  diag.print("\nfrom {} to {}{}:", {path.prev_idx, path.insn_idx, path.speculative ? " (speculative execution)" : ""});
  diag.write(frame_text(diag, prog, path, path.frame(), true) + "\n");
  diag.scratched.all();  // Linux repeats it in front of the instruction
}

void log_resumed_safe(Diag& diag, const PathState& path) {
  diag.print("\nfrom {} to {}{}: safe\n", {path.prev_idx, path.insn_idx, path.speculative ? " (speculative execution)" : ""});
}

void log_insn(Diag& diag, const Program& prog, const PathState& path, std::uint32_t state_idx) {
  if (diag.scratched.any()) {
    diag.write_state(std::to_string(state_idx) + ":", frame_text(diag, prog, path, path.frame(), false));
    diag.scratched = {};
  }
  log_line(diag, prog, path.insn_idx);
  diag.write_insn(std::to_string(path.insn_idx) + ": ", insn_text(prog, path.insn_idx));
}

void log_stats(Diag& diag, const Program& prog, const VerifiedProgram& out) {
  const Stats& stats = out.stats;
  if (diag.wants(kLogStats)) {
    diag.print("verification time {} usec\n", {stats.time_ns / 1000});
    std::string depths;
    const auto add = [&](std::uint32_t bytes) { depths += (depths.empty() ? "" : "+") + std::to_string(bytes); };
    for (const Subprog& sub : out.subprogs) add(sub.shown_stack_bytes);
    if (out.subprogs.empty())  // refused
      for (const SubprogInfo& sub : prog.subprogs) add(sub.stack_bytes);
    diag.print("stack depth {}\n", {depths});
  }
  diag.print("processed {} insns (limit {}) max_states_per_insn {} total_states {} peak_states {} mark_read {}\n",
             {stats.insns_processed, prog.limits.max_insns_processed, stats.max_states_per_insn, stats.states_total,
              stats.states_peak, 0});
}

}  // namespace ring3::verifier
