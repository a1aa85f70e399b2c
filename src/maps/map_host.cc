// Object storage maps of one host: who has to forget an object when it goes.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

#include "maps/map.h"
#include "maps/object_storage.h"
#include "maps/random_seed.h"
#include "object/rcu.h"

namespace ring3::maps {

MapHost::~MapHost() {
  // What is freed after readers says so to the account.
  if (memory_.held() != 0) rcu::drain();
}

std::string MapHost::object_text(const model::Field& field, const void* object) {
  // Not the address, which would tell clients where the host's memory is.
  static const std::uint64_t seed = random_seed();
  const std::uint64_t address = reinterpret_cast<std::uintptr_t>(object);
  const auto number = static_cast<std::uint32_t>(XXH3_64bits_withSeed(&address, sizeof address, seed));
  const btf::Type* type = field.btf ? field.btf->type(field.type) : nullptr;
  return fmt::format("{} #{:08x}", type != nullptr ? type->name : std::string_view("?"), number);
}

void MapHost::add_storage(Map& map) {
  MutexLock lock(storages_mutex_);
  storages_.push_back({next_serial_++, &map});
}

void MapHost::remove_storage(Map& map) noexcept {
  MutexLock lock(storages_mutex_);
  std::erase_if(storages_, [&](const Storage& s) { return s.map == &map; });
}

MapHost::Storage MapHost::storage_after(std::uint64_t serial) noexcept {
  MutexLock lock(storages_mutex_);
  for (const Storage& s : storages_)
    if (s.serial > serial && s.map->try_ref()) return s;
  return {0, nullptr};
}

void MapHost::storage_owner_gone(const void* owner) noexcept {
  // Without the lock while values go: a destructor may end another object, which comes here again.
  for (Storage s = storage_after(0); s.map; s = storage_after(s.serial)) {
    storage_delete(*s.map, owner);
    s.map->unref();
  }
}

}  // namespace ring3::maps
