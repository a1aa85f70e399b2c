#include "syscall/bpf.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <new>

#include "base/try.h"
#include "syscall/call.h"
#include "syscall/command_table.h"

namespace ring3::syscall {
namespace {

/// The record of the five-argument form. Its first published size ends with log_true_size.
struct CommonAttrRecord {
  std::uint64_t log_buf;
  std::uint32_t log_size;
  std::uint32_t log_level;
  std::uint32_t log_true_size;
  std::uint32_t padding;
};
constexpr AttrField kCommonTrueSize = {offsetof(CommonAttrRecord, log_true_size), sizeof(std::uint32_t)};

std::uint64_t monotonic_ns() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

/// The size rules shared by attributes and info records (behaviour.md 0.1.1): longer is fine when the tail is
/// zero, shorter reads as zero.
template <typename Record>
Result<void> copy_in(UserMemory& memory, std::uint64_t address, std::uint32_t size, Record& record) {
  static const auto page = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
  if (size > page) return Errno::kTooBig;
  if (size > sizeof(Record) && !RING3_TRY(memory.is_zero(address + sizeof(Record), address + size)))
    return Errno::kTooBig;
  std::memset(static_cast<void*>(&record), 0, sizeof record);
  const std::size_t bytes = std::min<std::size_t>(size, sizeof record);
  return memory.read(address, std::as_writable_bytes(std::span(&record, 1)).first(bytes));
}

bool tail_is_zero(const uapi::bpf_attr& attr, AttrField last) {
  static constexpr unsigned char kZeroes[sizeof attr] = {};
  return std::memcmp(reinterpret_cast<const unsigned char*>(&attr) + last.end(), kZeroes, sizeof attr - last.end()) == 0;
}

bool has_right(const model::Rights& rights, Right wanted) {
  switch (wanted) {
    case Right::kNone: return true;
    case Right::kBpf: return rights.has_bpf();
    case Right::kSysAdmin: return rights.sys_admin;
  }
  return false;
}

/// Writes the outputs that the handler changed, as far as the client's attribute reaches.
Result<void> copy_out(UserMemory& memory, const Command& command, const uapi::bpf_attr& before,
                      const uapi::bpf_attr& after, std::uint64_t address, std::uint32_t size) {
  const auto* was = reinterpret_cast<const std::byte*>(&before);
  const auto* is = reinterpret_cast<const std::byte*>(&after);
  for (const AttrField& field : command.outputs) {
    if (field.end() > size || std::memcmp(was + field.offset, is + field.offset, field.bytes) == 0) continue;
    RING3_TRY(memory.write(address + field.offset, {is + field.offset, field.bytes}));
  }
  return {};
}

Result<void> read_common(UserMemory& memory, const CommonAttrs& common, CommonLog& log) {
  if (common.size < kCommonTrueSize.end()) return Errno::kInval;
  CommonAttrRecord record;
  RING3_TRY(copy_in(memory, common.address, common.size, record));
  RING3_TRY(prog::LogBuffer::check_attr(record.log_level, record.log_size, record.log_buf != 0));
  log = CommonLog{record.log_buf, record.log_size, record.log_level, 0, true};
  return {};
}

std::string what_is_unknown(int cmd) {
  for (const NewerCommand& newer : newer_commands())
    if (newer.number == cmd) return std::string(newer.name) + " is newer than Linux 6.12, whose commands this host has";
  return "bpf(2) has no command " + std::to_string(cmd);
}

Result<long> answer(Kernel& kernel, Caller& caller, int cmd, std::uint64_t address, std::uint32_t size,
                    CommonAttrs common_attrs) {
  UserMemory& memory = caller.memory();
  CommonLog common;
  if ((cmd & uapi::BPF_COMMON_ATTRS) != 0) {
    cmd &= ~uapi::BPF_COMMON_ATTRS;
    RING3_TRY(read_common(memory, common_attrs, common));
  }
  uapi::bpf_attr attr;
  RING3_TRY(copy_in(memory, address, size, attr));
  const Command* command = find_command(cmd);
  if (command == nullptr) {
    Call(kernel, caller, common).explain(what_is_unknown(cmd));
    return Errno::kInval;
  }
  RING3_TRY(kernel.services().permit(caller.credentials(), cmd));
  if (!tail_is_zero(attr, command->last)) return Errno::kInval;
  if (command->support == Support::kRefused) return command->refusal;
  if (!command->right_in_handler && !has_right(caller.rights(), command->right)) return Errno::kPerm;

  const uapi::bpf_attr before = attr;
  Call call(kernel, caller, common);
  Result<long> result = command->handler(call, attr);
  const Result<void> copied = copy_out(memory, *command, before, attr, address, size);
  if (common.present)
    (void)memory.write_value(common_attrs.address + kCommonTrueSize.offset, common.true_size).ok();
  if (result.ok() && !copied.ok()) return copied.error();
  return result;
}

/// Whether a command can tell that an object has gone whose last descriptor was closed before. Those that look at elements of a map they
/// were given cannot, and are what clients do most.
bool tells_who_is_gone(int cmd) {
  switch (cmd) {
    case uapi::BPF_MAP_LOOKUP_ELEM:
    case uapi::BPF_MAP_UPDATE_ELEM:
    case uapi::BPF_MAP_DELETE_ELEM:
    case uapi::BPF_MAP_GET_NEXT_KEY: return false;
    default: return true;
  }
}

}  // namespace

long bpf(Kernel& kernel, Caller& caller, int cmd, std::uint64_t attr, std::uint32_t size, CommonAttrs common_attrs) {
  const bool tracing = kernel.services().tracing();
  const std::uint64_t start_ns = tracing ? monotonic_ns() : 0;
  if (tells_who_is_gone(cmd)) kernel.descriptors().drain();
  long result;
  try {
    const Result<long> answered = answer(kernel, caller, cmd, attr, size, common_attrs);
    result = answered.ok() ? answered.value() : to_syscall(answered.error());
  } catch (const std::bad_alloc&) {
    result = to_syscall(Errno::kNoMem);
  }
  if (tracing) {
    const int number = cmd & ~uapi::BPF_COMMON_ATTRS;
    const Command* command = find_command(number);
    kernel.services().trace({number, command != nullptr ? command->name : "", caller.credentials(), size, result,
                             monotonic_ns() - start_ns});
  }
  return result;
}

}  // namespace ring3::syscall
