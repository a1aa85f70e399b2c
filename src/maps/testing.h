// For tests of maps only: a host with settable CPUs, short ways to make a map and to call its operations
// with values of plain types.
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "maps/client_access.h"
#include "maps/map_check.h"
#include "maps/map_kinds.h"
#include "object/rcu.h"

namespace ring3::maps::testing {

class FakeHost : public MapHost {
 public:
  explicit FakeHost(std::uint32_t cpus = 4) : cpus_(cpus) {}
  /// All maps must be gone; the table's end checks it.
  ~FakeHost() { rcu::drain(); }
  ObjectTable& objects() override { return table; }
  std::uint32_t possible_cpus() const override { return cpus_; }
  std::uint32_t current_cpu() const override { return cpu(); }
  Result<void> check_prog_array_entry(Map&, Object&) override {
    if (refuse_prog) return Errno::kInval;
    return {};
  }
  /// Of the calling thread.
  static std::uint32_t& cpu() {
    thread_local std::uint32_t cpu = 0;
    return cpu;
  }

  ObjectTable table;
  MapKinds kinds;
  StringSink log;
  bool refuse_prog = false;

 private:
  const std::uint32_t cpus_;
};

inline MapSpec spec(std::uint32_t type, std::uint32_t key, std::uint32_t value, std::uint32_t max,
                    std::uint32_t flags = 0) {
  MapSpec s;
  s.type = type;
  s.key_size = key;
  s.value_size = value;
  s.max_entries = max;
  s.flags = flags;
  s.name = "m";
  return s;
}

inline Result<Ref<Map>> make(FakeHost& host, const MapSpec& s) { return create_map(host.kinds, s, host, host.log); }

/// The errno of creating such a map; 0 when it succeeds.
inline int create_errno(FakeHost& host, const MapSpec& s) {
  auto m = make(host, s);
  return m.ok() ? 0 : static_cast<int>(m.error());
}

template <typename T>
std::span<const std::byte> bytes(const T& v) {
  return std::as_bytes(std::span<const T, 1>(&v, 1));
}
template <typename T>
std::span<std::byte> writable(T& v) {
  return std::as_writable_bytes(std::span<T, 1>(&v, 1));
}

inline int code(const Result<void>& r) { return r.ok() ? 0 : static_cast<int>(r.error()); }

/// Errnos as positive numbers, 0 for success.
template <typename K, typename V>
int update(Map& m, const K& key, const V& value, std::uint64_t flags = uapi::BPF_ANY) {
  NoFds fds;
  return code(update_elem(m, bytes(key), bytes(value), flags, fds));
}
template <typename K, typename V>
int lookup(Map& m, const K& key, V& value, std::uint64_t flags = 0) {
  return code(lookup_elem(m, bytes(key), writable(value), flags));
}
template <typename K>
int erase(Map& m, const K& key) {
  return code(delete_elem(m, bytes(key)));
}
/// A program's lookup: null or the value.
template <typename V, typename K>
V* find(Map& m, const K& key) {
  return static_cast<V*>(m.ops().data.lookup(m, &key));
}
/// All keys in the map's order.
template <typename K>
std::vector<K> keys(Map& m) {
  std::vector<K> all;
  K key{};
  auto r = next_key(m, {}, writable(key));
  while (r.ok()) {
    all.push_back(key);
    K next{};
    r = next_key(m, bytes(key), writable(next));
    key = next;
  }
  return all;
}

}  // namespace ring3::maps::testing
