#include "prog/machine_code.h"

#include <algorithm>
#include <cstring>

#include "object/rcu.h"

namespace ring3::prog {
namespace {

/// Where instruction i begins. The first of a function begins with the function: libbpf matches the two.
std::uint64_t address_of(const exec::CodeListing& code, std::size_t i) {
  const auto offset = code.insn_offset[i];
  const auto after = std::upper_bound(code.function_offset.begin(), code.function_offset.end(), offset);
  if (after == code.function_offset.begin()) return offset;
  const auto start = *(after - 1);
  return i == 0 || code.insn_offset[i - 1] < start ? start : offset;
}

/// A record starts with the index of its instruction. Of a removed one the address is that of what follows.
std::vector<std::uint64_t> line_addresses(const ProgramAbout& about, const exec::CodeListing& code, std::uint64_t base) {
  std::vector<std::uint64_t> out;
  const std::size_t record_bytes = about.line_info_rec_size;
  for (std::size_t at = 0; record_bytes >= 4 && at + record_bytes <= about.line_info.size(); at += record_bytes) {
    std::uint32_t idx = 0;
    std::memcpy(&idx, about.line_info.data() + at, sizeof idx);
    const auto next = std::lower_bound(code.original_idx.begin(), code.original_idx.end(), idx);
    const auto i = static_cast<std::size_t>(next - code.original_idx.begin());
    out.push_back(base + (i < code.insn_offset.size() ? address_of(code, i) : code.bytes.size()));
  }
  return out;
}

}  // namespace

MachineCode machine_code(const Program& program) {
  MachineCode out;
  rcu::ReadSection readers;
  const exec::Code* const code = program.entry() != nullptr ? program.entry()->code() : nullptr;
  if (code == nullptr) return out;
  const exec::CodeListing listing = code->listing();
  if (listing.bytes.empty()) return out;
  const auto base = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(listing.bytes.data()));
  out.bytes.assign(listing.bytes.begin(), listing.bytes.end());
  for (std::size_t f = 0; f < listing.function_offset.size(); ++f) {
    const bool last = f + 1 == listing.function_offset.size();
    const std::size_t end = last ? listing.bytes.size() : listing.function_offset[f + 1];
    out.symbols.push_back(base + listing.function_offset[f]);
    out.lengths.push_back(static_cast<std::uint32_t>(end - listing.function_offset[f]));
  }
  out.line_addresses = line_addresses(program.about(), listing, base);
  return out;
}

}  // namespace ring3::prog
