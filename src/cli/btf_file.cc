#include "cli/btf_file.h"

#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/owned_fd.h"

namespace ring3::cli {
namespace {

constexpr std::uint16_t kBtfMagic = 0xeb9f;

struct EndElf {
  void operator()(Elf* elf) const { ::elf_end(elf); }
};

std::vector<std::byte> section_of(std::vector<std::byte>& file, std::string_view wanted) {
  ::elf_version(EV_CURRENT);
  const std::unique_ptr<Elf, EndElf> elf(::elf_memory(reinterpret_cast<char*>(file.data()), file.size()));
  std::size_t names = 0;
  if (!elf || ::elf_getshdrstrndx(elf.get(), &names) != 0) return {};
  Elf_Scn* section = nullptr;
  while ((section = ::elf_nextscn(elf.get(), section)) != nullptr) {
    GElf_Shdr header;
    if (::gelf_getshdr(section, &header) == nullptr) continue;
    const char* name = ::elf_strptr(elf.get(), names, header.sh_name);
    if (name == nullptr || name != wanted) continue;
    const Elf_Data* data = ::elf_rawdata(section, nullptr);
    if (data == nullptr || data->d_buf == nullptr) return {};
    const auto* first = static_cast<const std::byte*>(data->d_buf);
    return {first, first + data->d_size};
  }
  return {};
}

}  // namespace

Result<std::vector<std::byte>> read_btf_file(const std::string& path, std::string& why) {
  const OwnedFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st;
  const auto fail = [&](int error) {
    why = path + ": " + std::strerror(error);
    return static_cast<Errno>(error);
  };
  if (!file || ::fstat(file.get(), &st) != 0) return fail(errno);
  if (!S_ISREG(st.st_mode)) return fail(EINVAL);
  std::vector<std::byte> bytes(static_cast<std::size_t>(st.st_size));
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0) return fail(errno);
    if (n == 0) bytes.resize(done);
    done += static_cast<std::size_t>(n);
  }
  std::uint16_t magic = 0;
  if (bytes.size() >= sizeof magic) std::memcpy(&magic, bytes.data(), sizeof magic);
  if (magic != kBtfMagic) bytes = section_of(bytes, ".BTF");
  if (bytes.empty()) {
    why = path + ": neither raw BTF nor an ELF file with a .BTF section";
    return Errno::kInval;
  }
  return bytes;
}

}  // namespace ring3::cli
