// One program's turn in a published list of a hook. Lists are made whole and never changed, but for this: a link that goes while no memory
// is to be had for a list without it has its turn taken out of the one that is published. Its program stays alive until the next list.
#pragma once

#include <atomic>
#include <utility>

#include "prog/program.h"

namespace ring3::attach {

class Link;

struct Turn {
  Turn(Ref<prog::Program> whose, const Link* owner) : program(std::move(whose)), link(owner) {}
  // Only while a list is made, by one thread.
  Turn(Turn&& other) noexcept : program(std::move(other.program)), link(other.link), left(other.left.load(std::memory_order_relaxed)) {}

  Ref<prog::Program> program;
  const Link* link;  // compared, never followed; null: attached by itself
  std::atomic<bool> left{false};
};

}  // namespace ring3::attach
