#include "maps/kinds/eviction_clock.h"

namespace ring3::maps {

bool EvictionClock::try_take(Element* e) noexcept {
  const std::uint32_t seq = e->seq.load(std::memory_order_acquire);
  if ((seq & 1) != 0 || seq == 0) return false;
  const std::uint32_t hash = e->hash.load(std::memory_order_relaxed);
  if (!HashTable::unchanged(e, seq)) return false;
  WordLockGuard guard(table_.shard(hash).lock);
  // Unchanged under the lock of its chain: it is in the table, and stays until we take it out.
  if (e->seq.load(std::memory_order_relaxed) != seq) return false;
  table_.unlink(e);
  return true;
}

Element* EvictionClock::evict() noexcept {
  const std::uint32_t used = pool_.used();
  // Two turns clear every mark and meet every element again; what is still refused then is in motion.
  for (std::uint64_t step = 0; step < std::uint64_t{used} * 3; ++step) {
    Element* e = pool_.at(hand_.fetch_add(1, std::memory_order_relaxed) % used);
    if (__atomic_load_n(layout_.mark(e), __ATOMIC_RELAXED) != 0) {
      clear_mark(e);
      continue;
    }
    if (try_take(e)) return e;
  }
  return nullptr;
}

}  // namespace ring3::maps
