#include "maps/kinds/object_slots.h"

#include <new>

#include "base/fault_point.h"

namespace ring3::maps {

Result<ObjectSlots> ObjectSlots::make(std::uint32_t count) {
  if (fault_point()) return Errno::kNoMem;
  std::unique_ptr<std::atomic<Object*>[]> slots(new (std::nothrow) std::atomic<Object*>[count]());
  if (!slots) return Errno::kNoMem;
  return ObjectSlots(std::move(slots), count);
}

}  // namespace ring3::maps
