#include "syscall/fdinfo.h"

#include <fmt/format.h>

#include <iterator>

#include "attach/link.h"
#include "maps/map.h"
#include "object/rcu.h"
#include "prog/btf_object.h"
#include "prog/program.h"

namespace ring3::syscall {
namespace {

std::string map_lines(const maps::Map& map) {
  const maps::MapSpec& spec = map.spec();
  return fmt::format(
      "map_type:\t{}\nkey_size:\t{}\nvalue_size:\t{}\nmax_entries:\t{}\nmap_flags:\t{:#x}\nmap_extra:\t{:#x}\nmemlock:\t{}\n"
      "map_id:\t{}\nfrozen:\t{}\n",
      static_cast<std::uint32_t>(spec.type), spec.key_size, spec.value_size, spec.max_entries, spec.flags, spec.extra, map.memory_bytes(), map.id(),
      map.frozen() ? 1 : 0);
}

std::string tag_text(const prog::ProgramTag& tag) {
  std::string text;
  for (const std::uint8_t byte : tag) fmt::format_to(std::back_inserter(text), "{:02x}", byte);
  return text;
}

std::string program_lines(const prog::Program& program) {
  const prog::ProgramAbout& about = program.about();
  const exec::RunTotals totals = program.run_totals();
  rcu::ReadSection readers;  // code is replaced while functions are
  const bool jited = program.runnable() && program.entry()->code() != nullptr && !program.entry()->code()->listing().bytes.empty();
  return fmt::format(
      "prog_type:\t{}\nprog_jited:\t{}\nprog_tag:\t{}\nmemlock:\t{}\nprog_id:\t{}\nrun_time_ns:\t{}\nrun_cnt:\t{}\n"
      "recursion_misses:\t{}\nverified_insns:\t{}\n",
      about.type, jited ? 1 : 0, tag_text(about.tag), program.memory_bytes(), program.id(), totals.run_time_ns, totals.runs,
      totals.recursion_misses, about.verified_insns);
}

}  // namespace

std::string fdinfo_text(const Object& object) {
  switch (object.kind()) {
    case ObjectKind::kMap: return map_lines(static_cast<const maps::Map&>(object));
    case ObjectKind::kProg: return program_lines(static_cast<const prog::Program&>(object));
    case ObjectKind::kLink: {
      const auto& link = static_cast<const attach::Link&>(object);
      const std::string own = link.ops().fdinfo != nullptr ? link.ops().fdinfo(link) : std::string();
      return fmt::format("link_type:\t{}\nlink_id:\t{}\n{}", static_cast<std::uint32_t>(link.ops().type), link.id(), own);
    }
    case ObjectKind::kBtf: return fmt::format("btf_id:\t{}\n", object.id());
    default: return {};
  }
}

}  // namespace ring3::syscall
