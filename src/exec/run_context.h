// One run of one program on one thread: what helpers see of the world.
#pragma once

#include <cstdint>

namespace ring3::exec {

class ProgramEntry;
class HostServices;

struct RunContext {
  HostServices* host = nullptr;        // clock, tasks, printk sink, …: the runtime that owns the program
  const ProgramEntry* entry = nullptr; // the program that was entered (tail calls change it)
  std::uint32_t cpu = 0;               // slot, valid when the program touches per-CPU state
  std::uint32_t tail_calls = 0;
  std::uint64_t attach_cookie = 0;
};

}  // namespace ring3::exec
