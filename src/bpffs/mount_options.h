// Options of a bpffs mount (behaviour.md B.6.1, B.6.2, B.6.4): "uid=1000,mode=0700,delegate_cmds=map_create:prog_load".
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "btf/btf.h"
#include "ring3/result.h"
#include "syscall/delegation.h"

namespace ring3::bpffs {

struct MountOptions {
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::optional<mode_t> mode;  // permission bits with the sticky bit
  syscall::Delegation delegation;
  bool views = true;           // by-id/ in the root; "noviews" leaves it out
};

/// types: the enums bpf_cmd, bpf_map_type, bpf_prog_type and bpf_attach_type, whose names delegation uses; may lack some.
/// Unknown options are ignored. A later uid, gid or mode wins; delegations are added up.
/// why: the option that is wrong. Errors: kInval.
Result<MountOptions> parse_mount_options(std::string_view text, const btf::Btf& types, std::string& why);

/// What the mount table shows: ",uid=1000,mode=700,delegate_cmds=map_create" (nothing that is the default).
std::string mount_options_text(const MountOptions& options, const btf::Btf& types);

}  // namespace ring3::bpffs
