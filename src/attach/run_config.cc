#include "attach/run_config.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/try.h"
#include "btf/btf.h"
#include "uapi/bpf.h"

namespace ring3::attach {
namespace {

constexpr std::string_view kSection = ".xdp_run_config";
constexpr std::string_view kPriority = "priority";
constexpr std::string_view kActions[] = {"XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX", "XDP_REDIRECT"};

/// The name of main as it stands in BTF; an object's own is cut short.
std::string function_name(const prog::Program& program, const btf::Btf& types) {
  const prog::ProgramAbout& about = program.about();
  uapi::bpf_func_info main;
  if (about.func_info.size() < sizeof main) return program.name();
  std::memcpy(&main, about.func_info.data(), sizeof main);
  const btf::Type* const function = types.type(main.type_id);
  return function == nullptr ? program.name() : std::string(function->name);
}

/// The struct that describes `function`; 0: there is none.
btf::TypeId find_record(const btf::Btf& types, const std::string& function) {
  const btf::TypeId section = types.find(kSection, btf::Kind::kDatasec);
  if (section == btf::kVoid) return btf::kVoid;
  const std::string name = "_" + function;
  for (const btf::SecVar& var : types.section_vars(section))
    if (const btf::Type* type = types.type(var.var); type != nullptr && type->name == name) return types.skip_modifiers(type->type);
  return btf::kVoid;
}

/// The number that `int (*name)[number]` stands for.
std::optional<std::uint32_t> number_of(const btf::Btf& types, const btf::Member& member) {
  const btf::Type* const pointer = types.type(types.skip_modifiers(member.type));
  if (pointer == nullptr || pointer->kind != btf::Kind::kPtr) return std::nullopt;
  const std::optional<btf::ArrayInfo> array = types.array(pointer->type);
  return array.has_value() ? std::optional(array->count) : std::nullopt;
}

}  // namespace

Result<RunConfig> read_run_config(const prog::Program& program, std::string& why) {
  RunConfig config;
  config.function = program.name();
  if (!program.btf()) return config;
  const btf::Btf& types = *program.btf()->btf();
  config.function = function_name(program, types);
  const btf::TypeId record = find_record(types, config.function);
  if (record == btf::kVoid) return config;
  const auto refuse = [&](const std::string& words) {
    why = std::string(kSection) + " of " + config.function + ": " + words;
    return Errno::kInval;
  };
  if (types.type(record)->kind != btf::Kind::kStruct) return refuse("no struct");
  for (const btf::Member& member : types.members(record)) {
    const std::optional<std::uint32_t> number = number_of(types, member);
    if (!number.has_value()) return refuse(std::string(member.name) + " is not written as __uint(name, number)");
    if (member.name == kPriority) {
      config.priority = *number;
      continue;
    }
    const auto action = std::find(std::begin(kActions), std::end(kActions), member.name);
    if (action == std::end(kActions)) {
      (void)refuse(std::string(member.name) + " is neither priority nor an answer of XDP programs");
      return Errno::kOpNotSupp;
    }
    const std::uint32_t bit = 1u << (action - std::begin(kActions));
    config.chain_on = *number != 0 ? config.chain_on | bit : config.chain_on & ~bit;
  }
  return config;
}

}  // namespace ring3::attach
