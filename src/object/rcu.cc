// Wraps liburcu-bp. ThreadSanitizer does not see inside liburcu, so the two orderings a grace period
// gives are told to it: whoever queued a call happens before the call runs (the node), and every read
// section that ended happens before it too (one address for all of them: more order than there is,
// never a false report).
#include "object/rcu.h"

#include <pthread.h>

#include <atomic>
#include <thread>

#include <urcu/urcu-bp.h>

#include "object/tsan.h"

namespace ring3::rcu {
namespace {

[[maybe_unused]] char ended_sections;

std::atomic<std::size_t> pending_calls{0};
// Of those, what deferred calls have deferred in turn: what a drain goes on waiting for. Other threads may defer all the time.
std::atomic<std::size_t> chained_calls{0};
thread_local bool t_in_deferred = false;

// What a Deferred is while it waits. rcu_head stays first: liburcu hands its address back.
struct Node {
  rcu_head head;
  void (*fn)(Deferred*);
  bool chained;
};
static_assert(sizeof(Node) <= sizeof(Deferred));
static_assert(alignof(Node) <= alignof(Deferred));

void run_deferred(rcu_head* head) {
  tsan_acquire(head);
  tsan_acquire(&ended_sections);
  Node* node = reinterpret_cast<Node*>(head);
  auto fn = node->fn;
  const bool chained = node->chained;
  t_in_deferred = true;
  fn(reinterpret_cast<Deferred*>(node));
  t_in_deferred = false;
  if (chained) chained_calls.fetch_sub(1, std::memory_order_release);
  pending_calls.fetch_sub(1, std::memory_order_release);
}

// Waits until the calls queued so far have run.
void barrier() {
#if defined(RING3_TSAN)
  // liburcu's own barrier frees on one thread what it allocated on another, in code TSan cannot see.
  // One default reclaim thread runs calls in order, so a call of ours does as well.
  struct Mark {
    Node node;
    std::atomic<bool> ran{false};
  } mark;
  tsan_release(&mark.node.head);
  urcu_bp_call_rcu(&mark.node.head, [](rcu_head* head) {
    tsan_acquire(head);
    auto* m = reinterpret_cast<Mark*>(head);
    m->ran.store(true, std::memory_order_release);
  });
  while (!mark.ran.load(std::memory_order_acquire)) std::this_thread::yield();
#else
  urcu_bp_barrier();
#endif
}

/// The library's locks are free in a child of fork(), and its list of readers names only the thread that is left: a member
/// called there opens a read section. Registered before main, so that no thread can have forked yet.
[[maybe_unused]] const int fork_handlers =
    ::pthread_atfork(urcu_bp_before_fork, urcu_bp_after_fork_parent, urcu_bp_after_fork_child);

}  // namespace

void read_lock() noexcept { urcu_bp_read_lock(); }

void read_unlock() noexcept {
  tsan_release(&ended_sections);
  urcu_bp_read_unlock();
}

bool reading() noexcept { return urcu_bp_read_ongoing() != 0; }

void call_after_readers(Deferred* node, void (*fn)(Deferred*)) noexcept {
  Node* n = reinterpret_cast<Node*>(node);
  n->fn = fn;
  n->chained = t_in_deferred;
  if (n->chained) chained_calls.fetch_add(1, std::memory_order_relaxed);
  pending_calls.fetch_add(1, std::memory_order_relaxed);
  tsan_release(&n->head);
  urcu_bp_call_rcu(&n->head, run_deferred);
}

void drain() {
  // A call may defer another (an object's end drops its edges), one level of the reference graph a
  // round. The graph is shallow; the bound keeps a stranger who defers without end from holding us.
  constexpr int kRounds = 64;
  for (int round = 0; round < kRounds; ++round) {
    barrier();
    if (chained_calls.load(std::memory_order_acquire) == 0) break;
  }
}

std::size_t pending() noexcept { return pending_calls.load(std::memory_order_acquire); }

}  // namespace ring3::rcu
