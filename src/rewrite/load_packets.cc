// r0 = skb[off]: bytes of a packet in network order, of old. The context is in r6; outside of the packet the function
// ends with 0. Every tier sees a call of a helper no program can name, which answers below zero for "outside".
#include <vector>

#include "base/try.h"
#include "rewrite/passes.h"

namespace ring3::rewrite {
namespace {

using isa::Insn;
using isa::Op;

constexpr std::uint8_t kContextReg = 6;

std::vector<Insn> sequence_for(const Insn& load, std::uint32_t helper) {
  std::vector<Insn> out;
  if (load.op == Op::kLdInd) {
    out.push_back({.op = Op::kMov, .bits = 32, .src_is_reg = true, .dst = 2, .src = load.src});
    out.push_back({.op = Op::kAdd, .bits = 32, .dst = 2, .imm = load.imm});
  } else {
    out.push_back({.op = Op::kMov, .bits = 32, .dst = 2, .imm = load.imm});
  }
  out.push_back({.op = Op::kMov, .bits = 64, .src_is_reg = true, .dst = 1, .src = kContextReg});
  out.push_back({.op = Op::kCallHelper, .bits = 64, .imm = helper});
  out.push_back({.op = Op::kJsge, .bits = 64, .dst = 0, .jump = 2});  // to what follows the load
  out.push_back({.op = Op::kMov, .bits = 64, .dst = 0, .imm = 0});
  out.push_back({.op = Op::kExit, .bits = 64});
  return out;
}

}  // namespace

Result<void> load_packets(Rewriting& r) {
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    const Insn& load = r.copy.at(idx);
    if (r.copy.removed(idx) || (load.op != Op::kLdAbs && load.op != Op::kLdInd)) continue;
    const std::uint32_t helper = RING3_TRY(helper_index(r, idx, kPacketLoadHelper | load.size));
    r.copy.replace(idx, sequence_for(load, helper));
  }
  return {};
}

}  // namespace ring3::rewrite
