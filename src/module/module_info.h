// What a listing tells about a module. Snapshots: made on demand from the objects, never kept.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ring3 {
class JsonWriter;
}

namespace ring3::module {

/// How long a module lives when nobody removes it (docs/modules.md).
enum class Lifetime : std::uint8_t {
  kResident,  // until it is removed
  kSession,   // until the client that loaded it goes
  kPinned,    // until its last pin is unlinked
};

const char* lifetime_name(Lifetime lifetime);
std::optional<Lifetime> lifetime_by_name(std::string_view name);

struct ProgramRow {
  std::uint32_t id = 0;
  std::string name;
  std::uint32_t type = 0;  // enum bpf_prog_type
  std::string tag;         // 16 hex digits
  std::uint32_t insns = 0;
  std::uint64_t runs = 0;
  std::uint64_t run_time_ns = 0;  // of the runs made while statistics were enabled
  std::uint64_t sampled_runs = 0; // that were timed in any case
  std::uint64_t sampled_ns = 0;   // … and how long they took
  std::uint64_t memory_bytes = 0;
  std::string verdict;     // verdict_name(): who vouches for it
  std::string signer;      // subject of the certificate; "" for none
  std::string key;         // SHA-256 of the certificate, in hexadecimal
};

struct MapRow {
  std::uint32_t id = 0;
  std::string name;
  std::string type;
  std::uint32_t max_entries = 0;
  std::uint64_t memory_bytes = 0;
};

/// One struct_ops table of the module.
struct OpsRow {
  std::uint32_t map_id = 0;
  std::uint32_t link_id = 0;  // 0: not attached
  std::string name;           // of the map
  std::string type;           // of the host's struct
  std::uint64_t users = 0;    // references the host holds beyond registration
};

struct ModuleInfo {
  std::uint32_t id = 0;
  std::string name;
  std::string state;  // module_state_name()
  Lifetime lifetime = Lifetime::kResident;
  std::uint32_t uid = 0;
  std::int32_t pid = 0;
  std::uint64_t loaded_ns = 0;     // host clock
  std::string source;              // the object file's name, as the operator gave it
  std::string digest;              // SHA-256 of the object file, hex; "" when the client gave none
  std::string replaced;            // name of the module it took over from; ""
  std::uint64_t used_by = 0;       // host references and other modules
  std::vector<std::string> users;  // names of the modules that use its maps
  std::uint64_t memory_bytes = 0;
  std::uint64_t runs = 0;
  std::vector<ProgramRow> programs;
  std::vector<MapRow> maps;
  std::vector<OpsRow> ops;
};

/// One object, all fields; the format of `ring3 lsmod --json` (docs/modules.md).
void write_json(JsonWriter& json, const ModuleInfo& info);

}  // namespace ring3::module
