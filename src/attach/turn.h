// One program's turn in a published list of a hook. Lists are made whole and never changed, but for this: a link that goes while no memory
// is to be had for a list without it has its turn taken out of the one that is published. Its program stays alive until the next list.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "prog/program.h"

namespace ring3::attach {

class Link;

struct Turn {
  Turn(Ref<prog::Program> whose, const Link* owner, std::uint32_t chains = 0) : program(std::move(whose)), link(owner), chain_on(chains) {}
  // Only while a list is made, by one thread.
  Turn(Turn&& other) noexcept
      : program(std::move(other.program)), link(other.link), chain_on(other.chain_on), left(other.left.load(std::memory_order_relaxed)) {}
  bool chains_on(std::uint32_t answer) const { return answer < 32 && (chain_on >> answer & 1) != 0; }

  Ref<prog::Program> program;
  const Link* link;  // compared, never followed; null: attached by itself
  std::uint32_t chain_on;  // by answer: the next one runs as well (run_config.h)
  std::atomic<bool> left{false};
};

}  // namespace ring3::attach
