// Output of iterator programs. The seq_file a program passes is the one it was given; the run knows where it leads.
#include <span>
#include <string_view>

#include "exec/helpers/print_format.h"
#include "exec/helpers/rows.h"
#include "exec/run_context.h"
#include "exec/seq_output.h"
#include "model/printf_format.h"

namespace ring3::exec {
namespace {

std::uint64_t seq_printf(std::uint64_t, std::uint64_t format, std::uint64_t size, std::uint64_t data,
                         std::uint64_t bytes, RunContext& run) {
  const std::uint32_t length = static_cast<std::uint32_t>(bytes);
  if (length % 8 != 0 || length > model::kMaxPrintfArgs * 8 || (length != 0 && data == 0)) return error_register(Errno::kInval);
  if (run.seq == nullptr) return error_register(Errno::kInval);
  const std::span<char> room = run.seq->room();
  const Result<std::size_t> printed =
      print_format(room, {pointer_register<char>(format), static_cast<std::uint32_t>(size)},
                   {pointer_register<const std::uint64_t>(data), length / 8});
  if (!printed) return error_register(printed.error());
  // The NUL needs room too: a text that ends where the buffer does was cut.
  if (*printed >= room.size()) run.seq->overflow();
  else run.seq->used(*printed);
  return run.seq->overflowed() ? error_register(Errno::kOverflow) : 0;
}

std::uint64_t seq_write(std::uint64_t, std::uint64_t data, std::uint64_t size, std::uint64_t, std::uint64_t,
                        RunContext& run) {
  if (run.seq == nullptr) return error_register(Errno::kInval);
  const bool fits = run.seq->append(pointer_register<const void>(data), static_cast<std::uint32_t>(size));
  return fits ? 0 : error_register(Errno::kOverflow);
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(seq_printf, seq_printf),
    RING3_HELPER(seq_write, seq_write),
};

}  // namespace

HelperRows seq_helpers() { return kRows; }

}  // namespace ring3::exec
