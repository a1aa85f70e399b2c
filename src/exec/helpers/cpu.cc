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

/// What is counted up, one stream a thread, seeded by the system: fast, and no promise of secrecy (as the kernel's). 0: not yet
/// seeded; the stream comes by it once in 2^64 numbers and is then seeded again.
constinit thread_local std::uint64_t t_random __attribute__((tls_model("initial-exec"))) = 0;

/// Both halves of the product of a count and the same count with other bits.
inline std::uint64_t next_random(std::uint64_t count) {
  count += 0x9e3779b97f4a7c15;
  t_random = count;
  __extension__ typedef unsigned __int128 Wide;
  const Wide product = static_cast<Wide>(count) * (count ^ 0xd6e8feb86659fd93);
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64));
}

__attribute__((noinline, cold)) std::uint64_t first_random() {
  std::uint64_t state = 0;
  if (getrandom(&state, sizeof(state), GRND_NONBLOCK) != static_cast<ssize_t>(sizeof(state)))
    state = reinterpret_cast<std::uintptr_t>(&t_random);
  return next_random(state);
}

/// Calls first_random() last, so that it saves no register.
std::uint64_t prandom_u32(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, RunContext&) {
  const std::uint64_t z = t_random;
  return __builtin_expect(z != 0, 1) ? next_random(z) : first_random();
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(get_smp_processor_id, smp_processor_id),
    RING3_HELPER(get_numa_node_id, numa_node_id),
    RING3_HELPER(get_prandom_u32, prandom_u32),
};

}  // namespace

HelperRows cpu_helpers() { return kRows; }

}  // namespace ring3::exec
