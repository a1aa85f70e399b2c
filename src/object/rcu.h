// Read-copy-update, by liburcu (bulletproof flavour: any thread may read without registering).
//
// Rule: nothing on a command path or inside a read section waits for a grace period; reclaim is
// always deferred with call_after_readers(). A member of a struct_ops table may replace its own
// table while it runs, so a wait there would wait for itself.
//
// Hot entry points use rcu_inline.h, which spares the two calls.
#pragma once

#include <cstddef>

namespace ring3::rcu {

void read_lock() noexcept;
void read_unlock() noexcept;
/// Whether the calling thread is inside a read section.
bool reading() noexcept;

class ReadSection {
 public:
  ReadSection() noexcept { read_lock(); }
  ~ReadSection() { read_unlock(); }
  ReadSection(const ReadSection&) = delete;
  ReadSection& operator=(const ReadSection&) = delete;
};

/// Intrusive node of a deferred call. Nobody touches it between call_after_readers() and the call.
struct Deferred {
  void* opaque[4] = {};
};

/// Runs fn(node) on the reclaim thread after every read section that is open now has ended.
/// Never blocks, never allocates; may be called inside a read section and from fn itself.
void call_after_readers(Deferred* node, void (*fn)(Deferred*)) noexcept;

/// Waits until all deferred calls made so far, and those they made in turn, have run. Runtime teardown
/// and tests only: never inside a read section, never from a deferred call.
void drain();

/// Deferred calls that have not run yet. For tests and listings.
std::size_t pending() noexcept;

}  // namespace ring3::rcu
