#include "bpffs/mount_options.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <vector>

#include "base/try.h"

namespace ring3::bpffs {
namespace {

using syscall::Delegation;

/// A delegation option: its mask, and the enum whose names it takes.
struct DelegationRow {
  std::string_view option, enum_name, prefix;
  std::uint64_t Delegation::* mask;
};
constexpr DelegationRow kDelegations[] = {
    {"delegate_cmds", "bpf_cmd", "BPF_", &Delegation::cmds},
    {"delegate_maps", "bpf_map_type", "BPF_MAP_TYPE_", &Delegation::maps},
    {"delegate_progs", "bpf_prog_type", "BPF_PROG_TYPE_", &Delegation::progs},
    {"delegate_attachs", "bpf_attach_type", "BPF_", &Delegation::attachs},
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

struct Named {
  std::string name;
  std::uint32_t bit;
};

/// The names an option takes, in lower case, by bit.
std::vector<Named> names_of(const DelegationRow& row, const btf::Btf& types) {
  std::vector<Named> out;
  const btf::TypeId id = types.find(row.enum_name, btf::Kind::kEnum);
  if (id == 0) return out;
  for (const btf::Enumerator& e : types.enumerators(id))
    if (e.name.starts_with(row.prefix) && static_cast<std::uint64_t>(e.value) < 64)
      out.push_back({lower(e.name.substr(row.prefix.size())), static_cast<std::uint32_t>(e.value)});
  return out;
}

template <typename Fn>
Result<void> each_part(std::string_view text, char separator, Fn fn) {
  while (true) {
    const std::size_t end = text.find(separator);
    RING3_TRY(fn(text.substr(0, end)));
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
}

Result<std::uint64_t> mask_of(std::string_view word, const std::vector<Named>& names) {
  const std::string wanted = lower(word);
  if (wanted == "any") return std::numeric_limits<std::uint64_t>::max();
  for (const Named& n : names)
    if (n.name == wanted) return std::uint64_t{1} << n.bit;
  char* end = nullptr;
  if (wanted.empty() || std::isdigit(static_cast<unsigned char>(wanted[0])) == 0) return Errno::kInval;
  errno = 0;
  const std::uint64_t mask = std::strtoull(wanted.c_str(), &end, 0);
  if (*end != '\0' || errno != 0) return Errno::kInval;
  return mask;
}

Result<std::uint32_t> number(std::string_view text, int base) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return Errno::kInval;
  return value;
}

Result<void> apply(MountOptions& out, std::string_view key, std::string_view value, const btf::Btf& types) {
  constexpr auto kNobody = std::numeric_limits<std::uint32_t>::max();
  if (key == "uid" || key == "gid") {
    const std::uint32_t id = RING3_TRY(number(value, 10));
    if (id == kNobody) return Errno::kInval;
    (key == "uid" ? out.uid : out.gid) = id;
  } else if (key == "mode") {
    out.mode = RING3_TRY(number(value, 8)) & 01777;
  } else if (key == "views" || key == "noviews") {
    out.views = key == "views";
  }
  for (const DelegationRow& row : kDelegations) {
    if (row.option != key) continue;
    const std::vector<Named> names = names_of(row, types);
    return each_part(value, ':', [&](std::string_view word) -> Result<void> {
      out.delegation.*row.mask |= RING3_TRY(mask_of(word, names));
      return {};
    });
  }
  return {};
}

std::string delegation_text(std::uint64_t mask, const std::vector<Named>& names) {
  if (mask == std::numeric_limits<std::uint64_t>::max()) return "any";
  std::string out;
  for (const Named& n : names) {
    const std::uint64_t bit = std::uint64_t{1} << n.bit;
    if ((mask & bit) == 0) continue;  // also a second name of the same number
    mask &= ~bit;
    out += (out.empty() ? "" : ":") + n.name;
  }
  if (mask != 0) out += fmt::format("{}{:#x}", out.empty() ? "" : ":", mask);
  return out;
}

}  // namespace

Result<MountOptions> parse_mount_options(std::string_view text, const btf::Btf& types, std::string& why) {
  MountOptions out;
  RING3_TRY(each_part(text, ',', [&](std::string_view option) -> Result<void> {
    const std::size_t equals = option.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : option.substr(equals + 1);
    Result<void> applied = apply(out, option.substr(0, equals), value, types);
    if (!applied.ok()) why = fmt::format("bad mount option '{}'", option);
    return applied;
  }));
  return out;
}

std::string mount_options_text(const MountOptions& options, const btf::Btf& types) {
  std::string out;
  if (options.uid && *options.uid != 0) out += fmt::format(",uid={}", *options.uid);
  if (options.gid && *options.gid != 0) out += fmt::format(",gid={}", *options.gid);
  if (options.mode && *options.mode != 01777) out += fmt::format(",mode={:o}", *options.mode);
  for (const DelegationRow& row : kDelegations)
    if (const std::uint64_t mask = options.delegation.*row.mask; mask != 0)
      out += fmt::format(",{}={}", row.option, delegation_text(mask, names_of(row, types)));
  return out;
}

}  // namespace ring3::bpffs
