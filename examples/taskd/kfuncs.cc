#include "kfuncs.h"

#include <cerrno>
#include <cstring>

#include "runner.h"

namespace taskd {
namespace {

constexpr std::uint32_t bit(Member member) { return 1u << static_cast<unsigned>(member); }
constexpr std::uint32_t kInserters = bit(Member::kSelectCpu) | bit(Member::kEnqueue) | bit(Member::kDispatch);
constexpr std::uint32_t kLocked = ~(bit(Member::kInit) | bit(Member::kExit));

/// The scheduler that speaks, whatever it does now.
std::shared_ptr<Tenure> tenure_of_timer() {
  Runner* const runner = Runner::current();
  return runner != nullptr ? runner->client_in_charge() : nullptr;
}

template <typename F>
void with_caller(F&& f) {
  if (Call* const call = Call::current()) f(call->tenure);
  else if (const std::shared_ptr<Tenure> tenure = tenure_of_timer()) f(*tenure);
}

/// The call that a function is part of. Null: it may not be used there, and the scheduler ends.
Call* call_in(std::uint32_t members, const char* function) {
  Call* const call = Call::current();
  if (call != nullptr && (members & bit(call->member)) != 0) return call;
  const char* const place = call != nullptr ? member_name(call->member) : "a timer";
  with_caller([&](Tenure& tenure) { tenure.end(TASKD_EXIT_ERROR, 0, "{}() was called in {}", function, place); });
  return nullptr;
}

void insert(task* t, __u64 dsq, __u32 slice, Queue::Order order, __u64 vtime, const char* function) {
  Call* const call = call_in(kInserters, function);
  if (call == nullptr) return;
  if (call->member != Member::kDispatch && call->task != t) {
    call->tenure.end(TASKD_EXIT_ERROR, 0, "{}() inserted {}[{}], which it was not about", member_name(call->member), t->name, t->id);
    return;
  }
  call->tenure.runner.insert(*call, *static_cast<Task*>(t), dsq, slice, order, vtime);
}

std::string_view text_in(const char* text, __u32 room) { return {text, strnlen(text, room)}; }

}  // namespace
}  // namespace taskd

using namespace taskd;

extern "C" {

__s32 taskd_create_dsq(__u64 dsq) {
  const Call* const call = call_in(bit(Member::kInit), "taskd_create_dsq");
  return call != nullptr ? call->tenure.runner.create_queue(call->tenure, dsq) : -EPERM;
}

void taskd_dsq_insert(struct task* task, __u64 dsq, __u32 slice) {
  insert(task, dsq, slice, Queue::Order::kFifo, 0, "taskd_dsq_insert");
}
void taskd_dsq_insert_vtime(struct task* task, __u64 dsq, __u32 slice, __u64 vtime) {
  insert(task, dsq, slice, Queue::Order::kVtime, vtime, "taskd_dsq_insert_vtime");
}
__s32 taskd_dsq_move_to_local(__u64 dsq) {
  const Call* const call = call_in(bit(Member::kDispatch), "taskd_dsq_move_to_local");
  return call != nullptr && call->tenure.runner.move_to_local(*call, dsq);
}
__s32 taskd_dsq_nr_queued(__u64 dsq) {
  const Call* const call = call_in(kLocked, "taskd_dsq_nr_queued");
  return call != nullptr ? call->tenure.runner.queued(*call, dsq) : -EPERM;
}

__s32 taskd_pick_idle_cpu(__s32 prev_cpu) {
  const Call* const call = call_in(kLocked, "taskd_pick_idle_cpu");
  return call != nullptr ? call->tenure.runner.pick_idle(prev_cpu) : -EPERM;
}
__u64 taskd_idle_cpus(void) {
  const Call* const call = call_in(kLocked, "taskd_idle_cpus");
  return call != nullptr ? call->tenure.runner.idle() : 0;
}
__u32 taskd_task_running(struct task* task) {
  const Call* const call = call_in(kLocked, "taskd_task_running");
  return call != nullptr && static_cast<Task*>(task)->state == State::kRunning;
}

void taskd_kick_cpu(__s32 cpu, __u64 kick_flags) {
  Runner* const runner = Runner::current();
  if (runner == nullptr) return;
  if (runner->is_cpu(cpu)) return runner->kick(cpu, kick_flags);
  with_caller([&](Tenure& tenure) { tenure.end(TASKD_EXIT_ERROR, 0, "taskd_kick_cpu() kicked CPU {} of {}", cpu, runner->cpu_count()); });
}
__u32 taskd_nr_cpus(void) {
  const Runner* const runner = Runner::current();
  return runner != nullptr ? runner->cpu_count() : 0;
}

struct task* taskd_task_from_id(__u64 id) {
  Runner* const runner = Runner::current();
  return runner != nullptr ? runner->find(id) : nullptr;
}
struct task* taskd_task_get(struct task* task) { return static_cast<Task*>(task)->acquire() ? task : nullptr; }
void taskd_task_put(struct task* task) { static_cast<Task*>(task)->release(); }

void taskd_error_text(const char* text, __u32 text__sz) {
  with_caller([&](Tenure& tenure) { tenure.end(TASKD_EXIT_ERROR_BPF, 0, text_in(text, text__sz)); });
}
void taskd_exit_text(__s64 exit_code, const char* text, __u32 text__sz) {
  with_caller([&](Tenure& tenure) { tenure.end(TASKD_EXIT_BPF, exit_code, text_in(text, text__sz)); });
}
void taskd_dump_text(const char* text, __u32 text__sz) {
  if (const Call* const call = call_in(bit(Member::kDump), "taskd_dump_text")) call->tenure.dump_line(text_in(text, text__sz));
}

}  // extern "C"

namespace taskd {

ring3::Result<void> offer_kfuncs(ring3::Runtime& runtime) {
  using namespace ring3::kfunc;
  ring3::KptrOptions<task> options = ring3::counted_kptr<task, Task>();
  options.print = [](const task* t, char* text, std::size_t bytes) { return std::snprintf(text, bytes, "%llu", t->id); };

  // Members' programs and their timers alone: others have no place to decide anything from.
  constexpr std::uint64_t kMembers = 1ull << 27;  // BPF_PROG_TYPE_STRUCT_OPS
  const auto in_members = [](std::uint32_t flags) { return ring3::KfuncOptions{.flags = flags, .prog_types = kMembers}; };
  for (const ring3::Result<void>& added : {
           runtime.kptr<task>(options),
           runtime.kfunc<&taskd_create_dsq>(in_members(kSleepable)),
           runtime.kfunc<&taskd_dsq_insert>(in_members(kRcu)),
           runtime.kfunc<&taskd_dsq_insert_vtime>(in_members(kRcu)),
           runtime.kfunc<&taskd_dsq_move_to_local>(in_members(0)),
           runtime.kfunc<&taskd_dsq_nr_queued>(in_members(0)),
           runtime.kfunc<&taskd_pick_idle_cpu>(in_members(0)),
           runtime.kfunc<&taskd_idle_cpus>(in_members(0)),
           runtime.kfunc<&taskd_task_running>(in_members(kRcu)),
           runtime.kfunc<&taskd_kick_cpu>(in_members(0)),
           runtime.kfunc<&taskd_nr_cpus>(in_members(0)),
           runtime.kfunc<&taskd_task_from_id>(in_members(kAcquire | kRetNull)),
           runtime.kfunc<&taskd_task_get>(in_members(kAcquire | kRcu | kRetNull)),
           runtime.kfunc<&taskd_task_put>(in_members(kRelease)),
           runtime.kfunc<&taskd_error_text>(in_members(0)),
           runtime.kfunc<&taskd_exit_text>(in_members(0)),
           runtime.kfunc<&taskd_dump_text>(in_members(0)),
       })
    if (!added.ok()) return added.error();
  return {};
}

namespace {

__s32 idle_or_same(task*, __s32 prev_cpu) {
  const __s32 idle = taskd_pick_idle_cpu(prev_cpu);
  return idle >= 0 ? idle : prev_cpu;
}
void to_global(task* t, __u64) { taskd_dsq_insert(t, TASKD_DSQ_GLOBAL, TASKD_SLICE_DFL); }

}  // namespace

const taskd_ops kBuiltin = {
    .select_cpu = &idle_or_same,
    .enqueue = &to_global,
    .dispatch = [](__s32, task*) {},
    .running = [](task*) {},
    .stopping = [](task*, __u32) {},
    .init_task = [](task*) -> __s32 { return 0; },
    .enable = [](task*) {},
    .exit_task = [](task*) {},
    .dump = [] {},
    .init = []() -> __s32 { return 0; },
    .exit = [](taskd_exit_info*) {},
    .flags = 0,
    .timeout_ms = 0,
    .name = "built-in",
};

}  // namespace taskd
