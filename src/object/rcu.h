// Read-copy-update, by liburcu (bulletproof flavour: any thread may read without registering).
//
// Rule: nothing on a command path or inside a read section waits for a grace period; reclaim is
// always deferred with call_after_readers(). A member of a struct_ops table may replace its own
// table while it runs, so a wait there would wait for itself.
#pragma once

namespace ring3::rcu {

void read_lock() noexcept;
void read_unlock() noexcept;

class ReadSection {
 public:
  ReadSection() noexcept { read_lock(); }
  ~ReadSection() { read_unlock(); }
  ReadSection(const ReadSection&) = delete;
  ReadSection& operator=(const ReadSection&) = delete;
};

/// Intrusive node of a deferred call.
struct Deferred {
  void* opaque[4];
};

/// Runs fn(node) on the reclaim thread after every read section that is open now has ended.
void call_after_readers(Deferred* node, void (*fn)(Deferred*)) noexcept;

/// Waits until all deferred calls made so far have run. Runtime teardown and tests only.
void drain();

}  // namespace ring3::rcu
