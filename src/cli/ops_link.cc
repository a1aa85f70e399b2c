#include "cli/ops_link.h"

#include <cstring>

#include "uapi/bpf.h"

namespace ring3::cli {

std::uint32_t ops_link_flag() { return uapi::BPF_F_LINK; }

long create_ops_link(control::Client& client, int map_fd) {
  uapi::bpf_attr attr;
  std::memset(static_cast<void*>(&attr), 0, sizeof attr);
  attr.link_create.map_fd = static_cast<std::uint32_t>(map_fd);
  attr.link_create.attach_type = uapi::BPF_STRUCT_OPS;
  return client.bpf(uapi::BPF_LINK_CREATE, &attr, sizeof attr);
}

}  // namespace ring3::cli
