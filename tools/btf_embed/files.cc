#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "output.h"

namespace ring3::btf_embed {
namespace {

std::vector<std::byte> find_section(Elf* elf, const char* wanted) {
  std::size_t names = 0;
  if (elf_getshdrstrndx(elf, &names) != 0) return {};
  for (Elf_Scn* section = nullptr; (section = elf_nextscn(elf, section)) != nullptr;) {
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) == nullptr) continue;
    const char* name = elf_strptr(elf, names, header.sh_name);
    if (name == nullptr || std::strcmp(name, wanted) != 0) continue;
    const Elf_Data* data = elf_rawdata(section, nullptr);
    if (data == nullptr) return {};
    std::vector<std::byte> out(data->d_size);
    std::memcpy(out.data(), data->d_buf, data->d_size);
    return out;
  }
  return {};
}

}  // namespace

std::vector<std::byte> read_btf_section(const std::string& object_path) {
  std::vector<std::byte> out;
  elf_version(EV_CURRENT);
  const int fd = open(object_path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    if (Elf* elf = elf_begin(fd, ELF_C_READ, nullptr)) {
      out = find_section(elf, ".BTF");
      elf_end(elf);
    }
    close(fd);
  }
  if (out.empty()) std::fprintf(stderr, "ring3-btf-embed: no .BTF section in %s\n", object_path.c_str());
  return out;
}

bool write_if_changed(const std::string& path, std::span<const std::byte> content) {
  const std::string text(reinterpret_cast<const char*>(content.data()), content.size());
  std::ifstream old(path, std::ios::binary);
  if (old && std::string(std::istreambuf_iterator<char>(old), {}) == text) return true;
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) std::fprintf(stderr, "ring3-btf-embed: cannot write %s\n", path.c_str());
  return static_cast<bool>(file);
}

bool write_if_changed(const std::string& path, const std::string& content) {
  return write_if_changed(path, std::as_bytes(std::span(content)));
}

}  // namespace ring3::btf_embed
