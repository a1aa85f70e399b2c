#pragma once

#include <atomic>

namespace ring3 {

namespace detail {

/// One thread as the reclaimer sees it. The low half of `ctr` is how many sections are open.
struct Reader {
  unsigned long ctr;
};
inline constexpr unsigned long kOpenSections = (1ul << (sizeof(long) * 4)) - 1;

/// The calling thread's record, for as long as the short way below is open to it: null before its first section,
/// while it ends, on kernels without membarrier(2), and in a library built with a sanitizer.
extern constinit thread_local Reader* t_reader __attribute__((tls_model("initial-exec")));
/// What a thread's record holds while one section is open on it.
extern const unsigned long* const reader_period;
void open_section() noexcept;
void close_section() noexcept;

}  // namespace detail

/// While one is open on a thread, nothing that thread has reached through a StructOpsPoint (or any other
/// table of the runtime) is freed. Nests. Cheap: no shared cache line is written. Never blocks. A thread
/// must not wait, inside, for something that itself waits for readers; nothing in ring3's commands does.
class ReadSection {
 public:
  ReadSection() noexcept {
    detail::Reader* const reader = detail::t_reader;
    if (__builtin_expect(reader == nullptr, 0)) {
      detail::open_section();
      return;
    }
    // The reclaimer fences every thread with membarrier(2), so here only the compiler must not move anything.
    const unsigned long open = __atomic_load_n(&reader->ctr, __ATOMIC_RELAXED);
    const unsigned long next =
        (open & detail::kOpenSections) == 0 ? __atomic_load_n(detail::reader_period, __ATOMIC_RELAXED) : open + 1;
    __atomic_store_n(&reader->ctr, next, __ATOMIC_RELAXED);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ~ReadSection() {
    detail::Reader* const reader = detail::t_reader;
    if (__builtin_expect(reader == nullptr, 0)) {
      detail::close_section();
      return;
    }
    std::atomic_signal_fence(std::memory_order_seq_cst);
    __atomic_store_n(&reader->ctr, __atomic_load_n(&reader->ctr, __ATOMIC_RELAXED) - 1, __ATOMIC_RELAXED);
    std::atomic_signal_fence(std::memory_order_seq_cst);
  }
  ReadSection(const ReadSection&) = delete;
  ReadSection& operator=(const ReadSection&) = delete;
};

/// Room for one deferred call; part of the object that is to go. Nobody touches it between after_readers() and the call.
class AfterReaders {
 private:
  friend void after_readers(AfterReaders* room, void* object, void (*fn)(void* object)) noexcept;
  friend struct AfterReadersCall;
  void* opaque_[4] = {};
  void* object_ = nullptr;
  void (*fn_)(void*) = nullptr;
};

/// Calls fn(object) once every read section that is open now has ended, on a thread of ring3's own. Never blocks, never
/// allocates; may be called inside a read section. fn does not block, and may end the memory of `room`.
void after_readers(AfterReaders* room, void* object, void (*fn)(void* object)) noexcept;

/// Waits for all such calls made so far. For hosts that count their objects at the end; not inside a read section.
void wait_for_readers();

}  // namespace ring3
