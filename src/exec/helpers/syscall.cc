// What syscall programs do in the name of the client they run for (behaviour.md E.1.3): commands of bpf(2), closing descriptors,
// and looking names up.
#include <string_view>

#include "exec/client.h"
#include "exec/helpers/rows.h"
#include "exec/machine.h"
#include "exec/run_context.h"

namespace ring3::exec {
namespace {

/// A name in `size` bytes of a program's memory that end with its NUL; "" is none.
std::string_view name_in(std::uint64_t address, std::uint64_t size) {
  const auto bytes = static_cast<std::uint32_t>(size);
  const char* const text = pointer_register<char>(address);
  if (bytes <= 1 || bytes > INT32_MAX || text[bytes - 1] != '\0') return {};
  return text;
}

std::uint64_t command(std::uint64_t number, std::uint64_t attr, std::uint64_t bytes, std::uint64_t, std::uint64_t, RunContext& run) {
  if (run.client == nullptr) return error_register(Errno::kInval);
  return to_register(run.client->command(static_cast<int>(number), pointer_register<void>(attr), static_cast<std::uint32_t>(bytes)));
}

std::uint64_t close(std::uint64_t fd, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  if (run.client == nullptr) return error_register(Errno::kBadF);
  return to_register(run.client->close(static_cast<int>(fd)));
}

/// The type's id. Its upper half would be a descriptor of the module whose type it is: there are no modules with types.
std::uint64_t find_type(std::uint64_t name, std::uint64_t size, std::uint64_t kind, std::uint64_t flags, std::uint64_t, RunContext& run) {
  const std::string_view wanted = name_in(name, size);
  if (flags != 0 || wanted.empty()) return error_register(Errno::kInval);
  const auto number = static_cast<std::uint32_t>(kind);
  const bool is_kind = number <= static_cast<std::uint32_t>(btf::Kind::kEnum64);
  const btf::TypeId id = is_kind && run.machine->host_btf != nullptr ? run.machine->host_btf->find(wanted, static_cast<btf::Kind>(number)) : 0;
  return id != 0 ? id : error_register(Errno::kNoEnt);
}

std::uint64_t find_symbol(std::uint64_t name, std::uint64_t size, std::uint64_t flags, std::uint64_t result, std::uint64_t, RunContext& run) {
  auto* const address = pointer_register<std::uint64_t>(result);
  *address = 0;
  const std::string_view wanted = name_in(name, size);
  if (flags != 0 || wanted.empty()) return error_register(Errno::kInval);
  if (run.client == nullptr) return error_register(Errno::kPerm);
  return to_register(run.client->symbol(wanted, address));
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(sys_bpf, command),
    RING3_HELPER(sys_close, close),
    RING3_HELPER(btf_find_by_name_kind, find_type),
    RING3_HELPER(kallsyms_lookup_name, find_symbol),
};

}  // namespace

HelperRows syscall_helpers() { return kRows; }

}  // namespace ring3::exec
