#include "maps/kinds/hash_map.h"

#include <vector>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/map_check.h"
#include "maps/random_seed.h"
#include "maps/shared_words.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

Result<void> as_result(long code) {
  return code == 0 ? Result<void>() : Result<void>(static_cast<Errno>(-code));
}

}  // namespace

HashMap::HashMap(const MapOps& ops, const MapSpec& spec, MapHost& host, const HashValues& values, Parts parts)
    : Map(ops, spec, host), values_(values), parts_(std::move(parts)) {}

HashMap::~HashMap() {
  // No readers and no writers any more. What is in no table may still hold what a late program put in.
  for (std::uint32_t i = 0; owns_objects() && i < parts_.store->used(); ++i)
    if (Element* e = parts_.store->used_at(i)) values_.released(*this, e);
  for (std::uint32_t b = 0; b < table().buckets(); ++b) {
    for (Element* e = table().first(b); e;) {
      Element* next = table().following(e);
      values_.released(*this, e);
      parts_.store->destroy(e);
      e = next;
    }
  }
}

Result<Ref<Map>> HashMap::make(const MapOps& ops, const MapSpec& spec, MapHost& host, const HashValues& values,
                               bool evicting) {
  return make(ops, spec, host, values, evicting, {spec.key_size, spec.max_entries, spec.max_entries});
}

Result<Ref<Map>> HashMap::make(const MapOps& ops, const MapSpec& spec, MapHost& host, const HashValues& values,
                               bool evicting, const Sizes& sizes) {
  Parts parts;
  parts.layout = values.layout(spec, host);
  parts.layout.referenced_mark = evicting;
  const std::uint64_t seed = spec.flags & uapi::BPF_F_ZERO_SEED ? 0 : random_seed();
  parts.table = RING3_TRY(HashTable::make(sizes.key_bytes, sizes.expected, seed));
  if (spec.flags & uapi::BPF_F_NO_PREALLOC) {
    NullSink log;  // the fields were checked before
    auto owners = RING3_TRY(FieldOwners::make(spec.fields, host, log));
    parts.store = RING3_TRY(ElementHeap::make(parts.layout, sizes.limit, {std::move(owners), host.memory(), values.recycled}));
  } else {
    auto pool = RING3_TRY(ElementPool::make(parts.layout, sizes.limit, !evicting));
    if (fault_point()) return Errno::kNoMem;
    if (evicting) {
      parts.clock = EvictionClock::make(*pool, *parts.table, parts.layout, spec.max_entries);
      if (!parts.clock) return Errno::kNoMem;
    }
    parts.store = std::move(pool);
  }
  return Ref<Map>::adopt(new HashMap(ops, spec, host, values, std::move(parts)));
}

void HashMap::last_ref() noexcept {
  if (values_.ending) values_.ending(*this);
}

void HashMap::cancel_deferred() noexcept {
  Map::cancel_deferred();
  for (std::uint32_t i = 0; i < parts_.store->used(); ++i)
    if (Element* e = parts_.store->used_at(i)) cancel_deferred_in(layout().value(e));
}

/// e is in no table.
void HashMap::insert(ChainGuard& chain, Element* e, const void* key, std::uint32_t hash, const void* value, WriteValue write,
                     Reclaimed& out) noexcept {
  table().write_key(e, key, hash);
  write(*this, e, value, true, out);
  chain.link(e);
  if (parts_.clock) parts_.clock->came_in(e);
}

long HashMap::replace(ChainGuard& chain, Element* old, const void* key, std::uint32_t hash, const void* value, WriteValue write,
                      Reclaimed& out) noexcept {
  Element* e = parts_.store->replacement();
  if (!e) return to_syscall(Errno::kNoMem);
  table().write_key(e, key, hash);
  write(*this, e, value, true, out);
  if (parts_.clock) parts_.clock->takes_place(old, e);
  chain.replace(old, e);
  values_.replaced(*this, old, out);
  parts_.store->replaced(old);
  return 0;
}

long HashMap::put(const void* key, const void* value, std::uint64_t flags, bool in_place, WriteValue write,
                  Reclaimed& out) noexcept {
  const std::uint32_t hash = table().hash(key);
  Element* room = nullptr;  // evicted for us: not in the table
  long code = 0;
  for (;;) {
    bool full = false;
    {
      ChainGuard chain(table(), hash);
      Element* e = chain.find(key, hash);
      if (e && (flags & uapi::BPF_NOEXIST)) {
        code = to_syscall(Errno::kExist);
      } else if (e && in_place) {
        write(*this, e, value, false, out);
        if (parts_.clock) parts_.clock->mark_used(e);
      } else if (e) {
        code = replace(chain, e, key, hash, value, write, out);
      } else if (flags & uapi::BPF_EXIST) {
        code = to_syscall(Errno::kNoEnt);
      } else if (Element* fresh = room ? std::exchange(room, nullptr) : parts_.store->take(full)) {
        insert(chain, fresh, key, hash, value, write, out);
      } else if (!full) {
        code = to_syscall(Errno::kNoMem);
      }
    }
    if (!full) break;
    if (!parts_.clock) {
      code = to_syscall(Errno::kTooBig);
      break;
    }
    // Without our chain: the victim is in another one.
    room = parts_.clock->evict();
    if (!room) return to_syscall(Errno::kNoMem);
    values_.released(*this, room);
  }
  if (room) parts_.store->give(room);
  return code;
}

long HashMap::remove(const void* key) noexcept {
  const std::uint32_t hash = table().hash(key);
  Element* e;
  {
    ChainGuard chain(table(), hash);
    e = chain.find(key, hash);
    if (!e) return to_syscall(Errno::kNoEnt);
    chain.unlink(e);
  }
  values_.released(*this, e);
  parts_.store->give(e);
  return 0;
}

Result<void> HashMap::read(std::span<const std::byte> key, std::span<std::byte> value) {
  const std::uint32_t hash = table().hash(key.data());
  rcu::ReadSection section;
  for (;;) {
    std::uint32_t seq = 0;
    Element* e = table().find(key.data(), hash, &seq);
    if (!e) return Errno::kNoEnt;
    values_.read(*this, e, value.data());
    if (HashTable::unchanged(e, seq)) return {};
  }
}

Result<void> HashMap::read_locked(std::span<const std::byte> key, std::span<std::byte> value) {
  // The chain keeps the element, and so the lock in its value, from being used for another key meanwhile.
  const std::uint32_t hash = table().hash(key.data());
  ChainGuard chain(table(), hash);
  Element* e = chain.find(key.data(), hash);
  if (!e) return Errno::kNoEnt;
  shape().read_locked(value.data(), layout().value(e));
  return {};
}

Result<void> HashMap::take(std::span<const std::byte> key, std::span<std::byte> value) {
  const std::uint32_t hash = table().hash(key.data());
  Element* e;
  {
    ChainGuard chain(table(), hash);
    e = chain.find(key.data(), hash);
    if (!e) return Errno::kNoEnt;
    values_.read(*this, e, value.data());
    chain.unlink(e);
  }
  values_.released(*this, e);
  parts_.store->give(e);
  return {};
}

Result<void> HashMap::next(std::span<const std::byte> key, std::span<std::byte> next) {
  std::uint32_t bucket = 0;
  if (!key.empty()) {
    const std::uint32_t hash = table().hash(key.data());
    ChainGuard chain(table(), hash);
    // A key that is gone starts the walk again, as in Linux.
    if (Element* e = chain.find(key.data(), hash)) {
      if (Element* following = chain.following(e)) {
        load_shared(next.data(), following->key(), next.size());
        return {};
      }
      bucket = table().bucket_of(hash) + 1;
    }
  }
  for (; bucket < table().buckets(); ++bucket) {
    if (!table().first(bucket)) continue;
    ChainGuard chain(table(), bucket);
    if (Element* e = chain.first()) {
      load_shared(next.data(), e->key(), next.size());
      return {};
    }
  }
  return Errno::kNoEnt;
}

Result<void> HashMap::part(std::uint32_t cursor, std::uint32_t room, bool erase, bool locked, BatchEmit& emit) {
  if (cursor >= table().buckets()) return Errno::kNoEnt;
  if (!table().first(cursor)) return {};
  // Copied under the lock, handed out after it: the receiver may wait for a client's memory.
  std::vector<std::byte> copies;
  std::vector<Element*> erased;
  const std::size_t value_size = value_bytes();
  const std::size_t one = key_size() + value_size;
  {
    ChainGuard chain(table(), cursor);
    std::uint32_t n = 0;
    for (Element* e = chain.first(); e; e = chain.following(e)) ++n;
    if (n > room) return Errno::kNoSpc;
    if (n != 0 && fault_point()) return Errno::kNoMem;
    copies.resize(n * one);
    if (erase) erased.reserve(n);
    std::byte* to = copies.data();
    for (Element* e = chain.first(); e; to += one) {
      Element* following = chain.following(e);
      load_shared(to, e->key(), key_size());
      if (locked) shape().read_locked(to + key_size(), layout().value(e));
      else values_.read(*this, e, to + key_size());
      if (erase) {
        chain.unlink(e);
        erased.push_back(e);
      }
      e = following;
    }
  }
  for (Element* e : erased) {
    values_.released(*this, e);
    parts_.store->give(e);
  }
  for (std::size_t at = 0; at < copies.size(); at += one)
    RING3_TRY(emit.element({copies.data() + at, key_size()}, {copies.data() + at + key_size(), value_size}));
  return {};
}

long HashMap::for_each(std::uint64_t (*fn)(const void*, void*, void*), void* data, std::uint64_t flags) noexcept {
  if (flags != 0) return to_syscall(Errno::kInval);
  // The callback may change the map, so a chain is noted down under its lock and walked without it. An
  // element that left the table since is passed over.
  constexpr std::uint32_t kNoted = 32;
  struct Note {
    Element* e;
    std::uint32_t seq;
  } notes[kNoted];
  long visited = 0;
  for (std::uint32_t bucket = 0; bucket < table().buckets(); ++bucket) {
    std::uint32_t n = kNoted;
    for (std::uint32_t skip = 0; n == kNoted; skip += kNoted) {
      if (!table().first(bucket)) break;
      n = 0;
      {
        ChainGuard chain(table(), bucket);
        std::uint32_t position = 0;
        for (Element* e = chain.first(); e && n < kNoted; e = chain.following(e))
          if (position++ >= skip) notes[n++] = {e, e->seq.load(std::memory_order_relaxed)};
      }
      for (std::uint32_t i = 0; i < n; ++i) {
        if (notes[i].e->seq.load(std::memory_order_acquire) != notes[i].seq) continue;
        ++visited;
        if (fn(notes[i].e->key(), values_.program_value(*this, notes[i].e), data) != 0) return visited;
      }
    }
  }
  return visited;
}

std::uint64_t HashMap::bytes() const {
  return sizeof *this + table().memory_bytes() + parts_.store->memory_bytes() +
         (parts_.clock ? parts_.clock->memory_bytes() : 0);
}

Result<void> hash_erase(Map& m, std::span<const std::byte> key) { return as_result(as_hash(m).remove(key.data())); }

Result<void> hash_take(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t) {
  return as_hash(m).take(key, value);
}

Result<void> hash_next_key(Map& m, std::span<const std::byte> key, std::span<std::byte> next) {
  return as_hash(m).next(key, next);
}

Result<void> hash_part(Map& m, std::uint32_t cursor, std::uint32_t room, bool erase, std::uint64_t flags, BatchEmit& emit) {
  return as_hash(m).part(cursor, room, erase, (flags & uapi::BPF_F_LOCK) != 0, emit);
}

std::uint64_t hash_memory_bytes(const Map& m) { return as_hash(m).bytes(); }

std::uint64_t hash_element_count(const Map& m) { return as_hash(m).count(); }

long hash_program_erase(Map& m, const void* key) noexcept { return as_hash(m).remove(key); }

const void* hash_key_of(const Map& m, const void* value, std::uint32_t&) noexcept {
  return static_cast<const std::byte*>(value) - as_hash(m).layout().key_bytes;
}

long hash_for_each(Map& m, std::uint64_t (*fn)(const void*, void*, void*), void* data, std::uint64_t flags) noexcept {
  return as_hash(m).for_each(fn, data, flags);
}

Result<void> check_hash_attr(const MapSpec& spec, bool lru, bool percpu) {
  constexpr std::uint32_t kKnown = uapi::BPF_F_NO_PREALLOC | uapi::BPF_F_NO_COMMON_LRU | uapi::BPF_F_NUMA_NODE |
                                   uapi::BPF_F_ZERO_SEED | kAccessFlags;
  // Linux: what one kernel allocation can hold, less the element's header there.
  constexpr std::uint64_t kMaxElement = (4u << 20) - 48;
  const bool own_lists = (spec.flags & uapi::BPF_F_NO_COMMON_LRU) != 0;
  if ((spec.flags & ~kKnown) != 0 || !access_flags_ok(spec.flags)) return Errno::kInval;
  if (!lru && own_lists) return Errno::kInval;
  if (lru && (spec.flags & uapi::BPF_F_NO_PREALLOC)) return Errno::kNotSupp;
  if ((spec.flags & uapi::BPF_F_NUMA_NODE) && (percpu || own_lists)) return Errno::kInval;
  if (spec.max_entries == 0 || spec.key_size == 0 || spec.value_size == 0) return Errno::kInval;
  if (std::uint64_t{spec.key_size} + spec.value_size >= kMaxElement) return Errno::kTooBig;
  if (percpu && round_up(spec.value_size, 8) > kMaxPerCpuValue) return Errno::kTooBig;
  return {};
}

}  // namespace ring3::maps
