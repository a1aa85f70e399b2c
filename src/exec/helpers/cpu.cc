// Where the program runs, and random numbers.
#include <sched.h>
#include <sys/random.h>

#include "exec/helpers/rows.h"
#include "exec/machine.h"
#include "exec/run_context.h"

namespace ring3::exec {
namespace {

/// The leased slot; a program without one gets a valid number that may be another's too.
std::uint64_t smp_processor_id(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                               RunContext& run) {
  return run.holds_slot ? run.cpu : run.machine->slots.preferred();
}

std::uint64_t numa_node_id(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  unsigned cpu = 0, node = 0;
  return getcpu(&cpu, &node) == 0 ? node : 0;
}

/// State of splitmix64, one stream a thread, seeded by the system: fast, and no promise of secrecy (as the kernel's). 0: not yet
/// seeded; the stream comes by it once in 2^64 numbers and is then seeded again.
constinit thread_local std::uint64_t t_random __attribute__((tls_model("initial-exec"))) = 0;

__attribute__((noinline, cold)) std::uint64_t seed() {
  std::uint64_t state = 0;
  if (getrandom(&state, sizeof(state), GRND_NONBLOCK) != static_cast<ssize_t>(sizeof(state)))
    state = reinterpret_cast<std::uintptr_t>(&t_random);
  return state;
}

std::uint64_t prandom_u32(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  std::uint64_t z = t_random;
  if (__builtin_expect(z == 0, 0)) z = seed();
  z += 0x9e3779b97f4a7c15;
  t_random = z;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return static_cast<std::uint32_t>((z ^ (z >> 31)) >> 32);
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(get_smp_processor_id, smp_processor_id),
    RING3_HELPER(get_numa_node_id, numa_node_id),
    RING3_HELPER(get_prandom_u32, prandom_u32),
};

}  // namespace

HelperRows cpu_helpers() { return kRows; }

}  // namespace ring3::exec
