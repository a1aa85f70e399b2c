// LPM trie: the map around lpm_trie.h. Lookups by clients match the longest prefix too, as in Linux.
#include <new>

#include "base/fault_point.h"
#include "base/try.h"
#include "maps/kinds/kinds.h"
#include "maps/kinds/lpm_trie.h"
#include "maps/map_check.h"
#include "maps/map_memory.h"
#include "maps/word_lock.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

constexpr std::uint32_t kLengthBytes = 4;
constexpr std::uint32_t kMaxValue = (4u << 20) - kPrefixMaxBytes - 40;

class TrieMap final : public Map {
 public:
  TrieMap(const MapSpec& spec, MapHost& host)
      : Map(lpm_trie_ops, spec, host),
        trie(spec.key_size - kLengthBytes, static_cast<std::uint32_t>(round_up(spec.value_size, 8)), host.memory()) {}

  long put(const void* key, const void* value, std::uint64_t flags) noexcept {
    if (flags > uapi::BPF_EXIST || PrefixKey(key).bits > trie.max_bits()) return to_syscall(Errno::kInval);
    WordLockGuard guard(lock);
    const bool exists = trie.find(key) != nullptr;
    if (exists && flags == uapi::BPF_NOEXIST) return to_syscall(Errno::kExist);
    if (!exists && flags == uapi::BPF_EXIST) return to_syscall(Errno::kNoEnt);
    if (!exists && count == max_entries()) return to_syscall(Errno::kNoSpc);
    TrieNode* fresh = trie.make(key);
    if (!fresh) return to_syscall(Errno::kNoMem);
    shape().write(trie.value(fresh), value);
    if (!trie.insert(fresh)) {
      LpmTrie::destroy(fresh);
      return to_syscall(Errno::kNoMem);
    }
    if (!exists) ++count;
    return 0;
  }

  long remove(const void* key) noexcept {
    if (PrefixKey(key).bits > trie.max_bits()) return to_syscall(Errno::kInval);
    WordLockGuard guard(lock);
    if (!trie.erase(key)) return to_syscall(Errno::kNoEnt);
    --count;
    return 0;
  }

  Result<void> next(const void* key, void* out) {
    WordLockGuard guard(lock);
    // A key that is not there starts the walk again, as in Linux.
    TrieNode* n = key && trie.find(key) ? trie.after(key) : trie.first();
    if (!n) return Errno::kNoEnt;
    trie.write_key(n, out);
    return {};
  }

  LpmTrie trie;

 private:
  WordLock lock;
  std::uint32_t count RING3_GUARDED_BY(lock) = 0;
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
  if (fault_point()) return Errno::kNoMem;
  return Ref<Map>::adopt(new TrieMap(spec, host));
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

std::uint64_t memory_bytes(const Map& m) {
  const LpmTrie& trie = static_cast<const TrieMap&>(m).trie;
  return sizeof(TrieMap) + std::uint64_t{trie.nodes()} * trie.node_bytes();
}

void* lookup(Map& m, const void* key) noexcept {
  const LpmTrie& trie = as_trie(m).trie;
  TrieNode* n = trie.match(key);
  return n ? trie.value(n) : nullptr;
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
    .codegen = {},
};

}  // namespace ring3::maps
