#include "object/ref_origin.h"

#if defined(RING3_REF_ORIGINS)

#include <fmt/format.h>

#include <new>

#include "base/mutex.h"
#include "object/object.h"

namespace ring3 {
namespace {

Mutex origins_mutex;

}  // namespace

RefOrigin* track_ref(const Object* o, Place place) noexcept {
  auto* origin = new (std::nothrow) RefOrigin{place};
  if (!origin) return nullptr;
  MutexLock lock(origins_mutex);
  origin->next = o->origins_.first;
  if (origin->next) origin->next->prev = origin;
  o->origins_.first = origin;
  return origin;
}

void untrack_ref(const Object* o, RefOrigin* origin) noexcept {
  {
    MutexLock lock(origins_mutex);
    if (origin->prev)
      origin->prev->next = origin->next;
    else
      o->origins_.first = origin->next;
    if (origin->next) origin->next->prev = origin->prev;
  }
  delete origin;
}

std::vector<std::string> ref_places(const Object& o) {
  std::vector<std::string> places;
  MutexLock lock(origins_mutex);
  for (const RefOrigin* r = o.origins_.first; r; r = r->next)
    places.push_back(fmt::format("{}:{}", r->place.file, r->place.line));
  return places;
}

}  // namespace ring3

#endif
