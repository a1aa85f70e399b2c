// Statements about what lies outside a program: untrusted pointers, whose loads may fault, functions of the host, dynptrs,
// iterators, objects of the program's own and exceptions.
#pragma once

#include "map_statements.h"

namespace ring3::native {

class HostStatements : public MapStatements {
 protected:
  using MapStatements::MapStatements;

  enum class Place { kMain, kFunction };
  /// A struct somewhere, known or not, good or not, and loads from it and from what it points to.
  void untrusted_loads(Place place);
  void host_function();
  void dynptr();
  /// r0 becomes the iterator's element; the body is the caller's.
  std::size_t begin_iteration();
  void end_iteration(std::size_t top);
  void begin_locked(bool rcu) { call_kfunc(rcu ? kRcuLock : kPreemptDisable), lose_arguments(), mov(0, one_of(kImmediates)); }
  void end_locked(bool rcu) { call_kfunc(rcu ? kRcuUnlock : kPreemptEnable), lose_arguments(), mov(0, one_of(kImmediates)); }
  void own_object();
  void throw_sometimes();

  bool host_functions_ = false;  // those that no kernel has may be called

 private:
  void call_kfunc(KfuncNumber number) { emit(0x85, 0, 2, 0, static_cast<std::int32_t>(number)); }
  void type(int dst, TypeNumber number);
  /// Of the struct that r0 points to.
  void load_members(TypeNumber number);
  void make_dynptr(int at, bool& owes_submit);
  void use_dynptr(int at);
  void slice(int at);
  void read_or_write(int at);
  void dynptr_offset(int reg);
  /// r0 is what a function of this width returned; Linux leaves the rest as it comes.
  void result(bool is_bool);
};

}  // namespace ring3::native
