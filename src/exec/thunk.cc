#include "exec/thunk.h"

#include <new>

#include "base/fault_point.h"
#include "base/try.h"
#include "exec/program_entry.h"
#include "exec/thunk_emit.h"
#include "object/rcu.h"

namespace ring3::exec {
namespace {

constexpr std::size_t kThunkAlign = 16;

bool is_valid(const ThunkShape& shape) {
  for (const ThunkArg& arg : shape.args)
    if (arg.bytes == 0 || arg.bytes > 16) return false;
  return shape.ret_bytes <= 8 && shape.slots() <= kMaxThunkSlots;
}

}  // namespace

std::size_t ThunkShape::slots() const {
  std::size_t n = 0;
  for (const ThunkArg& arg : args) n += arg.bytes > 8 ? 2 : 1;
  return n;
}

ThunkSet::ThunkSet(CodeMemory& memory, std::size_t max_pages) : memory_(memory), max_pages_(max_pages) {}

Result<void*> ThunkSet::add(const ThunkShape& shape, ThunkTarget target, void* data) {
  return add(shape, target, data, ProgramWay{});
}

Result<void*> ThunkSet::add(const ThunkShape& shape, ThunkTarget target, void* data, const ProgramWay& way) {
  if (!is_valid(shape)) return Errno::kNotSupp;
  const std::vector<std::byte> code = RING3_TRY(emit_thunk(shape, target, data, way));
  if (code.size() > kPageBytes - used_) {
    if (pages_.size() == max_pages_) return Errno::kTooBig;
    pages_.push_back(RING3_TRY(memory_.allocate(kPageBytes)));
    used_ = 0;
  }
  void* const thunk = pages_.back().write(used_, code);
  used_ += (code.size() + kThunkAlign - 1) / kThunkAlign * kThunkAlign;
  return thunk;
}

Result<void*> ThunkSet::add(const ThunkShape& shape, const ProgramEntry& entry) {
  ProgramWay way{.kind = ProgramWay::Kind::kLeaf, .code = &entry.leaf_slot(), .measuring = &entry.machine().stats_users,
                 .runs = entry.stats().own_runs()};
  // Code that is no leaf is not often replaced by code that is: its thunk does without the way there.
  if (entry.code() != nullptr && entry.leaf_slot().load(std::memory_order_relaxed) == nullptr) {
    way.kind = ProgramWay::Kind::kRun;
    way.code = &entry.ready_slot();
    if (entry.options().touches_percpu) way.slots = &entry.machine().slots;
  }
  return add(shape, entry.run_inside(), const_cast<ProgramEntry*>(&entry), way);
}

void ThunkSet::free_after_readers(std::unique_ptr<ThunkSet> set) noexcept {
  if (set == nullptr) return;
  ThunkSet* const doomed = set.release();
  doomed->retired_.set = doomed;
  rcu::call_after_readers(&doomed->retired_.node, [](rcu::Deferred* node) {
    delete reinterpret_cast<Retired*>(node)->set;
  });
}

}  // namespace ring3::exec
