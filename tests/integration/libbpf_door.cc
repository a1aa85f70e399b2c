#include "tests/integration/libbpf_door.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "cli/object_file.h"

namespace {

std::string door_text;

// Newer than the machine's headers may be.
constexpr __u32 kLinkFlag = 1u << 13;
constexpr auto kStructOpsAttach = static_cast<bpf_attach_type>(44);

int keep_text(libbpf_print_level level, const char* format, va_list args) {
  if (level == LIBBPF_DEBUG) return 0;
  char* line = nullptr;  // as long as a verifier's log
  const int length = ::vasprintf(&line, format, args);
  if (length >= 0) door_text += line;
  std::free(line);
  return length;
}

}  // namespace

namespace ring3::test {

LibbpfDoor::LibbpfDoor(Runtime& runtime, BtfBlob btf) : runtime_(runtime), btf_(btf) {
  door_text.clear();
  libbpf_set_print(&keep_text);
  EXPECT_TRUE(control::route_libbpf_to(*this).ok());
}

LibbpfDoor::~LibbpfDoor() { (void)control::route_libbpf(nullptr); }

long LibbpfDoor::bpf(int cmd, void* attr, std::uint32_t size, void*, std::uint32_t) { return runtime_.bpf(cmd, attr, size); }

std::string LibbpfDoor::take_text() { return std::exchange(door_text, {}); }

ObjectFile::ObjectFile(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> raw((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto* first = reinterpret_cast<const std::byte*>(raw.data());
  std::vector<std::byte> bytes(first, first + raw.size());
  cli::ObjectNotes notes;
  const std::string wrong = cli::prepare_object(bytes, notes);
  EXPECT_EQ(wrong, "") << path;
  link_flavour_ = notes.struct_ops_link;
  object_.reset(bpf_object__open_mem(bytes.data(), bytes.size(), nullptr));
  if (object_ == nullptr) {
    open_error_ = -errno;
    return;
  }
  cli::mark_sleepable(object_.get(), notes);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get()) {
    if (bpf_map__type(map) != BPF_MAP_TYPE_STRUCT_OPS) continue;
    const __u32 flags = bpf_map__map_flags(map) | (link_flavour_ ? kLinkFlag : 0);
    EXPECT_EQ(bpf_map__set_map_flags(map, flags), 0);
    EXPECT_EQ(bpf_map__set_autocreate(map, notes.struct_ops_autocreate), 0);
  }
}

void CloseObject::operator()(bpf_object* object) const { bpf_object__close(object); }

int ObjectFile::load() {
  return object_ != nullptr ? bpf_object__load(object_.get()) : open_error_;
}

void* ObjectFile::initial(const char* name, std::size_t& bytes) {
  const std::string_view wanted = name;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get())
    if (std::string_view(bpf_map__name(map)).ends_with(wanted)) return const_cast<void*>(bpf_map__initial_value(map, &bytes));
  return nullptr;
}

int ObjectFile::load_only(const char* program) {
  bpf_program* one = nullptr;
  bpf_object__for_each_program(one, object_.get())
    bpf_program__set_autoload(one, std::string_view(bpf_program__name(one)) == program);
  return load();
}

int ObjectFile::load_onto(const char* program, int target, const char* function) {
  bpf_program* one = bpf_object__find_program_by_name(object_.get(), program);
  const int found = bpf_program__set_attach_target(one, target, function);
  return found != 0 ? found : load_only(program);
}

void DestroyLink::operator()(bpf_link* link) const { bpf_link__destroy(link); }

LibbpfLink ObjectFile::attach_program(const char* program) {
  return LibbpfLink(bpf_program__attach(bpf_object__find_program_by_name(object_.get(), program)));
}

LibbpfLink ObjectFile::replace(const char* program, int target, const char* function) {
  return LibbpfLink(bpf_program__attach_freplace(bpf_object__find_program_by_name(object_.get(), program), target, function));
}

int ObjectFile::map(const char* name) const {
  return bpf_map__fd(bpf_object__find_map_by_name(object_.get(), name));
}

int ObjectFile::program(const char* name) const {
  return bpf_program__fd(bpf_object__find_program_by_name(object_.get(), name));
}

int ObjectFile::bss() const {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object_.get())
    if (std::string_view(bpf_map__name(map)).ends_with(".bss")) return bpf_map__fd(map);
  return -1;
}

int ObjectFile::fill(const char* name) {
  bpf_map* table = bpf_object__find_map_by_name(object_.get(), name);
  // libbpf 1.1 knows the classic flavour: its "link" fills the map, and would empty it at the end.
  bpf_link* filled = bpf_map__attach_struct_ops(table);
  if (filled == nullptr) return -errno;
  bpf_link__disconnect(filled);
  bpf_link__destroy(filled);
  return 0;
}

int ObjectFile::attach(const char* name) {
  const int filled = fill(name);
  if (filled != 0 || !link_flavour_) return filled;
  const bpf_map* table = bpf_object__find_map_by_name(object_.get(), name);
  const int fd = bpf_link_create(bpf_map__fd(table), 0, kStructOpsAttach, nullptr);
  return fd < 0 ? -errno : fd;
}

}  // namespace ring3::test
