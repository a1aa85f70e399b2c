#include "host_types.h"

#include <bpf/btf.h>

#include <cerrno>
#include <cstring>

namespace ring3::conformance {

std::vector<std::byte> host_types(const std::string& elf_file, std::string& problem) {
  btf* types = btf__parse(elf_file.c_str(), nullptr);
  if (types == nullptr) {
    problem = elf_file + ": " + std::strerror(errno);
    return {};
  }
  std::uint32_t size = 0;
  const auto* data = static_cast<const std::byte*>(btf__raw_data(types, &size));
  std::vector<std::byte> bytes(data, data + size);
  btf__free(types);
  return bytes;
}

}  // namespace ring3::conformance
