#include "bench/support/native_programs.h"

namespace ring3::bench {
namespace {

struct Row {
  const char* name;
  NativeProgram run;
};

}  // namespace

// The linker's names for the first row of the section and for what is behind its last.
extern "C" const Row __start_native_programs[];
extern "C" const Row __stop_native_programs[];

NativeProgram find_native_program(std::string_view name) {
  for (const Row* row = __start_native_programs; row != __stop_native_programs; ++row)
    if (row->name == name) return row->run;
  return nullptr;
}

}  // namespace ring3::bench
