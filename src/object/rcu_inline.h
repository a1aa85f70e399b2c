// Read sections for entry points where two calls are measurable: the host's own (ring3/read_section.h), and one for
// code whose caller has mostly opened one already.
#pragma once

#include <new>

#include "object/rcu.h"
#include "ring3/read_section.h"

namespace ring3::rcu {

using InlineReadSection = ring3::ReadSection;

/// Whether the short way tells that the calling thread is inside a section; false may mean that it does not know.
inline bool known_to_read() noexcept {
  const ring3::detail::Reader* const reader = ring3::detail::t_reader;
  return reader != nullptr && (__atomic_load_n(&reader->ctr, __ATOMIC_RELAXED) & ring3::detail::kOpenSections) != 0;
}

/// A section that is the enclosing one where there is one. Stays on the stack of one thread, inside the enclosing.
class InnerReadSection {
 public:
  InnerReadSection() noexcept : opened_(!known_to_read()) {
    if (opened_) new (&section_) ring3::ReadSection;
  }
  ~InnerReadSection() {
    if (opened_) section_.~ReadSection();
  }
  InnerReadSection(const InnerReadSection&) = delete;
  InnerReadSection& operator=(const InnerReadSection&) = delete;

 private:
  const bool opened_;
  union {
    ring3::ReadSection section_;
  };
};

}  // namespace ring3::rcu
