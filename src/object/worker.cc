#include "object/worker.h"

#include <system_error>
#include <utility>

namespace ring3 {

Result<void> Worker::start() {
  MutexLock lock(mutex_);
  if (running_ || stopping_) return {};
  try {
    thread_ = std::thread([this] { loop(); });
  } catch (const std::system_error&) {
    return Errno::kAgain;
  }
  running_ = true;
  return {};
}

void Worker::post(Item* item) noexcept {
  {
    MutexLock lock(mutex_);
    if (running_) {
      item->next = nullptr;
      *last_ = item;
      last_ = &item->next;
      wake_.notify_one();
      return;
    }
  }
  item->run(item);
}

Worker::Item* Worker::take_all() {
  last_ = &first_;
  return std::exchange(first_, nullptr);
}

void Worker::loop() noexcept {
  mutex_.lock();
  for (;;) {
    while (first_ == nullptr && !stopping_) wake_.wait(mutex_);
    Item* item = take_all();
    if (item == nullptr) break;
    busy_ = true;
    mutex_.unlock();
    while (item != nullptr) {
      Item* const next = item->next;  // run() may end the item
      item->run(item);
      item = next;
    }
    mutex_.lock();
    busy_ = false;
    if (first_ == nullptr) idle_.notify_all();
  }
  // What is posted from here on has nobody else to run it.
  running_ = false;
  idle_.notify_all();
  mutex_.unlock();
}

void Worker::drain() {
  MutexLock lock(mutex_);
  while (running_ && (busy_ || first_ != nullptr)) idle_.wait(mutex_);
}

void Worker::stop() noexcept {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace ring3
