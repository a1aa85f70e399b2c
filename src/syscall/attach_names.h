// Attach types by name, for refusals.
#pragma once

#include <cstdint>
#include <string>

#include "btf/btf.h"

namespace ring3::syscall {

/// "BPF_CGROUP_INET_INGRESS" by the host's BTF; "attach type 99" when that has no name for it.
std::string attach_type_name(const btf::Btf& host, std::uint32_t attach_type);

}  // namespace ring3::syscall
