#include "maps/allocated_type.h"

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/fault_point.h"
#include "base/try.h"
#include "maps/map.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

/// What stands before an object.
struct alignas(16) Prefix {
  rcu::Deferred freed;
  AllocatedType::Struct of;
  std::uint32_t stride;  // per-CPU objects: from copy to copy
  std::uint32_t bytes;   // charged
  MemoryAccount* account;
};

Prefix* prefix_of(void* object) { return static_cast<Prefix*>(object) - 1; }

/// Counts in cells of their own, so that threads that allocate do not wait for one cache line.
class LiveCount {
 public:
  void add(std::int64_t n) noexcept { cells_[cell()].value.fetch_add(n, std::memory_order_relaxed); }
  std::int64_t sum() const noexcept {
    std::int64_t all = 0;
    for (const Cell& c : cells_) all += c.value.load(std::memory_order_relaxed);
    return all;
  }

 private:
  struct alignas(64) Cell {
    std::atomic<std::int64_t> value{0};
  };
  static std::size_t cell() noexcept {
    static std::atomic<std::size_t> next{0};
    thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed) % 16;
    return mine;
  }
  std::array<Cell, 16> cells_;
};
LiveCount g_live;

void* take_memory(std::size_t object_bytes, std::uint32_t stride, MemoryAccount& account) noexcept {
  const std::size_t bytes = sizeof(Prefix) + object_bytes;
  if (fault_point() || !account.charge(bytes)) return nullptr;
  auto* prefix = static_cast<Prefix*>(std::calloc(1, bytes));
  if (prefix == nullptr) {
    account.give_back(bytes);
    return nullptr;
  }
  prefix->stride = stride;
  prefix->bytes = static_cast<std::uint32_t>(bytes);
  prefix->account = &account;
  g_live.add(1);
  return prefix + 1;
}

void free_after_readers(void* object) noexcept {
  g_live.add(-1);
  rcu::call_after_readers(&prefix_of(object)->freed, [](rcu::Deferred* node) {
    const auto* prefix = reinterpret_cast<Prefix*>(node);
    MemoryAccount* const account = prefix->account;
    const std::uint32_t bytes = prefix->bytes;
    std::free(node);
    account->give_back(bytes);
  });
}

}  // namespace

AllocatedType::AllocatedType(std::uint32_t bytes, const model::FieldTable& fields,
                             std::shared_ptr<const FieldOwners> owners, MemoryAccount* account, Struct of)
    : bytes_(bytes), struct_(of), account_(account), owners_(std::move(owners)) {
  if (const model::Field* f = fields.find(model::FieldKind::kRefcount)) refcount_off_ = f->off;
}

Result<std::shared_ptr<const AllocatedType>> AllocatedType::make(std::uint32_t bytes, const model::FieldTable& fields,
                                                                 MapHost& host, TextSink& log, Struct of) {
  auto owners = RING3_TRY(FieldOwners::make(fields, host, log));
  return std::shared_ptr<const AllocatedType>(new AllocatedType(bytes, fields, std::move(owners), &host.memory(), of));
}

Result<std::shared_ptr<const AllocatedType>> AllocatedType::make(const std::shared_ptr<const btf::Btf>& btf,
                                                                 btf::TypeId type, MapHost& host, TextSink& log) {
  const auto hosts = host.host_btfs();
  const model::FieldTable fields = RING3_TRY(model::parse_fields(btf, type, hosts, model::kAllocatedFields, log));
  return make(btf->size_of(type).value_or(0), fields, host, log, {btf.get(), type});
}

std::shared_ptr<const AllocatedType> AllocatedType::one_of(std::vector<std::shared_ptr<const AllocatedType>> types) {
  std::shared_ptr<AllocatedType> made(new AllocatedType(0, {}, nullptr, nullptr, {}));
  made->any_of_ = std::move(types);
  return made;
}

const AllocatedType& AllocatedType::type_of(void* object) const noexcept {
  for (const auto& type : any_of_)
    if (type->struct_ == prefix_of(object)->of) return *type;
  RING3_CHECK(false, "the verifier knows what an instruction may end");
  return *this;
}

void* AllocatedType::allocate() const noexcept {
  void* object = take_memory(bytes_, 0, *account_);
  if (object == nullptr) return nullptr;
  prefix_of(object)->of = struct_;
  if (refcount_off_ >= 0)
    __atomic_store_n(reinterpret_cast<std::uint32_t*>(static_cast<std::byte*>(object) + refcount_off_), 1, __ATOMIC_RELAXED);
  return object;
}

void* AllocatedType::allocate_percpu(std::uint32_t cpus) const noexcept {
  const std::uint32_t stride = (bytes_ + 7) & ~7u;
  return take_memory(std::size_t{stride} * cpus, stride, *account_);
}

bool AllocatedType::acquire(void* object) const noexcept {
  RING3_CHECK(refcount_off_ >= 0, "the verifier lets only counted objects be shared");
  auto* count = reinterpret_cast<std::uint32_t*>(static_cast<std::byte*>(object) + refcount_off_);
  std::uint32_t seen = __atomic_load_n(count, __ATOMIC_RELAXED);
  do {
    if (seen == 0 || seen == UINT32_MAX) return false;
  } while (!__atomic_compare_exchange_n(count, &seen, seen + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return true;
}

void AllocatedType::drop(void* object) const noexcept {
  if (!any_of_.empty()) return type_of(object).drop(object);
  auto* bytes = static_cast<std::byte*>(object);
  if (refcount_off_ >= 0 &&
      __atomic_sub_fetch(reinterpret_cast<std::uint32_t*>(bytes + refcount_off_), 1, __ATOMIC_ACQ_REL) != 0)
    return;
  if (owners_) owners_->release(bytes);
  free_after_readers(object);
}

void AllocatedType::drop_percpu(void* object) noexcept { free_after_readers(object); }

void* AllocatedType::percpu_copy(void* object, std::uint32_t cpu) noexcept {
  return static_cast<std::byte*>(object) + std::size_t{prefix_of(object)->stride} * cpu;
}

std::int64_t AllocatedType::live_objects() noexcept { return g_live.sum(); }

}  // namespace ring3::maps
