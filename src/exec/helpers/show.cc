// Values by the host's types: bpf_snprintf_btf() and bpf_seq_printf_btf(). The value is read as untrusted memory, whole and once,
// so what is shown is what was there at one moment or an errno.
#include <algorithm>
#include <cstring>
#include <new>
#include <random>
#include <vector>

#include "base/text_sink.h"
#include "btf/print.h"
#include "exec/fault.h"
#include "exec/helpers/rows.h"
#include "exec/machine.h"
#include "exec/run_context.h"
#include "exec/seq_output.h"

namespace ring3::exec {
namespace {

/// struct btf_ptr of the ABI.
struct TypedAddress {
  std::uint64_t address;
  std::uint32_t type, flags;
};

enum : std::uint64_t { kCompact = 1, kNoName = 2, kRawPointers = 4, kZeros = 8 };  // BTF_F_*
constexpr std::size_t kMaxBytes = 64 * 1024;

std::uint64_t pointer_key() {
  static const std::uint64_t key = (std::uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  return key;
}

Result<std::string> shown(const TypedAddress& what, std::uint64_t flags, RunContext& run) {
  const auto& types = run.machine->host_btf;
  if (types == nullptr || what.flags != 0 || what.type == btf::kVoid || types->type(what.type) == nullptr) return Errno::kInval;
  const std::size_t bytes = types->size_of(what.type).value_or(0);
  if (bytes > kMaxBytes) return Errno::kTooBig;
  std::vector<std::byte> copy(bytes);
  if (bytes != 0 && !copy_untrusted(copy.data(), what.address, bytes)) return Errno::kFault;
  StringSink text;
  btf::show_value(*types, what.type, copy,
                  {.compact = (flags & kCompact) != 0, .nameless = (flags & kNoName) != 0,
                   .raw_pointers = (flags & kRawPointers) != 0, .zeros = (flags & kZeros) != 0, .pointer_key = pointer_key()},
                  text);
  return text.take();
}

/// Helpers are called from machine code: nothing is thrown through it.
Result<std::string> text_of(std::uint64_t record, std::uint64_t record_bytes, std::uint64_t flags, RunContext& run) {
  constexpr std::uint64_t kKnown = kCompact | kNoName | kRawPointers | kZeros;
  if (static_cast<std::uint32_t>(record_bytes) != sizeof(TypedAddress) || (flags & ~kKnown) != 0) return Errno::kInval;
  TypedAddress what;
  std::memcpy(&what, pointer_register<void>(record), sizeof what);
  try {
    return shown(what, flags, run);
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
}

/// Returns the length without NUL that an endless buffer would have taken.
std::uint64_t snprintf_btf(std::uint64_t to, std::uint64_t size, std::uint64_t record, std::uint64_t record_bytes,
                           std::uint64_t flags, RunContext& run) {
  const Result<std::string> text = text_of(record, record_bytes, flags, run);
  if (!text.ok()) return error_register(text.error());
  const auto room = static_cast<std::uint32_t>(size);
  if (room != 0) {
    const std::size_t length = std::min<std::size_t>(text->size(), room - 1);
    std::memcpy(pointer_register<char>(to), text->data(), length);
    pointer_register<char>(to)[length] = '\0';
  }
  return text->size();
}

std::uint64_t seq_printf_btf(std::uint64_t, std::uint64_t record, std::uint64_t record_bytes, std::uint64_t flags,
                             std::uint64_t, RunContext& run) {
  if (run.seq == nullptr) return error_register(Errno::kInval);
  const Result<std::string> text = text_of(record, record_bytes, flags, run);
  if (!text.ok()) return error_register(text.error());
  (void)run.seq->append(text->data(), text->size());  // what did not fit is shown again
  return 0;
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(snprintf_btf, snprintf_btf),
    RING3_HELPER(seq_printf_btf, seq_printf_btf),
};

}  // namespace

HelperRows show_helpers() { return kRows; }

}  // namespace ring3::exec
