// The two things libbpf 1.1 cannot do for struct_ops. Apart from its users because <linux/bpf.h>, which libbpf
// brings along, and uapi/bpf.h do not stand in one file.
#pragma once

#include <cstdint>

#include "control/client.h"

namespace ring3::cli {

/// The map flag that keeps a struct_ops table out of use until a link registers it.
std::uint32_t ops_link_flag();
/// A link for a filled table: a descriptor, or a negated errno. Attached by the commit when a load is going on.
long create_ops_link(control::Client& client, int map_fd);

}  // namespace ring3::cli
