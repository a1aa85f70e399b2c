#include "maps/field_owners.h"

#include "base/check.h"
#include "maps/map.h"

namespace ring3::maps {

std::shared_ptr<const FieldOwners> FieldOwners::make(const model::FieldTable& fields, MapHost& host) {
  if ((fields.kinds() & kOwningFields) == 0) return nullptr;
  auto made = std::make_shared<FieldOwners>();
  for (const model::Field& f : fields.fields)
    if (model::field_bit(f.kind) & kOwningFields) made->owners_.push_back({f.off, host.releaser(f)});
  return made;
}

void FieldOwners::take_out(std::byte* value, Reclaimed& out) const noexcept {
  for (const Owner& owner : owners_) {
    auto* slot = reinterpret_cast<std::uint64_t*>(value + owner.off);
    // Most are null: no write to a line that programs read.
    if (__atomic_load_n(slot, __ATOMIC_RELAXED) == 0) continue;
    const std::uint64_t object = __atomic_exchange_n(slot, 0, __ATOMIC_ACQ_REL);
    if (object != 0) out.add(owner.releaser, reinterpret_cast<void*>(object));
  }
}

void Reclaimed::add(const Releaser& releaser, void* object) noexcept {
  if (count_ < items_.size()) {
    items_[count_] = {releaser, object};
  } else {
    RING3_CHECK(more_.size() < more_.capacity(), "references of more values than were announced");
    more_.push_back({releaser, object});
  }
  ++count_;
}

void Reclaimed::give_back() noexcept {
  for (std::size_t i = 0; i < count_ && i < items_.size(); ++i)
    items_[i].releaser.release(items_[i].object, items_[i].releaser.context);
  for (const Item& item : more_) item.releaser.release(item.object, item.releaser.context);
}

}  // namespace ring3::maps
