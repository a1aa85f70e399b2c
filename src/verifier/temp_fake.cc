#include "verifier/verifier.h"
namespace ring3::verifier {
Result<VerifiedProgram> verify(const ProgramInput& in, const model::Facts& facts, const Limits&, LogSink& log) {
  VerifiedProgram v;
  v.insns.resize(in.insns.size());
  for (std::uint32_t i = 0; i < in.insns.size(); ++i) {
    v.insns[i].reachable = true;
    if (in.insns[i].op == isa::Op::kCallKfunc) {
      for (std::uint32_t k = 0; k < facts.kfuncs.size(); ++k)
        if (facts.kfuncs[k].func == static_cast<btf::TypeId>(in.insns[i].imm)) { v.insns[i].kfunc = static_cast<std::uint32_t>(v.kfuncs.size()); v.kfuncs.push_back({k}); }
    }
  }
  Subprog s; s.start_idx = 0; s.end_idx = static_cast<std::uint32_t>(in.insns.size());
  v.subprogs.push_back(s);
  log.write("processed fake\n");
  return v;
}
}
