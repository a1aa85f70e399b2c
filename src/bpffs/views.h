// What the host itself puts into a mount, read-only and made when it is read:
//
//   by-id/map/7/                one folder for each published object (map, prog, link, btf):
//     info, info.json           facts
//     users, uses               objects that hold it, and that it holds
//     pins                      where it is pinned
//     text, json                a map that prints: all elements, by BTF
//     kv/NAME, kv/NAME.json     a map's values by key (kv_names.h); a listing is a cursor, not a snapshot
//
// Ids are for administrators (behaviour.md 0.1.6), so all of it belongs to the runtime's user and nobody else may look.
// Locking: mutex_ is a leaf and guards the names of kv/ files only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "bpffs/entry_source.h"
#include "bpffs/request.h"
#include "bpffs/text_source.h"
#include "object/object.h"
#include "runtime/runtime_impl.h"

namespace ring3::bpffs {

class Views {
 public:
  explicit Views(RuntimeImpl& runtime);

  /// The one name in the root, a folder.
  static constexpr const char* kRootName = "by-id";
  static std::uint64_t root_node();
  /// Whom all of it belongs to.
  static uid_t owner();

  // Nodes with kMadeUp set. Errors: kStale the object is gone, or nothing has that number; kNoEnt, kNotDir, kIsDir.
  Result<Attr> attr(std::uint64_t node);
  Result<std::uint64_t> look_up(std::uint64_t node, std::string_view name);
  Result<std::unique_ptr<EntrySource>> list(std::uint64_t node);
  Result<std::unique_ptr<TextSource>> open(std::uint64_t node);

 private:
  struct Place;
  /// A file of kv/: which map, which key, as JSON or as text.
  struct KvFile {
    std::uint32_t map;
    std::string key;
    bool json;
    auto operator<=>(const KvFile&) const = default;
  };

  Result<Ref<Object>> object(const Place& place) const;
  Result<std::uint64_t> look_up_key(std::uint32_t map_id, std::string_view name);
  std::uint64_t node_of(KvFile file);
  Result<KvFile> kv_file(std::uint64_t number);

  RuntimeImpl& runtime_;
  const std::int64_t born_ns_;
  Mutex mutex_;
  // The newest kMaxKvFiles that somebody looked up; older ones are stale and are looked up again.
  static constexpr std::size_t kMaxKvFiles = 65536;
  std::deque<KvFile> kv_files_ RING3_GUARDED_BY(mutex_);
  std::uint64_t first_kv_ RING3_GUARDED_BY(mutex_) = 0;  // number of kv_files_.front()
  std::map<KvFile, std::uint64_t> kv_numbers_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::bpffs
