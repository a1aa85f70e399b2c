#include "bench/support/bpf_sections.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <cstring>

namespace ring3::bench {

std::vector<BpfSection> read_bpf_sections(const std::string& path) {
  std::vector<BpfSection> out;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || elf_version(EV_CURRENT) == EV_NONE) return out;
  Elf* const elf = elf_begin(fd, ELF_C_READ, nullptr);
  std::size_t names = 0;
  if (elf != nullptr && elf_getshdrstrndx(elf, &names) == 0) {
    for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
      GElf_Shdr header;
      if (gelf_getshdr(section, &header) == nullptr || header.sh_type != SHT_PROGBITS) continue;
      const char* const name = elf_strptr(elf, names, header.sh_name);
      if (name == nullptr || std::strncmp(name, "xdp/", 4) != 0) continue;
      const Elf_Data* const data = elf_getdata(section, nullptr);
      if (data == nullptr || data->d_size % sizeof(isa::RawInsn) != 0) continue;
      BpfSection& found = out.emplace_back();
      found.name = name + 4;
      found.insns.resize(data->d_size / sizeof(isa::RawInsn));
      std::memcpy(static_cast<void*>(found.insns.data()), data->d_buf, data->d_size);
    }
  }
  elf_end(elf);
  close(fd);
  return out;
}

}  // namespace ring3::bench
