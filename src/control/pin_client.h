// The tree of pins over the control socket. Paths are absolute, under /sys/fs/bpf. Errors are those of the calls
// of a file system; the client's text() names the path.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/client.h"
#include "ring3/result.h"

namespace ring3::control {

enum class PinnedKind : std::uint32_t { kDirectory, kObject, kSymlink };

struct PinListing {
  std::string name;
  PinnedKind kind = PinnedKind::kDirectory;
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint32_t links = 1;
  std::uint32_t object_kind = 0;  // ObjectKind, of a pinned object
  std::uint32_t object_id = 0;
  std::string target;             // of a symbolic link
};

Result<std::vector<PinListing>> list_pins(Client& client, std::string_view directory);
/// The host applies this process's file creation mask.
Result<void> make_pin_directory(Client& client, std::string_view path, mode_t mode);
/// A pin, a symbolic link or an empty directory. The object goes when this was what held it.
Result<void> remove_pin(Client& client, std::string_view path);
/// flags: 0, RENAME_NOREPLACE or RENAME_EXCHANGE.
Result<void> rename_pin(Client& client, std::string_view from, std::string_view to, std::uint32_t flags = 0);

}  // namespace ring3::control
