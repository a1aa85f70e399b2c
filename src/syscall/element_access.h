// Shared by the element and the batch commands: keys from the caller, and descriptors inside values.
#pragma once

#include <cstddef>
#include <cstdint>
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

/// key_size bytes; none for a kind without keys. Errors: kFault; kInval a key for a kind without.
Result<std::vector<std::byte>> read_key(Call& call, const maps::Map& map, std::uint64_t address);

}  // namespace ring3::syscall
