// What the equations over all instructions (liveness) are solved with: each instruction is looked at again when one it depends on
// changed, and not otherwise. Passes over the whole program until nothing changes would take time in the square of its length, for
// programs whose blocks stand in the wrong order.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "verifier/flow/flow.h"

namespace ring3::verifier {

/// Instructions to look at, each once at a time; the last added first.
class Worklist {
 public:
  explicit Worklist(std::size_t insns) : waits_(insns, 0) {}
  void add(std::uint32_t idx) {
    if (waits_[idx] != 0) return;
    waits_[idx] = 1;
    left_.push_back(idx);
  }
  bool empty() const { return left_.empty(); }
  std::uint32_t take() {
    const std::uint32_t idx = left_.back();
    left_.pop_back();
    waits_[idx] = 0;
    return idx;
  }

 private:
  std::vector<std::uint8_t> waits_;
  std::vector<std::uint32_t> left_;
};

/// Which instructions lead to an instruction inside its function; with_calls: and which call it.
class Predecessors {
 public:
  Predecessors(const Program& prog, bool with_calls) : first_(prog.size() + 2, 0) {
    // Counted first, then put in their places.
    each_edge(prog, with_calls, [this](std::uint32_t, std::uint32_t to) { ++first_[to + 2]; });
    for (std::size_t i = 2; i < first_.size(); ++i) first_[i] += first_[i - 1];
    from_.resize(first_.back());
    each_edge(prog, with_calls, [this](std::uint32_t from, std::uint32_t to) { from_[first_[to + 1]++] = from; });
  }
  std::span<const std::uint32_t> of(std::uint32_t idx) const {
    return std::span(from_).subspan(first_[idx], first_[idx + 1] - first_[idx]);
  }

 private:
  template <typename Visit>
  static void each_edge(const Program& prog, bool with_calls, Visit&& visit) {
    for (std::uint32_t i = 0; i < prog.size(); ++i) {
      const isa::Insn& insn = prog.insn(i);
      if (insn.op == isa::Op::kLdImm64Hi) continue;
      const Successors next = successors(prog, i);
      for (unsigned e = 0; e < next.count; ++e) visit(i, next.next[e]);
      if (with_calls && insn.op == isa::Op::kCallSubprog) visit(i, static_cast<std::uint32_t>(std::int64_t{i} + 1 + insn.jump));
    }
  }

  std::vector<std::uint32_t> first_;  // of each instruction's, in from_
  std::vector<std::uint32_t> from_;
};

}  // namespace ring3::verifier
