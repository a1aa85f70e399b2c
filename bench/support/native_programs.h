// The programs of bench/programs/micro.bpf.c compiled for this machine by the compiler that makes the BPF: what is left
// between compiled BPF and the best that could be.
#pragma once

#include <string_view>

namespace ring3::bench {

/// Takes the context that BPF programs take.
using NativeProgram = int (*)(void* ctx);

/// Null: there is none.
NativeProgram find_native_program(std::string_view name);

}  // namespace ring3::bench
