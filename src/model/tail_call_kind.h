// Which programs may tail call which others: those of one kind. A tail call passes the caller's context on and returns the
// callee's result in the caller's place, so both have the same context and the same range of results.
#pragma once

#include <cstdint>
#include <memory>

#include "model/facts.h"
#include "model/prog_view.h"

namespace ring3::model {

struct TailCallKind {
  std::uint32_t type = 0;                 // a replacement's: that of the program it replaces a function of
  ProgViews view = kViewNone;             // what the context shows, by attach type
  std::int32_t min_result = 0, max_result = 0;
  bool frags = false;                     // XDP: packets may be in several pieces
  std::shared_ptr<const btf::Btf> btf;    // contexts that are arguments: the function's …
  btf::TypeId function = 0;
  std::uint32_t member = 0;               // … or the struct's member

  friend bool operator==(const TailCallKind&, const TailCallKind&) = default;
};

/// flags: as loaded. target: what the program attaches to.
TailCallKind tail_call_kind(const ProgramFacts& program, std::uint32_t flags, const AttachTarget& target);

}  // namespace ring3::model
