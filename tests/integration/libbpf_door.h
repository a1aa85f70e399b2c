// libbpf inside this process: while a LibbpfDoor lives, libbpf's bpf(2) goes to its runtime and the machine's vmlinux
// BTF reads as that runtime's (control/libbpf_door.h redirects the calls).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/memfd.h"
#include "control/libbpf_door.h"
#include "ring3/runtime.h"

// The machine's <linux/bpf.h> and uapi/bpf.h say the same names, so libbpf's headers stay in libbpf_door.cc.
struct bpf_object;
struct bpf_link;

namespace ring3::test {

/// One at a time.
class LibbpfDoor final : public control::LibbpfAnswers {
 public:
  LibbpfDoor(Runtime& runtime, BtfBlob btf);
  ~LibbpfDoor();
  LibbpfDoor(const LibbpfDoor&) = delete;
  LibbpfDoor& operator=(const LibbpfDoor&) = delete;

  /// What libbpf has printed since the last call.
  std::string take_text();

  long bpf(int cmd, void* attr, std::uint32_t size, void* common, std::uint32_t common_size) override;
  Result<OwnedFd> types() override { return memfd_of("btf", {static_cast<const std::byte*>(btf_.data), btf_.size}); }

 private:
  Runtime& runtime_;
  const BtfBlob btf_;
};

struct CloseObject {
  void operator()(bpf_object* object) const;
};

struct DestroyLink {
  void operator()(bpf_link* link) const;
};
/// A link of libbpf's; null: errno says why there is none. Its end closes the descriptor.
using LibbpfLink = std::unique_ptr<bpf_link, DestroyLink>;

/// An object file, opened and nothing more. A newer object is made readable for libbpf 1.1 the way the ring3 command
/// does it, and its struct_ops maps get the flavour their section names.
class ObjectFile {
 public:
  /// open_error(): 0, or the negative errno of libbpf.
  explicit ObjectFile(const char* path);

  int open_error() const { return open_error_; }
  /// libbpf's result: 0 or a negative errno.
  int load();
  /// The same with one of its programs and all of its maps.
  int load_only(const char* program);
  /// The same with one that replaces or traces a function of a loaded program.
  int load_onto(const char* program, int target, const char* function);
  /// bpf_program__attach: where the program says itself.
  LibbpfLink attach_program(const char* program);
  /// bpf_program__attach_freplace, onto another function than at load, or the same.
  LibbpfLink replace(const char* program, int target, const char* function);
  /// What a variable's map (".rodata", ".data") holds, before load(). Null: no such map.
  void* initial(const char* map, std::size_t& bytes);
  /// Descriptors; negative when not created.
  int map(const char* name) const;
  int program(const char* name) const;
  /// The map of the global variables in .bss.
  int bss() const;
  /// Fills a struct_ops map, and links it where it is of that flavour. The descriptor of the link, 0 for a classic map,
  /// or a negative errno.
  int attach(const char* map);
  /// The first half of it.
  int fill(const char* map);

 private:
  std::unique_ptr<bpf_object, CloseObject> object_;
  int open_error_ = 0;
  bool link_flavour_ = false;
};

}  // namespace ring3::test
