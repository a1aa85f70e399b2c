#include "cli/object_file.h"

#include <bpf/libbpf.h>
#include <elf.h>
#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>

namespace ring3::cli {
namespace {

constexpr std::string_view kPlainSection = ".struct_ops";
constexpr std::string_view kLinkSection = ".struct_ops.link";
constexpr std::string_view kSleepablePrefix = "struct_ops.s/";

/// The section headers of a 64-bit ELF file held in memory, every offset checked.
class ElfView {
 public:
  explicit ElfView(std::span<std::byte> file) : file_(file) {}

  std::string open() {
    if (file_.size() < sizeof(Elf64_Ehdr)) return "too short for an ELF file";
    std::memcpy(&header_, file_.data(), sizeof header_);
    if (std::memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0) return "not an ELF file";
    if (header_.e_ident[EI_CLASS] != ELFCLASS64 || header_.e_ident[EI_DATA] != ELFDATA2LSB || header_.e_machine != EM_BPF)
      return "not a little-endian 64-bit BPF object (compile with clang -target bpf)";
    if (header_.e_shentsize != sizeof(Elf64_Shdr) || header_.e_shoff > file_.size() ||
        (file_.size() - header_.e_shoff) / sizeof(Elf64_Shdr) < header_.e_shnum || header_.e_shstrndx >= header_.e_shnum)
      return "the section header table lies outside the file";
    for (unsigned i = 0; i < header_.e_shnum; ++i)
      if (section(i).sh_type != SHT_NOBITS && !bytes_fit(section(i))) return fmt::format("section {} lies outside the file", i);
    return {};
  }

  unsigned count() const { return header_.e_shnum; }

  Elf64_Shdr section(unsigned i) const {
    Elf64_Shdr s;
    std::memcpy(&s, file_.data() + header_.e_shoff + i * sizeof s, sizeof s);
    return s;
  }

  std::span<std::byte> bytes(unsigned i) const {
    Elf64_Shdr s = section(i);
    if (s.sh_type == SHT_NOBITS) return {};
    return file_.subspan(s.sh_offset, s.sh_size);
  }

  /// A NUL-terminated string inside a section's bytes; empty span when it does not end there.
  static std::span<char> string_at(std::span<std::byte> table, std::size_t off) {
    if (off >= table.size()) return {};
    char* begin = reinterpret_cast<char*>(table.data()) + off;
    std::size_t room = table.size() - off;
    std::size_t length = strnlen(begin, room);
    return length == room ? std::span<char>() : std::span<char>(begin, length);
  }

  std::span<char> name(unsigned i) const { return string_at(bytes(header_.e_shstrndx), section(i).sh_name); }

 private:
  bool bytes_fit(const Elf64_Shdr& s) const {
    return s.sh_offset <= file_.size() && s.sh_size <= file_.size() - s.sh_offset;
  }

  std::span<std::byte> file_;
  Elf64_Ehdr header_{};
};

std::string_view view(std::span<char> text) { return {text.data(), text.size()}; }

/// "?.struct_ops.link" → ".struct_ops". The text only gets shorter, so a string that shares its tail
/// (".rel.struct_ops.link") stays consistent with it.
void shorten(std::span<char> text) {
  std::size_t at = view(text).find(kPlainSection);
  if (at == 1 && text[0] == '?') {
    std::memmove(text.data(), text.data() + 1, text.size() - 1);
    text[text.size() - 1] = '\0';
    at = 0;
  }
  std::size_t end = at + kPlainSection.size();
  if (end < text.size()) text[end] = '\0';
}

/// What a struct_ops map section's name says; false when it is none.
bool read_name(std::string_view name, bool& link, bool& autocreate) {
  autocreate = !name.starts_with('?');
  if (!autocreate) name.remove_prefix(1);
  link = name == kLinkSection;
  return link || name == kPlainSection;
}

/// struct_ops.s/foo → struct_ops/s_foo, wherever in the text it begins.
void rename_sleepable(std::span<char> text) {
  const std::size_t at = view(text).find(kSleepablePrefix);
  if (at != std::string_view::npos) std::memcpy(text.data() + at + kSleepablePrefix.size() - 3, "/s_", 3);
}

/// BTF names data sections after the ELF ones: the same strings once more, in the string section of .BTF.
template <typename Rename>
void rename_in_btf(std::span<std::byte> btf, Rename&& rename) {
  struct {
    std::uint16_t magic;
    std::uint8_t version, flags;
    std::uint32_t hdr_len, type_off, type_len, str_off, str_len;
  } header;
  if (btf.size() < sizeof header) return;
  std::memcpy(&header, btf.data(), sizeof header);
  if (header.hdr_len > btf.size() || header.str_off > btf.size() - header.hdr_len ||
      header.str_len > btf.size() - header.hdr_len - header.str_off)
    return;  // libbpf says what is wrong with it
  std::span<std::byte> strings = btf.subspan(header.hdr_len + header.str_off, header.str_len);
  for (std::size_t off = 0; off < strings.size();) {
    std::span<char> text = ElfView::string_at(strings, off);
    if (text.data() == nullptr) return;
    std::size_t length = text.size();
    rename(text);
    off += length + 1;
  }
}

}  // namespace

std::string prepare_object(std::vector<std::byte>& object, ObjectNotes& notes) {
  ElfView elf(object);
  if (std::string wrong = elf.open(); !wrong.empty()) return wrong;
  unsigned struct_ops_sections = 0;
  std::span<std::byte> btf;
  for (unsigned i = 1; i < elf.count(); ++i) {
    std::span<char> name = elf.name(i);
    if (view(name) == ".BTF") btf = elf.bytes(i);
    if (view(name).starts_with(kSleepablePrefix))
      notes.sleepable.push_back("struct_ops/s_" + std::string(view(name).substr(kSleepablePrefix.size())));
    bool link, autocreate;
    if (read_name(view(name), link, autocreate) && ++struct_ops_sections == 1) {
      notes.has_struct_ops = true;
      notes.struct_ops_link = link;
      notes.struct_ops_autocreate = autocreate;
    }
  }
  if (struct_ops_sections > 1) return "more than one struct_ops section: put all ops of an object into one flavour";

  for (unsigned i = 1; i < elf.count(); ++i) {
    std::span<char> name = elf.name(i);
    bool link, autocreate;
    if (read_name(view(name), link, autocreate)) shorten(name);
    rename_sleepable(name);  // a relocation section shares or repeats the text
  }
  rename_in_btf(btf, [](std::span<char> text) {
    bool link, autocreate;
    if (read_name(view(text), link, autocreate)) shorten(text);
    // The lines and types of a section's functions are found by its name.
    if (view(text).starts_with(kSleepablePrefix)) rename_sleepable(text);
  });
  return {};
}

void hide_struct_ops(std::vector<std::byte>& object) {
  ElfView elf(object);
  if (!elf.open().empty()) return;
  const auto hide = [](std::span<char> text) {
    const std::size_t at = view(text).find(kPlainSection);
    if (at != std::string_view::npos && at + kPlainSection.size() == text.size()) text[at] = '_';
  };
  for (unsigned i = 1; i < elf.count(); ++i) {
    if (view(elf.name(i)) == ".BTF") rename_in_btf(elf.bytes(i), hide);
    hide(elf.name(i));
  }
}

Result<std::vector<std::byte>> read_object_file(const std::string& path, std::string& why) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    const int error = errno == 0 ? EIO : errno;
    why = fmt::format("{}: {}", path, std::strerror(error));
    return static_cast<Errno>(error);
  }
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) {
    why = fmt::format("{}: could not be read", path);
    return Errno::kIo;
  }
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  return std::vector<std::byte>(first, first + text.size());
}

void mark_sleepable(bpf_object* object, const ObjectNotes& notes) {
  bpf_program* program = nullptr;
  while ((program = bpf_object__next_program(object, program)) != nullptr) {
    const char* section = bpf_program__section_name(program);
    if (std::find(notes.sleepable.begin(), notes.sleepable.end(), section) != notes.sleepable.end())
      bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_SLEEPABLE);
  }
}

}  // namespace ring3::cli
