#include "fuzz/support/kernel_path.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace ring3::fuzz {
namespace {

/// "12" of "12: (b7) …"; at: behind it.
std::optional<std::uint32_t> number_at(std::string_view text, std::size_t& at) {
  const std::size_t from = at;
  while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at])) != 0) ++at;
  if (at == from || at - from > 7) return std::nullopt;
  return static_cast<std::uint32_t>(std::strtoul(std::string(text.substr(from, at - from)).c_str(), nullptr, 10));
}

/// Parts between spaces (or commas) that stand in no parentheses.
std::vector<std::string> parts_of(std::string_view text, char separator) {
  std::vector<std::string> out(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
    if (c == separator && depth <= 0) out.emplace_back();
    else out.back() += c;
  }
  return out;
}

void bound(KernelNumber& out, const std::string& name, const std::string& value) {
  const bool negative = value.starts_with("-");
  const std::uint64_t bits = negative ? static_cast<std::uint64_t>(std::strtoll(value.c_str(), nullptr, 0)) : std::strtoull(value.c_str(), nullptr, 0);
  if (name == "smin") out.smin = static_cast<std::int64_t>(bits);
  if (name == "smax") out.smax = static_cast<std::int64_t>(bits);
  if (name == "umin") out.umin = bits;
  if (name == "umax") out.umax = bits;
  if (name == "smin32") out.smin32 = static_cast<std::int32_t>(bits);
  if (name == "smax32") out.smax32 = static_cast<std::int32_t>(bits);
  if (name == "umin32") out.umin32 = static_cast<std::uint32_t>(bits);
  if (name == "umax32") out.umax32 = static_cast<std::uint32_t>(bits);
}

/// "R3=scalar(smin=smin32=0,smax=umax=56,var_off=(0x0; 0x38))", "R3=-1", "R3=P0". Nothing: no number.
std::optional<KernelNumber> number_of(const std::string& part) {
  if (part.size() < 4 || part[0] != 'R' || std::isdigit(static_cast<unsigned char>(part[1])) == 0) return std::nullopt;
  const std::size_t equals = part.find('=');
  if (equals == std::string::npos) return std::nullopt;
  KernelNumber out{.regno = static_cast<unsigned>(std::atoi(part.c_str() + 1))};
  std::string value = part.substr(equals + 1);
  if (value.starts_with("P")) value.erase(0, 1);
  constexpr std::string_view kScalar = "scalar(";
  if (!value.starts_with(kScalar)) {
    if (value.empty() || (value[0] != '-' && std::isdigit(static_cast<unsigned char>(value[0])) == 0)) return std::nullopt;
    for (const char* name : {"smin", "smax", "umin", "umax", "smin32", "smax32", "umin32", "umax32"}) bound(out, name, value);
    return out;
  }
  for (const std::string& each : parts_of(value.substr(kScalar.size(), value.size() - kScalar.size() - 1), ',')) {
    std::vector<std::string> names = parts_of(each, '=');
    for (std::size_t i = 0; i + 1 < names.size(); ++i) bound(out, names[i], names.back());
  }
  return out;
}

void add_numbers(KernelStep& step, std::string_view text) {
  for (const std::string& part : parts_of(text, ' '))
    if (const auto number = number_of(part)) step.numbers.push_back(*number);
}

/// Where the states begin that stand behind an instruction on its line.
std::size_t states_in(std::string_view line) {
  if (const std::size_t at = line.find("; R"); at != std::string_view::npos) return at + 2;
  if (const std::size_t at = line.find("; frame"); at != std::string_view::npos) return at + 2;
  for (const char* mark : {": R", ": frame"})
    if (const std::size_t at = line.find(mark); at != std::string_view::npos) return at + 2;
  return line.size();
}

bool knows_less(const KernelNumber& n, const verifier::Belief& b) {
  return n.smin < b.smin || n.smax > b.smax || n.umin < b.umin || n.umax > b.umax || n.smin32 < b.smin32 || n.smax32 > b.smax32 ||
         n.umin32 < b.umin32 || n.umax32 > b.umax32;
}

}  // namespace

std::vector<KernelStep> path_of(const std::string& log) {
  std::vector<KernelStep> out;
  for (std::size_t from = 0; from < log.size();) {
    const std::size_t end = std::min(log.find('\n', from), log.size());
    const std::string_view line(log.data() + from, end - from);
    from = end + 1;
    constexpr std::string_view kFrom = "from ";
    std::size_t at = line.starts_with(kFrom) ? kFrom.size() : 0;
    const auto idx = number_at(line, at);
    if (!idx) continue;
    const bool insn = line.substr(at).starts_with(": (");
    if (insn || line.starts_with(kFrom)) out.push_back({*idx, {}});
    if (out.empty() || (!insn && !line.starts_with(kFrom) && !line.substr(at).starts_with(":"))) continue;
    add_numbers(out.back(), line.substr(states_in(line)));
  }
  return out;
}

std::optional<Departure> first_departure(const std::vector<KernelStep>& path, const Believed& believed) {
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    const std::uint32_t from = path[i].idx, to = path[i + 1].idx;
    if (from == to) continue;  // said twice, where a path was taken up
    if (!believed(from, to, 0).walked) return Departure{.idx = from, .way = true};
    for (const KernelNumber& number : path[i].numbers) {
      const verifier::Belief belief = believed(from, to, number.regno);
      if (belief.only_numbers && knows_less(number, belief)) return Departure{.idx = from, .regno = number.regno};
    }
  }
  return std::nullopt;
}

}  // namespace ring3::fuzz
