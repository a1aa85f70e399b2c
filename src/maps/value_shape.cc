#include "maps/value_shape.h"

#include <cstring>

#include "maps/shared_words.h"
#include "maps/word_lock.h"

namespace ring3::maps {

ValueShape::ValueShape(std::uint32_t value_size, const model::FieldTable& fields) : value_size_(value_size) {
  std::uint32_t at = 0;
  for (const model::Field& f : fields.fields) {
    if (f.off > at) ranges_.push_back({at, f.off - at});
    fields_.push_back({f.off, f.size});
    if (f.kind == model::FieldKind::kSpinLock) lock_off_ = f.off;
    at = f.off + f.size;
  }
  if (value_size > at) ranges_.push_back({at, value_size - at});
}

void ValueShape::write(std::byte* value, const void* from) const noexcept {
  auto* f = static_cast<const std::byte*>(from);
  for (const Range& r : ranges_) store_shared(value + r.off, f + r.off, r.size);
}

void ValueShape::clear(std::byte* value) const noexcept {
  for (const Range& r : ranges_) zero_shared(value + r.off, r.size);
}

void ValueShape::read(void* to, const std::byte* value) const noexcept {
  auto* t = static_cast<std::byte*>(to);
  for (const Range& r : ranges_) load_shared(t + r.off, value + r.off, r.size);
  for (const Range& r : fields_) std::memset(t + r.off, 0, r.size);
}

void ValueShape::write_locked(std::byte* value, const void* from) const noexcept {
  auto* word = reinterpret_cast<std::uint32_t*>(value + lock_off_);
  word_lock(word);
  write(value, from);
  word_unlock(word);
}

void ValueShape::read_locked(void* to, std::byte* value) const noexcept {
  auto* word = reinterpret_cast<std::uint32_t*>(value + lock_off_);
  word_lock(word);
  read(to, value);
  word_unlock(word);
}

}  // namespace ring3::maps
