#include "host_statements.h"

#include <utility>
#include <vector>

namespace ring3::native {
namespace {

enum Helper : std::int32_t {
  kFromMem = 197, kReserve = 198, kSubmit = 199, kDiscard = 200, kRead = 201, kWrite = 202, kData = 203,
};
// The frame below what other statements use.
constexpr int kIteratorAt = -72, kDynptrAt = -96, kCloneAt = -112, kSliceAt = -128;

}  // namespace

void HostStatements::type(int dst, TypeNumber number) {
  emit(0x18, dst, kNamesType, 0, static_cast<std::int32_t>(number));
  emit(0x00, 0);
}

void HostStatements::result(bool is_bool) {
  if (is_bool) emit(0x57, 0, 0, 0, 1);
  else emit(0xbc, 0, 0);
  if (chance(50)) copy(one_of({8, 9}), 0);
}

void HostStatements::untrusted_loads(Place place) {
  if (host_functions_ && chance(40)) {
    copy(1, kept_number());
    if (chance(30)) {
      call_kfunc(kHostNode);
      lose_arguments();
      const std::size_t none = here();
      emit(0x15, 0);
      load_members(kNodeType);
      land(none);
      if (chance(98)) mov(0, one_of(kImmediates));
      return;
    }
    call_kfunc(kHostPlace);
    copy(1, 0);
  } else if (place == Place::kMain && chance(50)) {
    copy(1, 7);
    if (chance(50)) emit(0x07, 1, 0, 0, pick(0, 24));  // all of the struct lies within the value
  } else {
    copy(1, kept_number());
    emit(0x57, 1, 0, 0, 0x7fff);  // where nobody has memory
  }
  const TypeNumber number = one_of({kNodeType, kNodeType, kFrameType, kTimeType});
  type(2, number);
  call_kfunc(kCast);
  lose_arguments();
  load_members(number);
}

void HostStatements::load_members(TypeNumber number) {
  std::vector<int> pointers{0};
  int base = one_of({0, 1, 2, 3, 4, 5, 8, 9});
  if (base != 0) copy(base, 0), pointers.push_back(base);
  for (int loads = pick(1, 5); loads > 0; --loads) {
    const int dst = one_of({0, 2, 3, 4, 5, 8, 9});
    std::erase(pointers, dst);
    if (number == kNodeType && chance(40)) {
      emit(0x79, dst, base, one_of({8, 16}));
      pointers.push_back(dst);
      if (chance(70) || dst == base) base = dst;
      continue;
    }
    const int size = number == kFrameType ? one_of({1, 2}) : pick(0, 3);  // 2, 1; any
    const int whole = number == kFrameType ? (size == 1 ? 12 : pick(0, 13)) : number == kTimeType ? 8 * pick(0, 1) : 0;
    const int within = number == kFrameType ? 0 : kBytes[size] * pick(0, 8 / kBytes[size] - 1);
    emit(load_code(size), dst, base, whole + within);
    if (dst == base) break;
  }
  for (const int reg : pointers)
    if (chance(98)) mov(reg, one_of(kImmediates));
}

void HostStatements::host_function() {
  const auto number = static_cast<KfuncNumber>(pick(kHostU8, kHostSum));
  if (number == kHostSum) {
    if (chance(60)) {
      copy(1, 7);
      mov(2, pick(0, 48));
    } else {
      emit(0x7b, 10, one_of({8, 9}), kBufferAt);
      stack_address(1, kBufferAt);
      mov(2, pick(1, 8));
    }
  } else {
    copy(1, kept_number());
    copy(2, one_of({8, 9}));
    for (const int reg : {3, 4, 5}) chance(50) ? copy(reg, one_of({8, 9})) : mov(reg, one_of(kImmediates));
  }
  call_kfunc(number);
  lose_arguments();
  if (number == kHostNothing) return mov(0, one_of(kImmediates));
  if (chance(60)) copy(one_of({8, 9}), 0);
}

void HostStatements::dynptr_offset(int reg) {
  if (chance(70)) return mov(reg, pick(0, 20));
  copy(reg, one_of({8, 9}));
  if (chance(80)) emit(0x57, reg, 0, 0, one_of({3, 7, 31}));
}

void HostStatements::make_dynptr(int at, bool& owes_submit) {
  owes_submit = false;
  switch (pick(0, 3)) {
    case 0: case 1:
      copy(1, 7);
      mov(2, pick(0, 48));
      mov(3, chance(95) ? 0 : 1);
      stack_address(4, at);
      call_helper(kFromMem);
      break;
    case 2: {
      const int bytes = one_of({8, 16, 24});
      owes_submit = true;
      map(1, kRingMap);
      mov(2, bytes);
      mov(3, 0);
      stack_address(4, at);
      call_helper(kReserve);
      // What is in the ring's memory is nobody's business.
      stack_address(1, at);
      mov(2, 0);
      copy(3, 7);
      mov(4, bytes);
      mov(5, 0);
      call_helper(kWrite);
      break;
    }
    default:
      copy(1, 6);
      mov(2, 0);
      stack_address(3, at);
      call_kfunc(kDynptrFromSkb);
  }
  result(false);
  lose_arguments();
}

void HostStatements::read_or_write(int at) {
  const bool reads = chance(50);
  emit(0x7b, 10, one_of({8, 9}), kBufferAt);
  const int bytes = pick(1, 8);
  if (reads) {
    stack_address(1, kBufferAt);
    mov(2, bytes);
    stack_address(3, at);
    dynptr_offset(4);
  } else {
    stack_address(1, at);
    dynptr_offset(2);
    stack_address(3, kBufferAt);
    mov(4, bytes);
  }
  mov(5, 0);
  call_helper(reads ? kRead : kWrite);
  result(false);
  if (reads) emit(0x79, one_of({8, 9}), 10, kBufferAt);
}

/// Bytes of a dynptr in place, or their copy.
void HostStatements::slice(int at) {
  const bool data = chance(35), writes = data || chance(40);
  const int bytes = one_of({1, 2, 4, 8, 16});
  if (!data) {
    emit(0x7b, 10, one_of({8, 9}), kSliceAt);
    emit(0x7a, 10, 0, kSliceAt + 8, 1);
  }
  stack_address(1, at);
  dynptr_offset(2);
  if (data) {
    mov(3, bytes);
    call_helper(kData);
  } else {
    stack_address(3, kSliceAt);
    mov(4, bytes);
    call_kfunc(writes ? kSliceRdwr : kSlice);
  }
  const std::size_t none = here();
  emit(0x15, 0);
  const int size = bytes == 1 ? 2 : bytes == 2 ? pick(1, 2) : bytes == 4 ? pick(0, 2) : pick(0, 3);
  if (writes && chance(60)) emit(static_cast<std::uint8_t>(kStx | kSizes[size]), 0, one_of({8, 9}), bytes - kBytes[size]);
  emit(load_code(size), one_of({8, 9}), 0, 0);
  land(none);
  if (chance(98)) mov(0, one_of(kImmediates));
}

void HostStatements::use_dynptr(int at) {
  switch (pick(0, 5)) {
    case 0: case 1: read_or_write(at); break;
    case 2: case 3: slice(at); break;
    case 4:
      stack_address(1, at);
      dynptr_offset(2);
      dynptr_offset(3);
      call_kfunc(kAdjust);
      result(false);
      break;
    default: {
      const KfuncNumber number = one_of({kIsNull, kIsRdonly, kDynptrSize});
      stack_address(1, at);
      call_kfunc(number);
      result(number != kDynptrSize);
    }
  }
  lose_arguments();
}

void HostStatements::dynptr() {
  bool owes_submit = false;
  make_dynptr(kDynptrAt, owes_submit);
  for (int uses = pick(1, 3); uses > 0; --uses) use_dynptr(kDynptrAt);
  if (chance(25)) {
    stack_address(1, kDynptrAt);
    stack_address(2, kCloneAt);
    call_kfunc(kClone);
    result(false);
    lose_arguments();
    use_dynptr(chance(70) ? kCloneAt : kDynptrAt);
  }
  if (!owes_submit || chance(2)) return;
  stack_address(1, kDynptrAt);
  mov(2, 0);
  call_helper(chance(75) ? kSubmit : kDiscard);
  mov(0, one_of(kImmediates));
  lose_arguments();
}

std::size_t HostStatements::begin_iteration() {
  stack_address(1, kIteratorAt);
  if (chance(70)) {
    mov(2, pick(-3, 3));
    mov(3, pick(-4, 12));
  } else {
    copy(2, one_of({8, 9}));
    emit(0x57, 2, 0, 0, 7);
    mov(3, pick(0, 12));
  }
  call_kfunc(kIterNew);
  result(false);
  lose_arguments();
  const std::size_t top = here();
  stack_address(1, kIteratorAt);
  call_kfunc(kIterNext);
  emit(0x15, 0);  // the end, out of the loop: lands in end_iteration()
  emit(load_code(0), one_of({8, 9}), 0, 0);
  mov(0, one_of(kImmediates));
  lose_arguments();
  return top;
}

void HostStatements::end_iteration(std::size_t top) {
  emit(kJmp, 0, 0, -static_cast<int>(here() - top) - 1);
  std::size_t out = top;
  while (out_.insns[out].code != 0x15) ++out;
  land(out);
  stack_address(1, kIteratorAt);
  call_kfunc(kIterDestroy);
  mov(0, one_of(kImmediates));
  lose_arguments();
}

void HostStatements::own_object() {
  mov(1, kObjectTypeId);
  mov(2, 0);
  call_kfunc(kObjNew);
  lose_arguments();
  const std::size_t none = here();
  emit(0x15, 0);
  if (chance(60)) emit(0x7b, 0, one_of({8, 9}), one_of({0, 8}));
  if (chance(40)) emit(0x63, 0, one_of({8, 9}), 16);
  if (chance(40)) emit(0xdb, 0, one_of({8, 9}), one_of({0, 8}), one_of(kAtomics));
  if (chance(80)) emit(0x79, one_of({8, 9}), 0, one_of({0, 8}));
  if (chance(40)) emit(0x61, one_of({8, 9}), 0, 16);
  if (chance(98)) {
    copy(1, 0);
    mov(2, 0);
    call_kfunc(kObjDrop);
    lose_arguments();
  }
  land(none);
  mov(0, one_of(kImmediates));
}

void HostStatements::throw_sometimes() {
  const std::size_t at = here();
  emit(static_cast<std::uint8_t>((chance(65) ? kJmp : kJmp32) | one_of<std::uint8_t>({0x10, 0x20, 0x50, 0x60, 0xd0})), kept_number(), 0, 0,
       one_of(kImmediates));
  if (chance(50)) copy(1, kept_number());
  else mov(1, one_of(kImmediates));
  call_kfunc(kThrow);
  land(at);
  mov(1, one_of(kImmediates));
}

}  // namespace ring3::native
