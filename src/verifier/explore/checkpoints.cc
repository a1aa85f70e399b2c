#include "verifier/explore/checkpoints.h"

#include <algorithm>
#include <memory>
#include <new>

#include "verifier/explore/states_equal.h"
#include "verifier/precision/backtrack.h"

namespace ring3::verifier {

Checkpoints::~Checkpoints() {
  while (last_ != nullptr) {
    Checkpoint* checkpoint = last_;
    last_ = checkpoint->made_before;
    checkpoint->~Checkpoint();  // gives its frames back
  }
}

Checkpoint* Checkpoints::add(std::uint32_t idx, PathState&& state, std::span<const HistoryEntry> history) {
  auto* kept = static_cast<HistoryEntry*>(memory_.allocate(history.size_bytes(), alignof(HistoryEntry)));
  std::uninitialized_copy(history.begin(), history.end(), kept);
  auto* checkpoint = new (memory_.allocate(sizeof(Checkpoint), alignof(Checkpoint)))
      Checkpoint{.state = std::move(state), .history = {kept, history.size()}, .made_before = last_};
  last_ = checkpoint;
  ++total_;
  if (checkpoint->state.parent != nullptr) checkpoint->depth = checkpoint->state.parent->depth + 1;
  at_[idx].push_back(checkpoint);
  most_ = std::max(most_, static_cast<std::uint32_t>(at_[idx].size()));
  return checkpoint;
}

void Checkpoints::path_ended(Checkpoint* from) {
  bool header_completed = false;
  while (from != nullptr && --from->open_paths == 0) {
    header_completed |= from->loop_header == from;
    if (from->resting) {  // from now on it covers paths by numbers nothing relied on
      from->resting = false;
      from->misses = 0;
      at_[from->state.insn_idx].push_back(from);
    }
    from = from->state.parent;
  }
  if (header_completed) settle();
}

bool Checkpoints::is_settled(const Checkpoint& checkpoint) {
  const Checkpoint* c = &checkpoint;
  if (c->open_paths > 0) return false;
  while (c->loop_header != nullptr && c->loop_header != c) {
    c = c->loop_header;
    if (c->open_paths > 0) return false;
  }
  return true;
}

void Checkpoints::add_back_edge(Checkpoint* header, PathState&& path) {
  // The outermost incomplete header the path is in: the header itself, or the one of the loop it belongs to.
  Checkpoint* outer = header;
  while (outer->loop_header != nullptr && outer->loop_header != outer) outer = outer->loop_header;
  outer->loop_header = outer;
  for (Checkpoint* c = path.parent; c != nullptr && c != outer && c->depth > outer->depth; c = c->state.parent)
    if (c->loop_header == nullptr || c->loop_header->depth > outer->depth) c->loop_header = outer;
  back_edges_.push_back({header, std::move(path)});
}

void Checkpoints::pass_on_precision(const Program& prog, Diag& diag, const PathState& covering, PathState& path) {
  ValueSet wanted;
  std::string shown;
  const auto show = [&](std::uint32_t frame, const char* what, int number) {
    if (!diag.wants(kLogStates)) return;
    shown += shown.empty() ? "frame " + std::to_string(frame) + ": propagating " : ",";
    shown += what + std::to_string(number);
  };
  for (std::uint32_t f = 0; f < covering.frames.size(); ++f) {
    const FrameState& frame = *covering.frames[f];
    const FrameState& own = *path.frames[f];
    const std::uint16_t live = live_regs(prog, covering, f);
    for (unsigned r = 0; r < isa::kRegCount; ++r)
      if ((live >> r & 1) != 0 && frame.regs[r].is_scalar() && frame.regs[r].precise && own.regs[r].is_scalar()) {
        wanted.regs[f] = static_cast<std::uint16_t>(wanted.regs[f] | 1u << r);
        show(f, "r", static_cast<int>(r));
      }
    for (std::size_t s = 0; s < frame.stack.size() && s < own.stack.size(); ++s)
      if (frame.stack[s].is_spilled() && frame.stack[s].spilled.is_scalar() && frame.stack[s].spilled.precise) {
        wanted.slots[f] |= std::uint64_t{1} << s;
        show(f, "fp", -static_cast<int>(s + 1) * kSlotBytes);
      }
    if (!shown.empty()) diag.write(shown + "\n");
    shown.clear();
  }
  if (!wanted.empty()) mark_chain_precise(prog, diag, path, wanted, true);
}

void Checkpoints::note_read(PathState& path, std::uint32_t frame, std::uint16_t regs, std::uint64_t slots) {
  PathState* at = &path;
  while (true) {
    regs = static_cast<std::uint16_t>(regs & ~at->written.regs[frame]);
    slots &= ~at->written.slots[frame];
    Checkpoint* from = at->parent;
    if (from == nullptr) return;
    regs = static_cast<std::uint16_t>(regs & ~from->read.regs[frame]);
    slots &= ~from->read.slots[frame];
    if (regs == 0 && slots == 0) return;
    from->read.add_regs(frame, regs);
    from->read.add_slots(frame, slots);
    at = &from->state;
  }
}

void Checkpoints::pass_on_reads(const ValueSet& read, PathState& path) {
  for (std::uint32_t f = 0; f < path.frames.size(); ++f) note_read(path, f, read.regs[f], read.slots[f]);
}

std::uint64_t Checkpoints::bytes() const {
  std::uint64_t sum = memory_.bytes() + back_edges_.size() * sizeof(BackEdge);
  for (const BackEdge& edge : back_edges_) sum += edge.path.history.capacity() * sizeof(HistoryEntry);
  return sum;
}

void Checkpoints::settle() {
  const auto count_precise = [this] {
    std::uint64_t n = 0;
    for (BackEdge& edge : back_edges_)
      edge.header->state.for_each_reg([&](RegState& reg) { n += reg.precise ? 1u : 0u; });
    return n;
  };
  for (std::uint64_t before = 0, now = count_precise(); before != now; now = count_precise()) {
    before = now;
    for (BackEdge& edge : back_edges_) pass_on_precision(prog_, diag_, edge.header->state, edge.path);
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (BackEdge& edge : back_edges_) {
      const ValueSet before = edge.header->read;
      pass_on_reads(before, edge.path);
      changed |= !(edge.header->read == before) || !(edge.passed_on == before);
      edge.passed_on = before;
    }
  }
}

}  // namespace ring3::verifier
