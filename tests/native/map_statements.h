// Statements about maps of every kind, tail calls and callbacks.
#pragma once

#include "program_writer.h"

namespace ring3::native {

class MapStatements : public ProgramWriter {
 protected:
  using ProgramWriter::ProgramWriter;

  /// One of the statements below, or an operation on a hash or an array.
  void map_statement();
  void tail_call();
  /// Inside kTailCaller: r1 is the context, r2 a number.
  void tail_call_of_arguments();
  void loop_over_callback();
  void for_each_element();
  /// The bodies of callbacks end with these: a number goes out, and whether to go on.
  void leave_loop_body();
  void leave_element_body();

 private:
  void hash_operation(MapNumber map);
  void array_operation(MapNumber map);
  void map_in_map();
  void queue_operation();
  /// r0 is a value of 8 bytes or null: uses it and makes r0 a number again.
  void use_value();
  void small_key(int bytes, int mask);
};

}  // namespace ring3::native
