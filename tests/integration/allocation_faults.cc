#include "tests/integration/allocation_faults.h"

#include <cstdlib>
#include <new>

namespace {

thread_local std::int64_t countdown = -1;
thread_local bool has_fired = false;

bool fails() noexcept {
  if (countdown < 0 || countdown-- != 0) return false;
  has_fired = true;
  return true;
}

void* allocate(std::size_t bytes) noexcept { return fails() ? nullptr : std::malloc(bytes != 0 ? bytes : 1); }

void* allocate(std::size_t bytes, std::align_val_t align) noexcept {
  const auto unit = static_cast<std::size_t>(align);
  return fails() ? nullptr : std::aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
}

void* or_throw(void* p) {
  if (p == nullptr) throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(std::size_t bytes) { return or_throw(allocate(bytes)); }
void* operator new[](std::size_t bytes) { return or_throw(allocate(bytes)); }
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes); }
void* operator new(std::size_t bytes, std::align_val_t align) { return or_throw(allocate(bytes, align)); }
void* operator new[](std::size_t bytes, std::align_val_t align) { return or_throw(allocate(bytes, align)); }
void* operator new(std::size_t bytes, std::align_val_t align, const std::nothrow_t&) noexcept {
  return allocate(bytes, align);
}
void* operator new[](std::size_t bytes, std::align_val_t align, const std::nothrow_t&) noexcept {
  return allocate(bytes, align);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t, const std::nothrow_t&) noexcept { std::free(p); }

namespace ring3::test {

AllocationFault::AllocationFault(std::int64_t nth) noexcept {
  has_fired = false;
  countdown = nth;
}
AllocationFault::~AllocationFault() { countdown = -1; }
bool AllocationFault::fired() const noexcept { return has_fired; }

}  // namespace ring3::test
