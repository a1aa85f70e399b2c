// LPM trie: the map around lpm_trie.h. Lookups by clients match the longest prefix too, as in Linux.
#include <new>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/kinds.h"
#include "maps/kinds/lpm_trie.h"
#include "maps/kinds/trie_nodes.h"
#include "maps/map_check.h"
#include "maps/map_memory.h"
#include "maps/word_lock.h"
#include "object/rcu.h"
#include "object/rcu_inline.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kLengthBytes = 4;
constexpr std::uint32_t kMaxValue = (4u << 20) - kPrefixMaxBytes - 40;

class TrieMap final : public Map {
 public:
  TrieMap(const MapSpec& spec, MapHost& host, TrieNodes::Ptr nodes)
      : Map(lpm_trie_ops, spec, host), trie(spec.key_size - kLengthBytes), nodes_(std::move(nodes)) {}

  long put(const void* key, const void* value, std::uint64_t flags) noexcept {
    if (flags > uapi::BPF_EXIST || PrefixKey(key).bits > trie.max_bits()) return to_syscall(Errno::kInval);
    const rcu::InnerReadSection readers;
    TrieNodes::Use nodes(*nodes_);
    TrieNode *fresh = nullptr, *fork = nullptr;
    const long code = put_at_place(key, value, flags, nodes, fresh, fork);
    nodes.give_unused(fork);
    nodes.give_unused(fresh);
    return code;
  }

  long remove(const void* key) noexcept {
    if (PrefixKey(key).bits > trie.max_bits()) return to_syscall(Errno::kInval);
    const rcu::InnerReadSection readers;
    TrieNodes::Use nodes(*nodes_);
    const bool crowded = nodes.crowded();
    TriePlace place;
    if (!crowded && !(place = trie.place_of(key)).taken()) return to_syscall(Errno::kNoEnt);
    LpmTrie::Left left;
    {
      WordLockGuard guard(lock_);
      if (crowded || disturbed(LpmTrie::still(place, true), nodes)) place = trie.place_of(key);
      if (!place.taken()) return to_syscall(Errno::kNoEnt);
      left = LpmTrie::erase(place);
      --count_;
    }
    for (TrieNode* n : {left.parent, left.node})
      if (n != nullptr) nodes.retire(n);
    return 0;
  }

  Result<void> next(const void* key, void* out) {
    const rcu::InnerReadSection readers;
    WordLockGuard guard(lock_);
    // A key that is not there starts the walk again, as in Linux.
    const bool known = key != nullptr && PrefixKey(key).bits <= trie.max_bits() && trie.place_of(key).taken();
    TrieNode* n = known ? trie.after(key) : trie.first();
    if (!n) return Errno::kNoEnt;
    trie.write_key(n, out);
    return {};
  }

  std::uint64_t bytes() const { return sizeof *this + nodes_->memory_bytes(); }

  LpmTrie trie;

 private:
  ~TrieMap() override { trie.clear(*nodes_); }

  /// Looks for the place and makes the nodes under no lock but that of the thread's cell; what is looked up again under the lock is what
  /// another writer changed meanwhile. What is left in `fresh` and `fork` was taken and not needed.
  long put_at_place(const void* key, const void* value, std::uint64_t flags, TrieNodes::Use& nodes, TrieNode*& fresh,
                    TrieNode*& fork) noexcept {
    for (bool crowded = nodes.crowded();; crowded = false) {
      TriePlace place;
      if (!crowded) {
        place = trie.place_of(key);
        if (const long code = refusal(place, flags)) return code;
      }
      if (fresh == nullptr) {
        fresh = nodes.take();
        if (fresh == nullptr) return to_syscall(Errno::kNoMem);
        trie.fill(fresh, key);
        shape().write(trie.value(fresh), value);
      }
      if (fork == nullptr && (crowded || place.parts())) {
        fork = nodes.take();
        if (fork == nullptr && !crowded) return to_syscall(Errno::kNoMem);
      }
      TrieNode* old = nullptr;
      {
        WordLockGuard guard(lock_);
        if (crowded || disturbed(LpmTrie::still(place, false), nodes)) {
          place = trie.place_of(key);
          if (place.parts() && fork == nullptr) continue;  // no memory is asked for under the lock
        }
        if (const long code = refusal(place, flags)) return code;
        if (!place.taken()) {
          if (count_ == max_entries()) return to_syscall(Errno::kNoSpc);
          ++count_;
        }
        old = trie.insert(place, fresh, fork);
      }
      fresh = nullptr;
      if (place.parts()) fork = nullptr;
      if (old != nullptr) nodes.retire(old);
      return 0;
    }
  }

  static bool disturbed(bool still, TrieNodes::Use& nodes) noexcept {
    if (!still) nodes.was_in_the_way();
    return !still;
  }

  static long refusal(const TriePlace& place, std::uint64_t flags) noexcept {
    if (flags == uapi::BPF_ANY) return 0;
    const bool taken = place.taken();
    if (taken && flags == uapi::BPF_NOEXIST) return to_syscall(Errno::kExist);
    if (!taken && flags == uapi::BPF_EXIST) return to_syscall(Errno::kNoEnt);
    return 0;
  }

  const TrieNodes::Ptr nodes_;
  // Writers write this line; lookups read the lines before.
  alignas(64) WordLock lock_;
  std::uint32_t count_ RING3_GUARDED_BY(lock_) = 0;
};

TrieMap& as_trie(Map& map) { return static_cast<TrieMap&>(map); }

Result<void> check(const MapSpec& spec) {
  constexpr std::uint32_t kKnown = uapi::BPF_F_NO_PREALLOC | uapi::BPF_F_NUMA_NODE | kAccessFlags;
  if (spec.max_entries == 0 || (spec.flags & uapi::BPF_F_NO_PREALLOC) == 0 || (spec.flags & ~kKnown) != 0 ||
      !access_flags_ok(spec.flags) || spec.key_size <= kLengthBytes ||
      spec.key_size > kLengthBytes + kPrefixMaxBytes || spec.value_size == 0 || spec.value_size > kMaxValue)
    return Errno::kInval;
  return {};
}

/// A key begins with its length, so it is a struct.
Result<void> check_key_is_struct(const MapSpec& spec) {
  const btf::Type* key = spec.btf->type(spec.key_type);
  return spec.key_type != 0 && key && key->kind == btf::Kind::kStruct ? Result<void>() : Errno::kInval;
}

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  const auto node_bytes =
      LpmTrie::node_bytes(spec.key_size - kLengthBytes, static_cast<std::uint32_t>(round_up(spec.value_size, 8)));
  TrieNodes::Ptr nodes = RING3_TRY(TrieNodes::make(node_bytes, spec.max_entries, host.memory()));
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>::adopt(new TrieMap(spec, host, std::move(nodes)));
}

Result<void> control_lookup(Map& m, std::span<const std::byte> key, std::span<std::byte> value, std::uint64_t) {
  TrieMap& map = as_trie(m);
  rcu::ReadSection section;
  TrieNode* n = map.trie.match(key.data());
  if (!n) return Errno::kNoEnt;
  map.shape().read(value.data(), map.trie.value(n));
  return {};
}

Result<void> control_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                            std::uint64_t flags, FdSource&) {
  const long code = as_trie(m).put(key.data(), value.data(), flags);
  return code == 0 ? Result<void>() : Result<void>(static_cast<Errno>(-code));
}

Result<void> control_erase(Map& m, std::span<const std::byte> key) {
  const long code = as_trie(m).remove(key.data());
  return code == 0 ? Result<void>() : Result<void>(static_cast<Errno>(-code));
}

Result<void> control_next_key(Map& m, std::span<const std::byte> key, std::span<std::byte> next) {
  return as_trie(m).next(key.empty() ? nullptr : key.data(), next.data());
}

std::uint64_t memory_bytes(const Map& m) { return static_cast<const TrieMap&>(m).bytes(); }

void* lookup(Map& m, const void* key) noexcept {
  const LpmTrie& trie = as_trie(m).trie;
  TrieNode* n = trie.match(key);
  return n ? trie.value(n) : nullptr;
}

/// The same for programs whose map is known: what it needs of the map is built in.
template <std::uint32_t kWords>
std::uint64_t lookup_words(std::uint64_t trie, std::uint64_t key, std::uint64_t, std::uint64_t, std::uint64_t, exec::RunContext&) {
  const auto& t = *reinterpret_cast<const LpmTrie*>(trie);
  const PrefixKey want(reinterpret_cast<const void*>(key));
  if (want.bits > t.max_bits()) return 0;
  TrieNode* n = t.match(want.bits, PrefixWords<kWords>(want.data, t.data_bytes()));
  return n != nullptr ? reinterpret_cast<std::uintptr_t>(t.value(n)) : 0;
}

void inline_lookup(const Map& m, InlineCode& out) {
  const LpmTrie& trie = static_cast<const TrieMap&>(m).trie;
  out.address(1, &trie);
  out.call(trie.data_bytes() <= 8    ? lookup_words<1>
           : trie.data_bytes() <= 16 ? lookup_words<2>
                                     : lookup_words<kPrefixMaxBytes / 8>);
}

long update(Map& m, const void* key, const void* value, std::uint64_t flags) noexcept {
  return as_trie(m).put(key, value, flags);
}

long erase(Map& m, const void* key) noexcept { return as_trie(m).remove(key); }

}  // namespace

const MapOps lpm_trie_ops = {
    .type = uapi::BPF_MAP_TYPE_LPM_TRIE,
    .name = "lpm_trie",
    .control = {.check = check,
                .check_btf = check_key_is_struct,
                .create = create,
                .lookup = control_lookup,
                .update = control_update,
                .erase = control_erase,
                .next_key = control_next_key,
                .batch = BatchForms::kKeyed,
                .memory_bytes = memory_bytes},
    .data = {.lookup = lookup, .update = update, .erase = erase},
    .codegen = {.lookup = inline_lookup},
};

}  // namespace ring3::maps
