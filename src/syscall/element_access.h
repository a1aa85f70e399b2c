// Shared by the element and the batch commands: keys from the caller, and descriptors inside values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "maps/map_ops.h"
#include "syscall/call.h"

namespace ring3::syscall {

/// Descriptors that stand in keys and values, resolved in the caller's table.
class CallFds final : public maps::FdSource {
 public:
  explicit CallFds(Call& call) : call_(call) {}
  Result<Ref<Object>> object(std::int32_t fd, ObjectKind kind) override;
  Result<bool> is_socket(std::int32_t fd) override;

 private:
  Call& call_;
};

/// maps::update_elem(), and a text when the limit of all maps (RuntimeOptions::map_memory_bytes) may be why there is no memory.
Result<void> update_explained(Call& call, maps::Map& map, std::span<const std::byte> key, std::span<const std::byte> value,
                              std::uint64_t flags);

/// key_size bytes; none for a kind without keys. Errors: kFault; kInval a key for a kind without.
Result<std::vector<std::byte>> read_key(Call& call, const maps::Map& map, std::uint64_t address);

}  // namespace ring3::syscall
