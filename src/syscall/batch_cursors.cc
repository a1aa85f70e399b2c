#include "syscall/batch_cursors.h"

#include <utility>

namespace ring3::syscall {

std::uint32_t BatchCursors::keep(std::uint32_t map_id, std::vector<std::byte> key) {
  MutexLock lock(mutex_);
  do ++last_;
  while (last_ == 0 || last_ == kEnd || cursors_.count(last_) != 0);
  if (by_age_.size() >= kMost) {
    cursors_.erase(by_age_.front());
    by_age_.pop_front();
  }
  by_age_.push_back(last_);
  cursors_.emplace(last_, Cursor{map_id, std::move(key)});
  return last_;
}

Result<std::vector<std::byte>> BatchCursors::find(std::uint32_t map_id, std::uint32_t token) const {
  MutexLock lock(mutex_);
  const auto it = cursors_.find(token);
  if (it == cursors_.end() || it->second.map_id != map_id) return Errno::kInval;
  return it->second.key;
}

}  // namespace ring3::syscall
