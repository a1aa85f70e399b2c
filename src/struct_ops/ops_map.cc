#include "struct_ops/ops_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/try.h"

namespace ring3::struct_ops {
namespace {

OpsMap& ops_map(maps::Map& map) { return static_cast<OpsMap&>(map); }
const OpsMap& ops_map(const maps::Map& map) { return static_cast<const OpsMap&>(map); }

std::uint32_t key_of(std::span<const std::byte> key) {
  std::uint32_t k = 0;
  std::memcpy(&k, key.data(), std::min(sizeof(k), key.size()));
  return k;
}

Result<void> next_key(maps::Map&, std::span<const std::byte> key, std::span<std::byte> next) {
  if (!key.empty() && key_of(key) == 0) return Errno::kNoEnt;
  std::fill(next.begin(), next.end(), std::byte{0});
  return {};
}

constexpr maps::MapOps kStructOpsMap = {
    .type = uapi::BPF_MAP_TYPE_STRUCT_OPS,
    .name = "struct_ops",
    .control =
        {
            .check = &check_map,
            .lookup = [](maps::Map& m, std::span<const std::byte> key, std::span<std::byte> value,
                         std::uint64_t flags) -> Result<void> {
              if (flags != 0) return Errno::kInval;
              return ops_map(m).lookup(key, value);
            },
            .update = [](maps::Map& m, std::span<const std::byte> key, std::span<const std::byte> value, std::uint64_t flags,
                         maps::FdSource& fds) { return ops_map(m).update(key, value, flags, fds); },
            .erase = [](maps::Map& m, std::span<const std::byte> key) { return ops_map(m).erase(key); },
            .next_key = &next_key,
            .memory_bytes = [](const maps::Map& m) { return ops_map(m).memory_bytes(); },
            .printable = true,
            .missing = Errno::kNotSupp,
        },
    .data = {},
    .codegen = {},
};

}  // namespace

Result<void> check_map(const maps::MapSpec& spec) {
  constexpr std::uint32_t kFlags = uapi::BPF_F_LINK | uapi::BPF_F_VTYPE_BTF_OBJ_FD;
  if (spec.key_size != sizeof(std::uint32_t) || spec.max_entries != 1 || (spec.flags & ~kFlags) != 0 ||
      spec.kernel_value_type == 0)
    return Errno::kInval;
  return {};
}

Result<Ref<maps::Map>> create_map(const maps::MapSpec& spec, const btf::Btf& value_btf, const Registry& registry,
                                  maps::MapHost& host) {
  RING3_TRY(check_map(spec));
  const OpsType* type = registry.find_by_wrapper(value_btf, spec.kernel_value_type);
  if (type == nullptr) return Errno::kNotSupp;
  if (spec.value_size != type->wrapper_size) return Errno::kInval;
  return Ref<maps::Map>(Ref<OpsMap>::adopt(new OpsMap(spec, *type, registry, host)));
}

OpsMap* as_ops_map(Object* map) {
  if (map == nullptr || map->kind() != ObjectKind::kMap) return nullptr;
  if (&static_cast<maps::Map*>(map)->ops() != &kStructOpsMap) return nullptr;
  return static_cast<OpsMap*>(map);
}

OpsMap::OpsMap(const maps::MapSpec& spec, const OpsType& type, const Registry& registry, maps::MapHost& host)
    : Map(kStructOpsMap, spec, host),
      type_(type),
      registry_(registry),
      flavour_((spec.flags & uapi::BPF_F_LINK) != 0 ? OpsFlavour::kLink : OpsFlavour::kClassic) {}

OpsMap::~OpsMap() {
  RING3_CHECK(state() != OpsState::kInUse, "a registered struct_ops map is held by its registration");
  delete table_.load(std::memory_order_relaxed);
}

/// Null until the state shows that it is there: a host may still refuse the one that it has just been shown, and then it goes.
const OpsTable* OpsMap::filled() const { return state() == OpsState::kInit ? nullptr : table_.load(std::memory_order_acquire); }

std::vector<Ref<prog::Program>> OpsMap::programs() const {
  const OpsTable* table = filled();
  return table != nullptr ? table->programs() : std::vector<Ref<prog::Program>>{};
}

/// Padding and header of a value: a client may not say anything there.
Result<void> OpsMap::check_header(std::span<const std::byte> value) const {
  const auto refuse = [this](const char* why) {
    registry_.log().write(fmt::format("struct_ops {}: {}\n", type_.name(), why));
    return Errno::kInval;
  };
  if (value.size() != type_.wrapper_size) return refuse("the value has the wrong size");
  for (std::size_t i = 0; i < value.size(); ++i)
    if (type_.is_padding[i] && value[i] != std::byte{0}) return refuse("padding bytes of the value must be zero");
  std::uint32_t state = 0, count = 0;
  std::memcpy(&state, value.data() + type_.state_off, sizeof(state));
  std::memcpy(&count, value.data() + type_.count_off, sizeof(count));
  if (state != 0 || count != 0) return refuse("state and count in the header are not the client's to set");
  return {};
}

Result<void> OpsMap::update(std::span<const std::byte> key, std::span<const std::byte> value, std::uint64_t flags,
                            maps::FdSource& fds) {
  if (flags != 0) return Errno::kInval;
  if (key_of(key) != 0) return Errno::kTooBig;
  RING3_TRY(check_header(value));
  const NamedObjects named = named_objects(type_, value, fds);
  MutexLock lock(mutex_);
  const OpsState target = RING3_TRY(next_state(OpsEvent::kUpdate, flavour_, state()));
  std::unique_ptr<OpsTable> table = RING3_TRY(OpsTable::fill(type_, value, named, registry_));
  table_.store(table.get(), std::memory_order_release);
  if (flavour_ == OpsFlavour::kClassic) {
    if (Result<void> registered = register_classic(); !registered.ok()) {
      table_.store(nullptr, std::memory_order_release);
      OpsTable::retire(std::move(table));
      return registered.error();
    }
  }
  state_.store(target, std::memory_order_release);
  (void)table.release();  // table_ owns it now
  return {};
}

Result<void> OpsMap::register_classic() {
  ref();  // the registration's own, until delete
  MutexLock host_lock(type_.host_mutex);
  Result<void> registered = ask_host(registry_, type_, "reg", [this] { return type_.host->reg(*this, classic_); });
  if (!registered.ok()) unref();
  return registered;
}

Result<void> OpsMap::unregister() {
  {
    MutexLock lock(mutex_);
    const OpsState target = RING3_TRY(next_state(OpsEvent::kDelete, flavour_, state()));
    MutexLock host_lock(type_.host_mutex);
    type_.host->unreg(*this, classic_);
    state_.store(target, std::memory_order_release);
  }
  unref();  // the registration's; may be the last, so nothing of *this is touched afterwards
  return {};
}

Result<void> OpsMap::lookup(std::span<const std::byte> key, std::span<std::byte> value) const {
  if (key_of(key) != 0) return Errno::kNoEnt;
  const OpsState seen = state();
  std::fill(value.begin(), value.end(), std::byte{0});
  if (seen == OpsState::kInit) return {};
  const auto view = table_.load(std::memory_order_acquire)->client_view();
  std::copy_n(view.begin(), std::min(view.size(), value.size()), value.begin());
  const auto shown_state = static_cast<std::uint32_t>(seen);
  const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(holds(), UINT32_MAX));
  std::memcpy(value.data() + type_.state_off, &shown_state, sizeof(shown_state));
  std::memcpy(value.data() + type_.count_off, &count, sizeof(count));
  return {};
}

Result<void> OpsMap::erase(std::span<const std::byte> key) {
  if (key_of(key) != 0) return Errno::kNoEnt;
  return unregister();
}

std::uint64_t OpsMap::memory_bytes() const {
  const OpsTable* table = filled();
  return sizeof(OpsMap) + (table != nullptr ? table->memory_bytes() : 0);
}

const void* OpsMap::ops() const noexcept {
  const OpsTable* table = table_.load(std::memory_order_acquire);
  return table != nullptr ? table->ops() : nullptr;
}

std::uint64_t OpsMap::members_set() const noexcept {
  const OpsTable* table = table_.load(std::memory_order_acquire);
  return table != nullptr ? table->members_set() : 0;
}

bool OpsMap::hold() noexcept {
  if (!try_ref()) return false;
  holds_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void OpsMap::release() noexcept {
  const std::uint64_t was = holds_.fetch_sub(1, std::memory_order_relaxed);
  RING3_CHECK(was != 0, "struct_ops instance released more often than held");
  unref();
}

}  // namespace ring3::struct_ops
