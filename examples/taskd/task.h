// A task: a body that runs in steps, and what the runner knows about it. Programs see its base, struct task.
#pragma once

#include <cstdint>
#include <string_view>

#include "ring3/counted.h"
#include "taskd_ops.h"

namespace taskd {

struct Task;
struct Tenure;
class Queue;

/// What a body wants next.
enum class Step : std::uint8_t { kAgain, kSleep, kDone };
/// One step of a task's work, on the worker that runs it. Must not block. May wake and spawn tasks.
using Body = Step (*)(Task& task, void* arg);

enum class State : std::uint8_t {
  kAsleep,
  kHeld,    // runnable, in no queue: the scheduler has it in mind
  kQueued,
  kRunning,
  kDone,
};

/// Counted by ring3: programs may keep references to one that has ended. Everything but id, body, arg and note belongs to the runner's lock.
struct Task final : task, ring3::Counted<Task> {
  Task(std::uint64_t number, std::string_view called, std::uint32_t heavy, Body does, void* with);
  ~Task();

  const Body body;
  void* const arg;
  std::uint64_t note = 0;  // the body's own
  State state = State::kAsleep;
  bool woken = false;                 // while it ran
  std::uint64_t runnable_since_ns = 0;
  const Tenure* enabled_by = nullptr;  // the scheduler that has been told of it
  Queue* queue = nullptr;             // kQueued
  Task *before = nullptr, *behind = nullptr;  // there
};

}  // namespace taskd
