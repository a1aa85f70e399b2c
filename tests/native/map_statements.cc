#include "map_statements.h"

namespace ring3::native {
namespace {

enum Helper : std::int32_t {
  kLookup = 1, kUpdate = 2, kDelete = 3, kTailCall = 12, kPush = 87, kPop = 88, kPeek = 89, kForEach = 164, kLoop = 181,
};

}  // namespace

void MapStatements::map_statement() {
  switch (pick(0, 11)) {
    case 0: case 1: case 2: case 3: return hash_operation(kHashMap);
    case 4: return hash_operation(kPercpuHashMap);
    case 5: return hash_operation(kLruMap);
    case 6: case 7: return array_operation(kStepsMap);
    case 8: return array_operation(kPercpuArrayMap);
    case 9: case 10: return map_in_map();
    default: return queue_operation();
  }
}

void MapStatements::small_key(int bytes, int mask) {
  const int key = kept_number();
  emit(0x57, key, 0, 0, mask);
  emit(static_cast<std::uint8_t>(kStx | (bytes == 8 ? 0x18 : 0x00)), 10, key, kKeyAt);
}

void MapStatements::use_value() {
  const std::size_t at = here();
  emit(0x15, 0);  // if r0 == 0 goto behind
  if (chance(50)) emit(0x79, 9, 0, 0);
  if (chance(50)) emit(0x7b, 0, one_of({8, 9}), 0);
  if (chance(40)) emit(0xdb, 0, one_of({8, 9}), 0, one_of(kAtomics));
  if (chance(20)) emit(0xc3, 0, one_of({8, 9}), one_of({0, 4}), one_of(kAtomics));
  emit(0x07, 8, 0, 0, 1);
  land(at);
  if (chance(98)) mov(0, one_of(kImmediates));
}

void MapStatements::hash_operation(MapNumber number) {
  small_key(8, kHashEntries - 1);
  emit(0x7b, 10, one_of({8, 9, 3}), kBufferAt);
  map(1, number);
  stack_address(2, kKeyAt);
  switch (pick(0, 3)) {
    case 0:
      stack_address(3, kBufferAt);
      mov(4, pick(0, 2));  // any, only new ones, only old ones
      call_helper(kUpdate);
      break;
    case 1: call_helper(kDelete); break;
    default: call_helper(kLookup); use_value();
  }
  lose_arguments();
}

/// Also beyond its end.
void MapStatements::array_operation(MapNumber number) {
  if (chance(40)) emit(0x62, 10, 0, kKeyAt, pick(0, kArrayEntries + 1));
  else small_key(4, 2 * kArrayEntries - 1);
  map(1, number);
  stack_address(2, kKeyAt);
  if (chance(15)) {
    emit(0x7b, 10, one_of({8, 9}), kBufferAt);
    stack_address(3, kBufferAt);
    mov(4, pick(0, 2));
    call_helper(kUpdate);
  } else {
    call_helper(kLookup);
    use_value();
  }
  lose_arguments();
}

void MapStatements::map_in_map() {
  small_key(4, 3);
  map(1, kOuterMap);
  stack_address(2, kKeyAt);
  call_helper(kLookup);
  const std::size_t no_map = here();
  emit(0x15, 0);
  copy(1, 0);
  emit(0x62, 10, 0, kKeyAt, pick(0, kArrayEntries));
  stack_address(2, kKeyAt);
  call_helper(kLookup);
  use_value();
  land(no_map);
  if (chance(98)) mov(0, one_of(kImmediates));
  lose_arguments();
}

void MapStatements::queue_operation() {
  emit(0x7b, 10, one_of({8, 9}), kBufferAt);
  map(1, kQueueMap);
  stack_address(2, kBufferAt);
  switch (pick(0, 2)) {
    case 0:
      mov(3, one_of({0, 2}));  // BPF_EXIST drops the oldest
      call_helper(kPush);
      break;
    case 1: call_helper(kPop); break;
    default: call_helper(kPeek);
  }
  emit(0x79, one_of({8, 9}), 10, kBufferAt);
  lose_arguments();
}

void MapStatements::tail_call() {
  copy(1, 6);
  map(2, kProgramsMap);
  if (chance(60)) {
    mov(3, pick(0, kPrograms));
  } else {
    copy(3, one_of({8, 9}));
    if (chance(70)) emit(0x57, 3, 0, 0, 7);
  }
  call_helper(kTailCall);
  if (chance(90)) mov(0, one_of(kImmediates));
  lose_arguments();
}

void MapStatements::tail_call_of_arguments() {
  copy(3, 2);
  emit(0x57, 3, 0, 0, 3);
  map(2, kProgramsMap);
  call_helper(kTailCall);
}

void MapStatements::loop_over_callback() {
  emit(0x7b, 10, one_of({8, 9}), kBufferAt);
  if (chance(70)) {
    mov(1, pick(0, 9));
  } else {
    copy(1, one_of({8, 9}));
    emit(0x57, 1, 0, 0, 15);
  }
  function(2, Callee::kLoopBody);
  stack_address(3, kBufferAt);
  mov(4, chance(97) ? 0 : 1);
  call_helper(kLoop);
  if (chance(70)) emit(0x79, one_of({8, 9}), 10, kBufferAt);
  lose_arguments();
}

void MapStatements::for_each_element() {
  emit(0x7b, 10, one_of({8, 9}), kBufferAt);
  map(1, kStepsMap);
  function(2, Callee::kElementBody);
  stack_address(3, kBufferAt);
  mov(4, 0);
  call_helper(kForEach);
  if (chance(70)) emit(0x79, one_of({8, 9}), 10, kBufferAt);
  lose_arguments();
}

/// r7 is what it was given beside the index.
void MapStatements::leave_loop_body() {
  if (chance(80)) emit(0x79, 0, 7, 0);
  else mov(0, 1);
  emit(0x0f, 0, one_of({8, 9}));
  emit(0x7b, 7, 0, 0);
  emit(0x57, 0, 0, 0, 1);
  if (chance(60)) mov(0, 0);
  emit(0x95, 0);
}

/// r6 is the element, r7 as above.
void MapStatements::leave_element_body() {
  if (chance(50)) emit(0xdb, 6, one_of({8, 9}), 0, one_of({0x00, 0x01, 0xa1}));
  leave_loop_body();
}

}  // namespace ring3::native
