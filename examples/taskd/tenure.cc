#include "tenure.h"

#include <algorithm>
#include <cstring>

#include "runner.h"

namespace taskd {
namespace {

thread_local Call* t_call = nullptr;

struct Reason {
  taskd_exit_kind kind;
  const char* text;
};
constexpr Reason kReasons[] = {
    {TASKD_EXIT_UNREG, "unregistered"},
    {TASKD_EXIT_REPLACED, "replaced by another scheduler"},
    {TASKD_EXIT_BPF, "ended by itself"},
    {TASKD_EXIT_ERROR, "error"},
    {TASKD_EXIT_ERROR_BPF, "error reported by itself"},
    {TASKD_EXIT_ERROR_STALL, "runnable task stall"},
};
const char* reason_text(taskd_exit_kind kind) {
  for (const Reason& r : kReasons)
    if (r.kind == kind) return r.text;
  return "unknown";
}

template <std::size_t N>
void put_text(char (&to)[N], std::string_view text) {
  const std::size_t length = std::min(text.size(), N - 1);
  std::memcpy(to, text.data(), length);
  to[length] = 0;
}

std::uint64_t timeout_of(const taskd_ops& ops) {
  return (ops.timeout_ms != 0 ? ops.timeout_ms : std::uint64_t{TASKD_TIMEOUT_MAX_MS}) * 1'000'000;
}

}  // namespace

Tenure::Tenure(Runner& of, const taskd_ops& table)
    : runner(of), ops(table), name(table.name), timeout_ns(timeout_of(table)) {}

void Tenure::end(taskd_exit_kind kind, std::int64_t code, std::string_view message) noexcept {
  const std::lock_guard lock(reason_mutex_);
  if (ending() != TASKD_EXIT_NONE) return;
  info.kind = kind;
  info.exit_code = code;
  put_text(info.reason, reason_text(kind));
  put_text(info.message, message);
  ending_.store(kind, std::memory_order_release);
  runner.look_after();
}

void Tenure::dump_line(std::string_view line) noexcept {
  const std::size_t room = sizeof info.dump - 1 - dump_length_;
  if (line.size() + 1 > room) return;
  std::memcpy(info.dump + dump_length_, line.data(), line.size());
  dump_length_ += line.size();
  info.dump[dump_length_++] = '\n';
}

const char* member_name(Member member) {
  static constexpr const char* kNames[] = {"select_cpu", "enqueue", "dispatch",  "running", "stopping", "init_task",
                                           "enable",     "exit_task", "dump", "init",    "exit"};
  return kNames[static_cast<std::size_t>(member)];
}

Call::Call(Tenure& of, Member what, Task* about, std::int32_t on_cpu) : tenure(of), member(what), task(about), cpu(on_cpu) {
  t_call = this;
}
Call::~Call() { t_call = nullptr; }
Call* Call::current() { return t_call; }

}  // namespace taskd
