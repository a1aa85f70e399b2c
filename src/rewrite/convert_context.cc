// Packet pointers are loaded from where they are at full width (packet_record.h). Everything else a context
// shows is in place already: other fields of packet contexts, the 64-bit slots of struct_ops and tracing, the
// plain memory of syscall programs.
//
// A process has none of the kernel's sockets (exec/helpers/network.cc): a context's socket that may be null is null, and
// what would be read through a socket is 0 without looking at the pointer. Contexts that promise one are refused.
// What a map was made with (verifier/kinds/map_fields.cc) is put in the place of the load.
#include <string_view>

#include "model/ctx_layout.h"
#include "rewrite/packet_record.h"
#include "rewrite/passes.h"

namespace ring3::rewrite {
namespace {

/// Two pointers at full width, as the ABI has them.
constexpr std::string_view kNetfilterContext = "bpf_nf_ctx";

bool is_socket(model::RegKind kind) {
  using enum model::RegKind;
  return kind == kSocket || kind == kSockCommon || kind == kTcpSock || kind == kXdpSock;
}

void load_zero(isa::Insn& load) { load = isa::Insn{.op = isa::Op::kMov, .bits = 64, .dst = load.dst, .imm = 0}; }

/// Of 32 bits.
void load_number(isa::Insn& load, std::int64_t number) {
  load = isa::Insn{.op = isa::Op::kMov, .bits = 32, .dst = load.dst, .imm = static_cast<std::int32_t>(number)};
}

void load_pointer(isa::Insn& load, std::size_t off) {
  load.size = 8;
  load.off = static_cast<std::int16_t>(off);
}

Result<void> convert(Rewriting& r, std::uint32_t idx, const model::CtxField& field) {
  isa::Insn& insn = r.copy.at(idx);
  const model::RegKind yields = field.kind;
  if (is_socket(yields) && (field.flags & model::kMaybeNull) != 0 && insn.op == isa::Op::kLoad) {
    load_zero(insn);
    return {};
  }
  std::size_t off = 0;
  if (yields == model::RegKind::kPacket)
    off = offsetof(PacketRecord, data);
  else if (yields == model::RegKind::kPacketEnd)
    off = offsetof(PacketRecord, data_end);
  else if (yields == model::RegKind::kPacketMeta)
    off = offsetof(PacketRecord, data_meta);
  else if (yields == model::RegKind::kFlowKeys)
    off = offsetof(PacketRecord, flow_keys);
  else if (yields == model::RegKind::kScalar || (yields == model::RegKind::kHostStruct && field.ctx == kNetfilterContext))
    return {};
  else
    return r.refuse(Errno::kNotSupp, idx, "a context pointer nothing stands behind");
  if (insn.op != isa::Op::kLoad) return r.refuse(Errno::kInval, idx, "packet pointers are only loaded");
  load_pointer(insn, off);
  return {};
}

}  // namespace

Result<void> convert_context(Rewriting& r) {
  const auto fields = model::ctx_fields();
  for (std::uint32_t idx = 0; idx < r.copy.size(); ++idx) {
    if (r.copy.removed(idx)) continue;
    const verifier::InsnFacts& facts = r.facts(idx);
    if (facts.access == model::AccessKind::kSocket) {
      if (r.copy.at(idx).op != isa::Op::kLoad && r.copy.at(idx).op != isa::Op::kLoadSx)
        return r.refuse(Errno::kInval, idx, "sockets are only read");
      if ((facts.const_args_known & 1) != 0) load_number(r.copy.at(idx), facts.const_arg[0]);
      else load_zero(r.copy.at(idx));
      continue;
    }
    if (facts.access != model::AccessKind::kCtx || facts.ctx_row == model::kNoCtxRow) continue;
    if (facts.ctx_row >= fields.size()) return r.refuse(Errno::kInval, idx, "a context field that was not resolved");
    if (Result<void> done = convert(r, idx, fields[facts.ctx_row]); !done) return done;
  }
  return {};
}

}  // namespace ring3::rewrite
