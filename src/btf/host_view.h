// An object of the runtime as the host's BTF describes it: a zeroed struct whose members are filled in by name. Programs
// read it with plain loads, whatever layout the BTF has (a kernel's own, when a client brought that); members that the
// BTF does not have are left out, members the runtime does not know read as zero.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "btf/btf.h"

namespace ring3::btf {

class HostView {
 public:
  /// name: of a struct. Without one in the BTF there is an empty view.
  HostView(const Btf& btf, std::string_view name);

  void clear();
  /// path: names with dots between them ("refcnt.counter"); anonymous members are looked through. Numbers are cut to the
  /// member's size; bit fields are left alone.
  void set(std::string_view path, std::uint64_t value);
  void set_text(std::string_view path, std::string_view text);
  void set_pointer(std::string_view path, const void* pointer) {
    set(path, reinterpret_cast<std::uintptr_t>(pointer));
  }
  void* data() { return memory_.data(); }
  /// Where a member starts; none: the BTF has no such member.
  std::optional<std::size_t> offset(std::string_view path) const;

 private:
  struct Place {
    std::size_t off = 0;
    std::size_t bytes = 0;  // 0: no such member
  };
  Place find(std::string_view path) const;

  const Btf& btf_;
  const TypeId type_;
  std::size_t bytes_;
  std::vector<std::uint64_t> memory_;
};

}  // namespace ring3::btf
