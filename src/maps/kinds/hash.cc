// Hash: values in the element. An update replaces the element, so readers see the old value or the new one,
// never a mixture; a value that is one word, or that has a lock, is changed in place instead.
#include "base/try.h"
#include "maps/kinds/hash_values.h"
#include "maps/kinds/kinds.h"

namespace ring3::maps {
namespace {

Result<void> check(const MapSpec& spec) { return check_hash_attr(spec, false, false); }

Result<Ref<Map>> create(const MapSpec& spec, MapHost& host) {
  return HashMap::make(hash_ops, spec, host, plain_values, false);
}

long put(HashMap& map, const void* key, const void* value, std::uint64_t flags) noexcept {
  const bool locked = (flags & uapi::BPF_F_LOCK) != 0;
  flags &= ~std::uint64_t{uapi::BPF_F_LOCK};
  if (flags > uapi::BPF_EXIST || (locked && !map.shape().has_lock())) return to_syscall(Errno::kInval);
  Reclaimed out;
  if (locked) return map.put(key, value, flags, true, write_plain_locked, out);
  return map.put(key, value, flags, plain_values.in_place(map), write_plain, out);
}

Result<void> control_update(Map& m, std::span<const std::byte> key, std::span<const std::byte> value,
                            std::uint64_t flags, FdSource&) {
  const long code = put(as_hash(m), key.data(), value.data(), flags);
  return code == 0 ? Result<void>() : Result<void>(static_cast<Errno>(-code));
}

void* lookup(Map& m, const void* key) noexcept {
  Element* e = as_hash(m).find(key);
  return e ? as_hash(m).layout().value(e) : nullptr;
}

long update(Map& m, const void* key, const void* value, std::uint64_t flags) noexcept {
  return put(as_hash(m), key, value, flags);
}

template <typename Key>
std::uint64_t lookup_key(std::uint64_t table, std::uint64_t key, std::uint64_t, std::uint64_t, std::uint64_t, exec::RunContext&) {
  const Element* e = reinterpret_cast<const HashTable*>(table)->find_as<Key>(reinterpret_cast<const void*>(key));
  return e ? reinterpret_cast<std::uintptr_t>(e->bytes() + Key::kStoredBytes) : 0;
}

std::uint64_t lookup_long_key(std::uint64_t map, std::uint64_t key, std::uint64_t, std::uint64_t, std::uint64_t, exec::RunContext&) {
  return reinterpret_cast<std::uintptr_t>(lookup(*reinterpret_cast<Map*>(map), reinterpret_cast<const void*>(key)));
}

void inline_lookup(const Map& m, InlineCode& out) {
  const HashTable& table = as_hash(m).table();
  const auto call = [&]<typename Key>() {
    out.address(1, &table);
    out.call(lookup_key<Key>);
  };
  if (!with_hash_key(table.key_size(), call)) out.call(lookup_long_key);
}

}  // namespace

const MapOps hash_ops = {
    .type = uapi::BPF_MAP_TYPE_HASH,
    .name = "hash",
    .control = {.check = check,
                .create = create,
                .lookup = plain_lookup,
                .update = control_update,
                .erase = hash_erase,
                .lookup_and_erase = hash_take,
                .next_key = hash_next_key,
                .batch = BatchForms::kTaking,
                .batch_part = hash_part,
                .memory_bytes = hash_memory_bytes,
                .element_count = hash_element_count,
                .printable = true},
    .data = {.lookup = lookup,
             .key_of = hash_key_of,
             .update = update,
             .erase = hash_program_erase,
             .for_each = hash_for_each},
    .codegen = {.lookup = inline_lookup},
};

}  // namespace ring3::maps
