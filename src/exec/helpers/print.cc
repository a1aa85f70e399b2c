// Printing: into the host's log, and into a buffer of the program.
#include <algorithm>
#include <span>
#include <string_view>

#include "exec/helpers/print_format.h"
#include "exec/helpers/rows.h"
#include "exec/host_services.h"
#include "exec/program_entry.h"
#include "exec/run_context.h"
#include "model/printf_format.h"

namespace ring3::exec {
namespace {

constexpr std::size_t kMaxLine = 1024;

std::string_view format_of(std::uint64_t format, std::uint64_t size) {
  return {pointer_register<char>(format), static_cast<std::uint32_t>(size)};
}

/// Prints one line; the host adds who, where and the line's end. Returns the bytes printed.
std::uint64_t print_line(RunContext& run, std::string_view format, std::span<const std::uint64_t> args) {
  char line[kMaxLine];
  const Result<std::size_t> printed = print_format(line, format, args);
  if (!printed) return error_register(printed.error());
  const std::size_t length = std::min(*printed, sizeof(line) - 1);
  std::string_view text(line, length);
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  run.host->printk(run.entry != nullptr ? run.entry->owner().get() : std::string_view(), text);
  return length;
}

std::uint64_t trace_printk(std::uint64_t format, std::uint64_t size, std::uint64_t arg1, std::uint64_t arg2,
                           std::uint64_t arg3, RunContext& run) {
  const std::uint64_t args[] = {arg1, arg2, arg3};
  return print_line(run, format_of(format, size), args);
}

/// Arguments as an array of 64-bit words.
bool are_arguments(std::uint64_t data, std::uint64_t bytes) {
  const std::uint32_t length = static_cast<std::uint32_t>(bytes);
  return length % 8 == 0 && length <= model::kMaxPrintfArgs * 8 && (length == 0 || data != 0);
}
std::span<const std::uint64_t> arguments(std::uint64_t data, std::uint64_t bytes) {
  return {pointer_register<const std::uint64_t>(data), static_cast<std::uint32_t>(bytes) / 8};
}

std::uint64_t trace_vprintk(std::uint64_t format, std::uint64_t size, std::uint64_t data, std::uint64_t bytes,
                            std::uint64_t, RunContext& run) {
  if (!are_arguments(data, bytes)) return error_register(Errno::kInval);
  return print_line(run, format_of(format, size), arguments(data, bytes));
}

/// Returns the length with the NUL, also when it was cut. The format is a constant string the verifier has
/// seen the NUL of; how long it may be is not passed.
std::uint64_t snprintf(std::uint64_t to, std::uint64_t size, std::uint64_t format, std::uint64_t data,
                       std::uint64_t bytes, RunContext&) {
  if (!are_arguments(data, bytes)) return error_register(Errno::kInval);
  const std::string_view text(pointer_register<char>(format));
  const Result<std::size_t> printed =
      print_format({pointer_register<char>(to), static_cast<std::uint32_t>(size)},
                   {text.data(), text.size() + 1}, arguments(data, bytes));
  return printed ? *printed + 1 : error_register(printed.error());
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(trace_printk, trace_printk),
    RING3_HELPER(trace_vprintk, trace_vprintk),
    RING3_HELPER(snprintf, snprintf),
};

}  // namespace

HelperRows print_helpers() { return kRows; }

}  // namespace ring3::exec
