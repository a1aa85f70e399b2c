#include "syscall/attach_names.h"

namespace ring3::syscall {

std::string attach_type_name(const btf::Btf& host, std::uint32_t attach_type) {
  if (const btf::TypeId id = host.find("bpf_attach_type", btf::Kind::kEnum); id != 0)
    for (const btf::Enumerator& e : host.enumerators(id))
      if (static_cast<std::uint64_t>(e.value) == attach_type) return std::string(e.name);
  return "attach type " + std::to_string(attach_type);
}

}  // namespace ring3::syscall
