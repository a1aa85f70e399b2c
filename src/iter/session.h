// One reading of an iterator: the program is run for each element of a walk, and what it writes is given out in order.
//
// As in Linux: output is gathered in eight pages; an element that does not fit behind others is shown again at the head of
// the next portion, and one that fits nowhere is kTooBig. The program answers 0, or 1 to be shown the same element again:
// kAgain when there is nothing to give out before it. After the last element it runs once more, without one.
// Between reads nothing is held but the program and what the link's scope holds. One reader at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "exec/seq_output.h"
#include "btf/host_view.h"
#include "iter/walk.h"
#include "object/object.h"
#include "prog/program.h"
#include "ring3/result.h"

namespace ring3::iter {

inline constexpr std::size_t kSeqBytes = 8 * 4096;
inline constexpr std::uint32_t kMostElements = 1'000'000;  // without output, in one read

class Session {
 public:
  /// host_btf: the host's BTF, which types what the program sees.
  Session(Ref<prog::Program> program, std::shared_ptr<const btf::Btf> host_btf, model::IterTarget target, WalkScope scope);

  /// Bytes given out, 0 at the end. Errors: kAgain, kTooBig, kInval the program answered neither 0 nor 1 (Linux: the same).
  Result<std::size_t> read(std::span<char> out);

 private:
  /// Fills output_ with one portion; empty: the end.
  Result<void> gather();
  /// Runs the program on what the walk holds, or without an element.
  Result<void> show(bool end);
  Result<void> finish();

  const Ref<prog::Program> program_;
  const std::shared_ptr<const btf::Btf> btf_;
  const model::IterTarget target_;
  const WalkScope scope_;
  std::unique_ptr<Walk> walk_;  // made by the first read
  btf::HostView seq_;
  btf::HostView meta_;
  exec::SeqOutput output_{kSeqBytes};
  std::size_t given_ = 0;  // of output_
  std::uint64_t number_ = 0;
  bool ended_ = false;
};

}  // namespace ring3::iter
