#include "prog/core_relocate.h"

#include <fmt/format.h>

#include <bit>
#include <limits>

#include "base/try.h"
#include "btf/core_relo.h"
#include "prog/records.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

using btf::CoreAnswer;

// Opcode fields of the ABI form; instructions are not decoded yet.
constexpr std::uint8_t class_of(const isa::RawInsn& insn) { return insn.code & 0x07; }
constexpr std::uint8_t kClassLd = 0, kClassLdx = 1, kClassSt = 2, kClassStx = 3, kClassAlu = 4, kClassAlu64 = 7;
constexpr std::uint8_t kFromRegister = 0x08, kSizeMask = 0x18, kLdImm64 = 0x18, kCall = 0x85;

constexpr std::uint32_t bytes_of(const isa::RawInsn& insn) {
  constexpr std::uint32_t kBytes[] = {4, 2, 1, 8};
  return kBytes[(insn.code & kSizeMask) >> 3];
}
/// The size field; 0xff: no load has this size.
constexpr std::uint8_t size_field(std::uint32_t bytes) {
  switch (bytes) {
    case 4: return 0x00;
    case 2: return 0x08;
    case 1: return 0x10;
    case 8: return 0x18;
    default: return 0xff;
  }
}

/// Which relocation of which instruction, for the log.
struct Place {
  std::size_t relo;
  std::size_t idx;
  verifier::LogSink& log;

  Errno refuse(Errno e, std::string_view why) const {
    log.write(fmt::format("CO-RE relocation #{} of instruction {}: {}\n", relo, idx, why));
    return e;
  }
};

bool is_wide(std::span<const isa::RawInsn> insns, std::size_t idx) {
  return insns[idx].code == kLdImm64 && idx + 1 < insns.size();
}

void poison(std::span<isa::RawInsn> insns, std::size_t idx) {
  const std::size_t count = is_wide(insns, idx) ? 2 : 1;
  for (std::size_t i = idx; i < idx + count; ++i) insns[i] = {.code = kCall, .dst = 0, .src = 0, .off = 0, .imm = kPoisonedHelper};
}

Result<void> check_local(const CoreAnswer& answer, std::uint64_t holds, const Place& place) {
  if (!answer.check_local || holds == answer.local) return {};
  return place.refuse(Errno::kInval, fmt::format("the instruction holds {}, the record means {}", holds, answer.local));
}

Result<void> patch_immediate(isa::RawInsn& insn, const CoreAnswer& answer, const Place& place) {
  if ((insn.code & kFromRegister) != 0) return place.refuse(Errno::kInval, "the instruction has no immediate");
  // The compiler's value is compared as the 32 bits that stand there.
  CoreAnswer low = answer;
  low.local = static_cast<std::uint32_t>(answer.local);
  RING3_TRY(check_local(low, static_cast<std::uint32_t>(insn.imm), place));
  insn.imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(answer.target));
  return {};
}

Result<void> patch_memory(std::span<isa::RawInsn> insns, std::size_t idx, const CoreAnswer& answer, const Place& place) {
  isa::RawInsn& insn = insns[idx];
  RING3_TRY(check_local(answer, static_cast<std::uint64_t>(std::int64_t{insn.off}), place));
  if (answer.target > static_cast<std::uint64_t>(std::numeric_limits<std::int16_t>::max()))
    return place.refuse(Errno::kRange, fmt::format("offset {} does not fit an instruction", answer.target));
  if (!answer.resizable) {
    place.log.write(fmt::format("CO-RE relocation #{} of instruction {}: the field has another size here, and only pointers and unsigned integers "
                                "can be read by another load; the instruction must not be reached\n",
                                place.relo, place.idx));
    return poison(insns, idx), Result<void>();
  }
  insn.off = static_cast<std::int16_t>(answer.target);
  if (answer.local_bytes == answer.target_bytes) return {};
  const std::uint8_t size = size_field(answer.target_bytes);
  if (bytes_of(insn) != answer.local_bytes || size == 0xff)
    return place.refuse(Errno::kInval, fmt::format("an access of {} bytes to a field that has {}, and {} in the program's types",
                                                   bytes_of(insn), answer.target_bytes, answer.local_bytes));
  insn.code = static_cast<std::uint8_t>((insn.code & ~kSizeMask) | size);
  return {};
}

Result<void> patch_wide(std::span<isa::RawInsn> insns, std::size_t idx, const CoreAnswer& answer, const Place& place) {
  isa::RawInsn &low = insns[idx], &high = insns[idx + 1];
  if (low.src != 0 || low.off != 0 || high.code != 0 || high.dst != 0 || high.src != 0 || high.off != 0)
    return place.refuse(Errno::kInval, "a wide immediate that stands for something else");
  const std::uint64_t holds = static_cast<std::uint32_t>(low.imm) | std::uint64_t{static_cast<std::uint32_t>(high.imm)} << 32;
  RING3_TRY(check_local(answer, holds, place));
  low.imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(answer.target));
  high.imm = static_cast<std::int32_t>(static_cast<std::uint32_t>(answer.target >> 32));
  return {};
}

Result<void> patch(std::span<isa::RawInsn> insns, std::size_t idx, const CoreAnswer& answer, const Place& place) {
  switch (class_of(insns[idx])) {
    case kClassAlu:
    case kClassAlu64:
      return patch_immediate(insns[idx], answer, place);
    case kClassLdx:
    case kClassSt:
    case kClassStx:
      return patch_memory(insns, idx, answer, place);
    case kClassLd:
      if (is_wide(insns, idx)) return patch_wide(insns, idx, answer, place);
      [[fallthrough]];
    default:
      return place.refuse(Errno::kInval, fmt::format("no relocation for code {:#x}", insns[idx].code));
  }
}

Result<void> apply(LoadRequest& request, const uapi::bpf_core_relo& record, btf::CoreResolver& resolver, const Place& place) {
  const btf::Btf& btf = *request.btf->btf();
  if (record.kind >= btf::kCoreKinds) return place.refuse(Errno::kInval, fmt::format("unknown kind {}", static_cast<unsigned>(record.kind)));
  if (record.access_str_off >= btf.string_bytes()) return place.refuse(Errno::kInval, "bad string offset");
  StringSink why;
  Result<CoreAnswer> answer = resolver.resolve(
      {record.type_id, btf.string_at(record.access_str_off), static_cast<btf::CoreKind>(record.kind)}, why);
  if (!answer.ok()) return place.refuse(answer.error(), why.text().empty() ? "cannot be answered" : why.text());
  if (!answer->poison) return patch(request.insns, place.idx, *answer, place);
  const std::string_view name = btf.type(record.type_id)->name;
  place.log.write(fmt::format("CO-RE relocation #{} of instruction {}: the host has no match for '{}' access '{}'; the instruction "
                              "must not be reached\n",
                              place.relo, place.idx, name, btf.string_at(record.access_str_off)));
  poison(request.insns, place.idx);
  return {};
}

}  // namespace

Result<void> relocate_core(LoadRequest& request, const btf::Btf& host, verifier::LogSink& log) {
  static_assert(std::endian::native == std::endian::little, "shifts of bitfields");
  const auto records =
      RING3_TRY(split_records<uapi::bpf_core_relo>(request.core_relos, request.core_relo_rec_size, "core_relo", log));
  if (!request.btf || (request.func_info.empty() && request.line_info.empty())) {
    log.write("CO-RE relocations need the program's BTF and function or line info\n");
    return Errno::kInval;
  }
  btf::CoreResolver resolver(*request.btf->btf(), host);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const Place place{.relo = i, .idx = records[i].insn_off / 8, .log = log};
    if (records[i].insn_off % 8 != 0 || place.idx >= request.insns.size())
      return place.refuse(Errno::kInval, fmt::format("instruction offset {} is not in the program", records[i].insn_off));
    RING3_TRY(apply(request, records[i], resolver, place));
  }
  return {};
}

}  // namespace ring3::prog
