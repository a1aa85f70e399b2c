#include "iter/session.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/try.h"

namespace ring3::iter {
namespace {

std::atomic<std::uint64_t> last_session{0};

}  // namespace

Session::Session(Ref<prog::Program> program, std::shared_ptr<const btf::Btf> host_btf, model::IterTarget target,
                 WalkScope scope)
    : program_(std::move(program)),
      btf_(std::move(host_btf)),
      target_(target),
      scope_(std::move(scope)),
      seq_(*btf_, "seq_file"),
      meta_(*btf_, "bpf_iter_meta") {
  meta_.set_pointer("seq", seq_.data());
  meta_.set("session_id", last_session.fetch_add(1, std::memory_order_relaxed) + 1);
}

Result<void> Session::show(bool end) {
  std::uint64_t context[4] = {reinterpret_cast<std::uintptr_t>(meta_.data())};
  meta_.set("seq_num", number_);
  walk_->arguments(std::span(context).subspan(1, argument_count(target_)));
  output_.shown = {};
  if (const maps::Map* map = walk_->shown_map()) output_.shown = {reinterpret_cast<const void*>(context[1]), map};
  const std::uint64_t answer = program_->entry()->run(exec::RunArgs{.ctx = context, .seq = &output_});
  if (answer == 0 || end) return {};
  return answer == 1 ? Errno::kAgain : Errno::kInval;
}

Result<void> Session::finish() {
  const std::size_t before = output_.size();
  RING3_TRY(show(true));
  if (output_.overflowed()) {
    output_.cut(before);
    return before == 0 ? Result<void>(Errno::kTooBig) : Result<void>();
  }
  ended_ = true;
  return {};
}

Result<void> Session::gather() {
  struct LetGo {
    Walk& walk;
    ~LetGo() { walk.let_go(); }
  } let_go{*walk_};
  for (std::uint32_t shown = 0;; ++shown) {
    if (!RING3_TRY(walk_->hold())) return finish();
    if (shown == kMostElements) return output_.size() == 0 ? Result<void>(Errno::kAgain) : Result<void>();
    const std::size_t before = output_.size();
    const Result<void> status = show(false);
    if (!status.ok() || output_.overflowed()) {
      const bool overflowed = status.ok();
      output_.cut(before);
      if (before != 0) return {};  // shown again, with all the room there is
      return overflowed ? Errno::kTooBig : status.error();
    }
    walk_->step();
    ++number_;
  }
}

Result<std::size_t> Session::read(std::span<char> out) {
  if (!walk_) {
    WalkWorld world{program_->table(), *btf_, program_->entry()->machine().tasks};
    walk_ = make_walk(target_, world, scope_);
  }
  if (given_ == output_.size() && !ended_) {
    output_.cut(0);
    given_ = 0;
    RING3_TRY(gather());
  }
  const std::string_view ready = output_.text().substr(given_);
  const std::size_t bytes = std::min(ready.size(), out.size());
  std::copy_n(ready.data(), bytes, out.data());
  given_ += bytes;
  return bytes;
}

}  // namespace ring3::iter
