// What one user's clients may hold (ClientLimits). Everything alive that the user made is counted when something more is
// made: there is no account that could go wrong when an object dies in another way than it was expected to.
//
// A fresh object is counted before the question is asked, so two clients that ask at the same time never both get the last place;
// both may be refused.
#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "syscall/call.h"

namespace ring3::syscall {
namespace {

constexpr std::uint64_t kArenaPageBytes = 4096;

/// Bytes of a map whose every element, or page of an arena, is there. Kinds whose elements have no fixed number (storage) have 0: they count as
/// they are when they are made.
std::uint64_t bytes_when_full(const maps::MapSpec& spec, std::uint32_t cpus) {
  const bool per_cpu = spec.type == uapi::BPF_MAP_TYPE_PERCPU_HASH || spec.type == uapi::BPF_MAP_TYPE_LRU_PERCPU_HASH ||
                       spec.type == uapi::BPF_MAP_TYPE_PERCPU_ARRAY;
  const std::uint64_t value = (std::uint64_t{spec.value_size} + 7) / 8 * 8 * (per_cpu ? cpus : 1);
  const std::uint64_t element = value + (std::uint64_t{spec.key_size} + 7) / 8 * 8;
  std::uint64_t bytes = 0;
  if (spec.type == uapi::BPF_MAP_TYPE_ARENA) return std::uint64_t{spec.max_entries} * kArenaPageBytes;
  if (spec.type == uapi::BPF_MAP_TYPE_RINGBUF || spec.type == uapi::BPF_MAP_TYPE_USER_RINGBUF) return spec.max_entries;
  return __builtin_mul_overflow(element, spec.max_entries, &bytes) ? UINT64_MAX : bytes;
}

std::uint64_t bytes_of(Object& object, std::uint32_t cpus) {
  switch (object.kind()) {
    case ObjectKind::kMap: {
      const auto& map = static_cast<const maps::Map&>(object);
      return std::max(map.memory_bytes(), bytes_when_full(map.spec(), cpus));
    }
    case ObjectKind::kProg: return static_cast<const prog::Program&>(object).memory_bytes();
    case ObjectKind::kBtf: return static_cast<const prog::BtfObject&>(object).btf()->blob().size();
    case ObjectKind::kLink:
    case ObjectKind::kToken:
    case ObjectKind::kEvents:
    case ObjectKind::kStats: break;
  }
  return 0;
}

/// 0: no limit.
std::uint32_t places(const ClientLimits& limits, ObjectKind kind) {
  switch (kind) {
    case ObjectKind::kMap: return limits.maps;
    case ObjectKind::kProg: return limits.programs;
    case ObjectKind::kLink: return limits.links;
    case ObjectKind::kBtf: return limits.btfs;
    case ObjectKind::kToken:
    case ObjectKind::kEvents:
    case ObjectKind::kStats: break;  // a token is for the life of a descriptor, as are statistics; buffers of events are limited in pages
  }
  return 0;
}

std::string too_many(ObjectKind kind, std::uint32_t limit, std::uint32_t uid) {
  return fmt::format("user {} has {} objects of kind {}, as many as this host lets one user's clients have", uid, limit,
                     object_kind_name(kind));
}

std::string too_much(std::uint64_t held, std::uint64_t more, std::uint64_t limit, std::uint32_t uid) {
  return fmt::format("user {} holds {} bytes, {} more are over the {} that this host lets one user's clients have", uid, held, more, limit);
}

}  // namespace

Result<void> Call::admit_spec(const maps::MapSpec& spec) {
  const ClientLimits limits = kernel_.services().client_limits();
  if (!caller_.limited() || limits.bytes == 0) return {};
  const std::uint64_t bytes = bytes_when_full(spec, kernel_.services().map_host().possible_cpus());
  if (bytes > limits.bytes) {
    explain(fmt::format("a map of {} bytes is larger than the {} that this host lets one user's clients have", bytes, limits.bytes));
    return Errno::kTooBig;
  }
  const std::uint32_t uid = caller_.credentials().uid;
  const std::uint64_t held = kernel_.objects().held_by(uid).bytes;
  if (bytes <= limits.bytes - std::min(held, limits.bytes)) return {};
  explain(too_much(held, bytes, limits.bytes, uid));
  return Errno::kNoMem;
}

Result<void> Call::admit(Object& object) {
  const ClientLimits limits = kernel_.services().client_limits();
  if (!caller_.limited()) return {};
  const std::uint32_t most = places(limits, object.kind());
  if (most == 0 && limits.bytes == 0) return {};
  object.charge(limits.bytes == 0 ? 0 : bytes_of(object, kernel_.services().map_host().possible_cpus()));
  if (limits.bytes == 0 && kernel_.objects().live_count() <= most) return {};  // of all users and kinds, so of this one
  const std::uint32_t uid = caller_.credentials().uid;
  const ObjectTable::Held held = kernel_.objects().held_by(uid);
  if (most != 0 && held.of(object.kind()) > most) {
    explain(too_many(object.kind(), most, uid));
    return Errno::kPerm;
  }
  if (limits.bytes == 0 || held.bytes <= limits.bytes) return {};
  explain(too_much(held.bytes - object.charged_bytes(), object.charged_bytes(), limits.bytes, uid));
  return Errno::kNoMem;
}

}  // namespace ring3::syscall
