#include "exec/fault.h"

#include <signal.h>
#include <ucontext.h>

#include <algorithm>

#include "base/mutex.h"
#include "exec/engine.h"
#include "exec/fault_routines.h"

namespace ring3::exec {
namespace {

// A process has one handler a signal, so this is the one piece of state runtimes share.
struct Chained {
  int signal;
  struct sigaction former;  // written only while our handler is not installed
  bool left_in_chain;       // somebody chained to us when we wanted to go: stay, and do not install twice
};

Mutex install_mutex;
unsigned guards RING3_GUARDED_BY(install_mutex) = 0;
Chained chained[] = {{.signal = SIGSEGV, .former = {}, .left_in_chain = false},
                     {.signal = SIGBUS, .former = {}, .left_in_chain = false}};

/// Read by the handler: of the program that runs on this thread, whose instruction it must be.
std::span<const FaultEntry> faults_of_run() noexcept {
  const RunContext* const run = current_run();
  return run != nullptr && run->code != nullptr ? run->code->faults() : std::span<const FaultEntry>();
}

const void* fixup_of(const void* insn) noexcept {
  for (const FaultEntry& entry : fault_table())
    if (entry.insn == insn) return entry.fixup;
  const std::span<const FaultEntry> own = faults_of_run();
  const auto at = std::lower_bound(own.begin(), own.end(), insn,
                                   [](const FaultEntry& entry, const void* i) { return entry.insn < i; });
  return at != own.end() && at->insn == insn ? at->fixup : nullptr;
}

/// Moves a faulting context to its fix-up. False: not one of ours.
bool fix_up(void* context) noexcept {
#if defined(__x86_64__)
  greg_t& pc = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
  const void* const fixup = fixup_of(reinterpret_cast<const void*>(pc));
  if (fixup != nullptr) pc = reinterpret_cast<greg_t>(fixup);
  return fixup != nullptr;
#else
  (void)context;
  return false;
#endif
}

void call_former(const struct sigaction& former, int signal, siginfo_t* info, void* context) noexcept {
  if ((former.sa_flags & SA_SIGINFO) != 0) {
    former.sa_sigaction(signal, info, context);
    return;
  }
  const bool sent = info->si_code <= 0;  // by kill() and the like: returning would not repeat it
  if (former.sa_handler == SIG_IGN && sent) return;
  if (former.sa_handler == SIG_IGN || former.sa_handler == SIG_DFL) {
    // A real fault cannot be ignored: with the default action back in place it repeats and ends the
    // process as it would have without us.
    struct sigaction by_default = {};
    by_default.sa_handler = SIG_DFL;
    sigaction(signal, &by_default, nullptr);
    if (sent) raise(signal);
    return;
  }
  former.sa_handler(signal);
}

void on_fault(int signal, siginfo_t* info, void* context) {
  if (info->si_code > 0 && fix_up(context)) return;
  for (const Chained& c : chained) {
    if (c.signal != signal) continue;
    // The former handler expects what its own registration would have blocked.
    sigset_t before;
    pthread_sigmask(SIG_BLOCK, &c.former.sa_mask, &before);
    call_former(c.former, signal, info, context);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
}

void install(Chained& c) RING3_REQUIRES(install_mutex) {
  if (c.left_in_chain) return;
  // The former handler is known before ours can run.
  sigaction(c.signal, nullptr, &c.former);
  struct sigaction ours = {};
  ours.sa_sigaction = on_fault;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  sigaction(c.signal, &ours, nullptr);
}

void remove(Chained& c) RING3_REQUIRES(install_mutex) {
  if (c.left_in_chain) return;
  struct sigaction current = {};
  sigaction(c.signal, nullptr, &current);
  if ((current.sa_flags & SA_SIGINFO) != 0 && current.sa_sigaction == on_fault)
    sigaction(c.signal, &c.former, nullptr);
  else
    c.left_in_chain = true;
}

const void* pointer(std::uint64_t address) { return reinterpret_cast<const void*>(address); }

}  // namespace

FaultGuard::FaultGuard() {
  MutexLock lock(install_mutex);
  if (guards++ == 0)
    for (Chained& c : chained) install(c);
}

FaultGuard::~FaultGuard() {
  MutexLock lock(install_mutex);
  if (--guards == 0)
    for (Chained& c : chained) remove(c);
}

bool copy_untrusted(void* to, std::uint64_t from, std::size_t bytes) noexcept {
  return ring3_fault_copy(to, pointer(from), bytes) == 0;
}

bool copy_to_untrusted(std::uint64_t to, const void* from, std::size_t bytes) noexcept {
  return ring3_fault_copy(reinterpret_cast<void*>(to), from, bytes) == 0;
}

long copy_untrusted_string(char* to, std::uint64_t from, std::size_t room) noexcept {
  if (room == 0) return 0;
  const long copied = ring3_fault_copy_string(to, static_cast<const char*>(pointer(from)), room);
  if (copied == static_cast<long>(room)) to[room - 1] = '\0';
  return copied;
}

std::uint64_t load_or_zero(std::uint64_t from, std::uint8_t size) noexcept {
  switch (size) {
    case 1: return ring3_fault_load1(pointer(from));
    case 2: return ring3_fault_load2(pointer(from));
    case 4: return ring3_fault_load4(pointer(from));
    default: return ring3_fault_load8(pointer(from));
  }
}

}  // namespace ring3::exec
