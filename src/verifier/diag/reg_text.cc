#include "base/text_sink.h"
#include "verifier/diag/kernel_log.h"
#include "verifier/domain/scalar_format.h"

namespace ring3::verifier {
namespace {

/// Items inside the parentheses of one register, comma between.
class Items {
 public:
  StringSink& start(std::string_view key) {
    if (!first_) out_.write(",");
    first_ = false;
    out_.write(key);
    return out_;
  }
  void number(std::string_view key, std::int64_t value) { start(key).write(std::to_string(value)); }
  bool first() const { return first_; }
  void wrote() { first_ = false; }
  StringSink& out() { return out_; }

 private:
  StringSink out_;
  bool first_ = true;
};

bool names_map(RegKind kind) { return kind == RegKind::kMapPtr || kind == RegKind::kMapValue || kind == RegKind::kMapKey; }

std::int64_t fixed_offset(const RegState& reg) { return static_cast<std::int64_t>(reg.val.const_value()) + reg.off; }

void pointer_items(Items& items, const Program& prog, const RegState& reg) {
  if (reg.id != 0) items.number("id=", reg.id);
  if (reg.ref_obj_id != 0) items.number("ref_obj_id=", reg.ref_obj_id);
  if (reg.has(model::kNonOwning)) items.start("non_own_ref");
  if (names_map(reg.kind)) {
    const model::MapFacts& map = *prog.maps[reg.map];
    if (!map.name.empty()) items.start("map=").write(map.name);
    items.number("ks=", map.key_size);
    items.number("vs=", map.value_size);
  }
  if (reg.off != 0) write_signed(items.start("off="), reg.off);
  if (reg.kind == RegKind::kPacket || reg.kind == RegKind::kPacketMeta)
    write_signed(items.start("r="), reg.range);
  if (reg.kind == RegKind::kMem) write_unsigned(items.start("sz="), reg.mem_bytes);
  if (reg.val.is_const()) {
    if (reg.val.const_value() != 0) write_signed(items.start("imm="), static_cast<std::int64_t>(reg.val.const_value()));
  } else if (write_bounds(items.out(), reg.val, items.first())) {
    items.wrote();
  }
}

}  // namespace

std::string reg_text(const Program& prog, const FrameState& frame, const RegState& reg) {
  if (reg.is_scalar()) {
    StringSink out;
    write_scalar(out, reg.val, reg.precise, reg.id, reg.delta_linked ? reg.delta : 0);
    return out.take();
  }
  std::string text = model::kind_text(reg.kind, reg.flags);
  if (reg.kind == RegKind::kStack) {
    if (reg.frameno != frame.frameno) text += "[" + std::to_string(reg.frameno) + "]";
    if (reg.val.is_const()) {
      StringSink number;
      write_signed(number, fixed_offset(reg));
      return text + number.text();
    }
  }
  if (reg.kind == RegKind::kHostStruct) text += prog.btf_name(reg.btf, reg.btf_type);
  Items items;
  pointer_items(items, prog, reg);
  return text + "(" + items.out().text() + ")";
}

}  // namespace ring3::verifier
