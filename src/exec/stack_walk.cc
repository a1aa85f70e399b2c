#include "exec/stack_walk.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <pthread.h>

#include <algorithm>
#include <cstring>

#include "exec/engine.h"
#include "exec/run_context.h"

namespace ring3::exec {
namespace {

struct Bounds {
  std::uintptr_t low = 0, high = 0;
};

const Bounds& stack_of_thread() noexcept {
  thread_local Bounds bounds;
  if (bounds.high != 0) return bounds;
  bounds.high = 1;  // once: what cannot be told now cannot be told later
  pthread_attr_t attr;
  if (pthread_getattr_np(pthread_self(), &attr) != 0) return bounds;
  void* low = nullptr;
  std::size_t bytes = 0;
  if (pthread_attr_getstack(&attr, &low, &bytes) == 0)
    bounds = {reinterpret_cast<std::uintptr_t>(low), reinterpret_cast<std::uintptr_t>(low) + bytes};
  pthread_attr_destroy(&attr);
  return bounds;
}

bool is_in_program(const RunContext* run, std::uint64_t address) noexcept {
  for (; run != nullptr; run = run->outer) {
    if (run->code == nullptr) continue;
    const auto bytes = run->code->listing().bytes;
    if (address - reinterpret_cast<std::uintptr_t>(bytes.data()) < bytes.size()) return true;
  }
  return false;
}

bool find_object(std::uint64_t address, dl_find_object& found) noexcept {
  return _dl_find_object(reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)), &found) == 0;
}

/// The words of a frame: the caller's frame pointer, and where it goes on. Sanitizers think of such reads what they like.
__attribute__((no_sanitize("address", "undefined"))) void read_frame(std::uintptr_t frame, std::uintptr_t& next, std::uint64_t& address) noexcept {
  const auto* const words = reinterpret_cast<const std::uintptr_t*>(frame);
  next = words[0];
  address = words[1];
}

/// Looks through the notes of a segment for the GNU build id.
bool find_build_id(std::span<const std::byte> notes, std::size_t align, std::array<std::uint8_t, 20>& out) noexcept {
  const auto padded = [align](std::size_t bytes) { return (bytes + align - 1) / align * align; };
  while (notes.size() >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) head;
    std::memcpy(&head, notes.data(), sizeof head);
    const std::size_t name_at = sizeof head, data_at = name_at + padded(head.n_namesz), end = data_at + padded(head.n_descsz);
    if (data_at < name_at || end < data_at || data_at + head.n_descsz > notes.size()) return false;
    if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && std::memcmp(notes.data() + name_at, "GNU", 4) == 0 &&
        head.n_descsz > 0 && head.n_descsz <= out.size()) {
      std::memcpy(out.data(), notes.data() + data_at, head.n_descsz);
      return true;
    }
    if (end >= notes.size()) return false;
    notes = notes.subspan(end);
  }
  return false;
}

}  // namespace

std::size_t walk_stack(const RunContext& run, const void* frame, StackPart part, std::span<std::uint64_t> out) noexcept {
  const Bounds& stack = stack_of_thread();
  std::size_t count = 0;
  auto at = reinterpret_cast<std::uintptr_t>(frame);
  while (count < out.size() && at % alignof(std::uintptr_t) == 0 && at >= stack.low && at < stack.high &&
         stack.high - at >= 2 * sizeof(std::uintptr_t)) {
    std::uintptr_t next = 0;
    std::uint64_t address = 0;
    read_frame(at, next, address);
    dl_find_object found;
    if ((part == StackPart::kAll && is_in_program(&run, address)) || find_object(address, found)) out[count++] = address;
    if (next <= at) break;
    at = next;
  }
  return count;
}

BuildIdEntry build_id_entry(std::uint64_t address) noexcept {
  BuildIdEntry entry{.status = BuildIdEntry::kIp, .build_id = {}, .offset = address};
  dl_find_object found;
  if (!find_object(address, found)) return entry;
  const auto* const start = static_cast<const std::byte*>(found.dlfo_map_start);
  const auto* const header = reinterpret_cast<const ElfW(Ehdr)*>(start);
  // What is mapped first is the file's beginning, as every linker has it; its segments' table stands in the first page.
  const std::uint64_t mapped = static_cast<std::uint64_t>(static_cast<const std::byte*>(found.dlfo_map_end) - start);
  if (mapped < sizeof *header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return entry;
  if (header->e_phentsize != sizeof(ElfW(Phdr)) || header->e_phoff > 4096 - sizeof *header ||
      header->e_phnum * sizeof(ElfW(Phdr)) > std::min<std::uint64_t>(mapped, 4096) - header->e_phoff)
    return entry;
  const std::span segments(reinterpret_cast<const ElfW(Phdr)*>(start + header->e_phoff), header->e_phnum);
  const std::uint64_t bias = found.dlfo_link_map->l_addr;
  bool has_id = false;
  std::uint64_t offset = 0;
  bool has_offset = false;
  for (const ElfW(Phdr)& segment : segments) {
    const std::uint64_t from = bias + segment.p_vaddr;
    if (segment.p_type == PT_NOTE && !has_id && from - reinterpret_cast<std::uintptr_t>(start) <= mapped - segment.p_filesz)
      has_id = find_build_id({reinterpret_cast<const std::byte*>(from), segment.p_filesz}, segment.p_align == 8 ? 8 : 4, entry.build_id);
    if (segment.p_type == PT_LOAD && address - from < segment.p_memsz) {
      offset = segment.p_offset + (address - from);
      has_offset = true;
    }
  }
  if (!has_id || !has_offset) return {.status = BuildIdEntry::kIp, .build_id = {}, .offset = address};
  entry.status = BuildIdEntry::kValid;
  entry.offset = offset;
  return entry;
}

}  // namespace ring3::exec
