// The operations table of libfuse's low-level API, each one a request to a bpffs::Backend. Private to this room and its
// tests, which call request_of() and the backend without a kernel.
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bpffs/request.h"
#include "fuse/id_map.h"

namespace ring3::fuse {

class Operations {
 public:
  /// process: of the user namespace that requests speak in, "self" or a number.
  Operations(bpffs::Backend& backend, const std::string& process)
      : backend_(backend),
        users_(IdMap::of_file(("/proc/" + process + "/uid_map").c_str())),
        groups_(IdMap::of_file(("/proc/" + process + "/gid_map").c_str())) {}

  static const fuse_lowlevel_ops& table();

  Result<bpffs::Reply> call(const bpffs::Request& request) { return backend_.call(request); }
  /// The same person in the host's ids.
  bpffs::Who host_ids(bpffs::Who who) const;
  uid_t host_user(uid_t uid) const { return users_.to_host(uid); }
  gid_t host_group(gid_t gid) const { return groups_.to_host(gid); }
  struct stat stat_of(const bpffs::Attr& attr) const;
  /// Mount options with uid= and gid= in the host's ids. Errors: kInval an id that the namespace does not have.
  Result<std::string> host_options(const std::string& options, std::string& why) const;

  /// An open folder: entries that were fetched and not yet handed on. Kept here, because the kernel need not release what is
  /// open when a mount ends.
  struct OpenFolder {
    std::uint64_t first = 0;  // position of entries[0]
    std::vector<bpffs::Entry> entries;
    bool fresh = false;
  };
  /// By handle; made when it is new. For the serving thread only.
  OpenFolder& folder(std::uint64_t handle) { return folders_[handle]; }
  void forget_folder(std::uint64_t handle) { folders_.erase(handle); }

 private:
  bpffs::Backend& backend_;
  const IdMap users_, groups_;
  std::map<std::uint64_t, OpenFolder> folders_;
};

}  // namespace ring3::fuse
