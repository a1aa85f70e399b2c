#include "prog/function_hooks.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/try.h"

namespace ring3::prog {
namespace {

/// Slots of 8 bytes that the arguments fill, as programs that trace the function were told.
std::uint32_t argument_slots(const model::ProgramFacts& facts, const model::ProgramFunction& function) {
  if (!function.is_typed) return exec::kArgRegisters;
  std::uint32_t slots = 0;
  for (const btf::Param& param : facts.btf->params(facts.btf->type(function.func)->type))
    slots += (facts.btf->size_of(param.type).value_or(8) + 7) / 8;
  return std::min(slots, exec::kArgRegisters);
}

}  // namespace

FunctionHooks::FunctionHooks(exec::ProgramEntry& entry, exec::Engine& engine, std::shared_ptr<const rewrite::XlatedProgram> program,
                             std::shared_ptr<const model::ProgramFacts> facts)
    : entry_(entry), engine_(engine), program_(std::move(program)), facts_(std::move(facts)) {}

/// What the verifier left of the program and what is compiled are the same functions, in the same order.
Result<FunctionHooks::Place*> FunctionHooks::place_of(btf::TypeId function) {
  const auto& functions = facts_->functions;
  const auto found = std::find_if(functions.begin(), functions.end(), [&](const auto& f) { return f.func == function; });
  if (function == 0 || found == functions.end() || functions.size() != program_->subprogs.size()) return Errno::kInval;
  if (places_.empty()) places_.resize(functions.size());
  Place& place = places_[static_cast<std::size_t>(found - functions.begin())];
  if (!place.detour) place.detour = std::make_unique<exec::Detour>(argument_slots(*facts_, *found));
  return &place;
}

Result<void> FunctionHooks::replace(btf::TypeId function, const exec::ProgramEntry& program) {
  MutexLock lock(mutex_);
  Place& place = *RING3_TRY(place_of(function));
  if (!place.detour->is_empty() || array_slots_ != 0) return Errno::kBusy;
  RING3_TRY(place.detour->replace(program));
  if (Result<void> reached = reach(place); !reached) {
    place.detour->remove(program);
    return reached;
  }
  ++replaced_;
  return {};
}

Result<void> FunctionHooks::trace(btf::TypeId function, exec::TracePoint point, const exec::ProgramEntry& program, std::uint64_t cookie) {
  MutexLock lock(mutex_);
  Place& place = *RING3_TRY(place_of(function));
  if (place.detour->is_replaced()) return Errno::kBusy;
  if (place.detour->tracers() >= kMostTracers) return Errno::kTooBig;
  if (place.detour->is_traced_by(point, program)) return Errno::kBusy;
  RING3_TRY(place.detour->trace(point, program, cookie));
  if (Result<void> reached = reach(place); !reached) {
    place.detour->remove(program);
    return reached;
  }
  return {};
}

void FunctionHooks::leave(btf::TypeId function, const exec::ProgramEntry& program) noexcept {
  MutexLock lock(mutex_);
  const Result<Place*> place = place_of(function);  // has been found before: needs no memory
  if (!place.ok()) return;
  exec::Detour& detour = *(*place)->detour;
  if (detour.is_replaced()) --replaced_;
  detour.remove(program);
  if (!detour.is_empty()) return;
  (*place)->compiled = false;
  // Where that fails, the code keeps an empty detour, which leads into the function's body.
  if (!recompile().ok()) (*place)->compiled = true;
}

Result<void> FunctionHooks::reach(Place& place) {
  if (std::exchange(place.compiled, true)) return {};
  Result<void> done = recompile();
  if (!done) place.compiled = false;
  return done;
}

Result<void> FunctionHooks::recompile() {
  try {
    std::vector<const exec::Detour*> detours;
    for (const Place& place : places_) detours.push_back(place.compiled ? place.detour.get() : nullptr);
    if (std::all_of(detours.begin(), detours.end(), [](const exec::Detour* d) { return d == nullptr; })) detours.clear();
    return entry_.set_code(RING3_TRY(engine_.compile(program_, detours)));
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
}

Result<void> FunctionHooks::enter_array() {
  MutexLock lock(mutex_);
  if (replaced_ != 0) return Errno::kBusy;
  ++array_slots_;
  return {};
}

void FunctionHooks::leave_array() noexcept {
  MutexLock lock(mutex_);
  --array_slots_;
}

}  // namespace ring3::prog
