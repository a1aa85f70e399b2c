#include "module/module_info.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

#include "base/json_writer.h"
#include "model/prog_kind.h"

namespace ring3::module {
namespace {

struct LifetimeRow {
  Lifetime lifetime;
  const char* name;
};
constexpr LifetimeRow kLifetimes[] = {
    {Lifetime::kResident, "resident"},
    {Lifetime::kSession, "session"},
    {Lifetime::kPinned, "pinned"},
};

/// As bpftool writes it: "struct_ops", "sched_cls"; the number for a type that has no name here.
std::string program_type_name(std::uint32_t type) {
  const model::ProgKindRow* kind = model::find_prog_kind(type);
  if (kind == nullptr) return fmt::format("{}", type);
  std::string name(kind->name);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

void write_row(JsonWriter& json, const ProgramRow& row) {
  json.begin_object().field("id", row.id).field("name", row.name).field("type", program_type_name(row.type)).field("tag", row.tag);
  json.field("insns", row.insns).field("runs", row.runs).field("run_time_ns", row.run_time_ns);
  json.field("sampled_runs", row.sampled_runs).field("sampled_ns", row.sampled_ns);
  json.field("memory_bytes", row.memory_bytes).field("verdict", row.verdict);
  json.field("signer", row.signer).field("key", row.key).end_object();
}

void write_row(JsonWriter& json, const MapRow& row) {
  json.begin_object().field("id", row.id).field("name", row.name).field("type", row.type);
  json.field("max_entries", row.max_entries).field("memory_bytes", row.memory_bytes).end_object();
}

void write_row(JsonWriter& json, const OpsRow& row) {
  json.begin_object().field("map_id", row.map_id).field("link_id", row.link_id).field("name", row.name);
  json.field("type", row.type).field("users", row.users).end_object();
}

template <typename Row>
void write_rows(JsonWriter& json, std::string_view name, const std::vector<Row>& rows) {
  json.key(name).begin_array();
  for (const Row& row : rows) write_row(json, row);
  json.end_array();
}

}  // namespace

const char* lifetime_name(Lifetime lifetime) {
  for (const LifetimeRow& row : kLifetimes)
    if (row.lifetime == lifetime) return row.name;
  return "?";
}

std::optional<Lifetime> lifetime_by_name(std::string_view name) {
  for (const LifetimeRow& row : kLifetimes)
    if (row.name == name) return row.lifetime;
  return std::nullopt;
}

void write_json(JsonWriter& json, const ModuleInfo& info) {
  json.begin_object().field("id", info.id).field("name", info.name).field("state", info.state);
  json.field("lifetime", lifetime_name(info.lifetime)).field("uid", info.uid).field("pid", info.pid);
  json.field("loaded_ns", info.loaded_ns).field("source", info.source).field("digest", info.digest);
  json.field("replaced", info.replaced).field("used_by", info.used_by);
  json.key("users").begin_array();
  for (const std::string& user : info.users) json.value(user);
  json.end_array();
  json.field("memory_bytes", info.memory_bytes).field("runs", info.runs);
  write_rows(json, "programs", info.programs);
  write_rows(json, "maps", info.maps);
  write_rows(json, "ops", info.ops);
  json.end_object();
}

}  // namespace ring3::module
