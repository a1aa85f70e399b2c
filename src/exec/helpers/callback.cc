// Helpers that call the program back, and the one that leaves it.
#include "exec/engine.h"
#include "exec/helpers/rows.h"
#include "exec/program_entry.h"
#include "maps/map.h"
#include "rewrite/tail_calls.h"

namespace ring3::exec {
namespace {

constexpr std::uint32_t kMaxLoops = 8 * 1024 * 1024;

std::uint64_t loop(std::uint64_t count, std::uint64_t callback, std::uint64_t ctx, std::uint64_t flags, std::uint64_t,
                   RunContext& run) {
  const std::uint32_t iterations = static_cast<std::uint32_t>(count);
  if (flags != 0) return error_register(Errno::kInval);
  if (iterations > kMaxLoops) return error_register(Errno::kTooBig);
  const std::uint32_t subprog = static_cast<std::uint32_t>(callback);
  for (std::uint32_t i = 0; i < iterations; ++i)
    if (run.code->call_subprog(run, subprog, i, ctx) != 0 || run.thrown) return i + 1;
  return iterations;
}

struct EachElement {
  RunContext& run;
  std::uint64_t map;
  std::uint32_t subprog;
  std::uint64_t ctx;
};

std::uint64_t call_for_element(const void* key, void* value, void* data) {
  const EachElement& each = *static_cast<EachElement*>(data);
  const std::uint64_t result = each.run.code->call_subprog(each.run, each.subprog, each.map, reinterpret_cast<std::uint64_t>(key),
                                                           reinterpret_cast<std::uint64_t>(value), each.ctx);
  return each.run.thrown ? 1 : result;
}

std::uint64_t for_each_map_elem(std::uint64_t map, std::uint64_t callback, std::uint64_t ctx, std::uint64_t flags,
                                std::uint64_t, RunContext& run) {
  maps::Map& iterated = *pointer_register<maps::Map>(map);
  if (flags != 0) return error_register(Errno::kInval);
  if (iterated.ops().data.for_each == nullptr) return error_register(iterated.ops().control.missing);
  EachElement each{run, map, static_cast<std::uint32_t>(callback), ctx};
  return to_register(iterated.ops().data.for_each(iterated, call_for_element, &each, flags));
}

std::uint64_t tail_call(std::uint64_t ctx, std::uint64_t program_array, std::uint64_t index, std::uint64_t, std::uint64_t,
                        RunContext& run) {
  run.tail_ctx = pointer_register<void>(ctx);
  const bool entered = enter_tail_call(run, *pointer_register<maps::Map>(program_array), static_cast<std::uint32_t>(index));
  return entered ? 0 : error_register(Errno::kNoEnt);  // a program that goes on sees r0 only as unreadable
}

std::uint64_t enter_tail(std::uint64_t ctx, std::uint64_t program, std::uint64_t, std::uint64_t, std::uint64_t, RunContext& run) {
  run.tail_ctx = pointer_register<void>(ctx);
  return enter_tail_call(run, pointer_register<Object>(program)) ? 0 : error_register(Errno::kNoEnt);
}

constexpr rewrite::HelperCall kRows[] = {
    RING3_HELPER(loop, loop),
    RING3_HELPER(for_each_map_elem, for_each_map_elem),
    RING3_HELPER(tail_call, tail_call),
};

}  // namespace

HelperRows callback_helpers() { return kRows; }

HelperRows tail_call_helpers() {
  static constexpr rewrite::HelperCall kEnter[] = {{rewrite::kEnterTailHelper, "bpf_tail_call", enter_tail}};
  return kEnter;
}

}  // namespace ring3::exec
