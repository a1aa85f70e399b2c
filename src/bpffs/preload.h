// The iterators that a mounted bpffs has from the start, as Linux preloads them: maps.debug and progs.debug in the root,
// links of two programs that write a line for each map and each program.
#pragma once

#include "runtime/runtime_impl.h"
#include "syscall/pin_mounts.h"

namespace ring3::bpffs {

/// For a file system that is about to show a tree: pins what of them is not there, for the runtime's user to read (mode 0400). As on Linux it is no error when that cannot be: a host's
/// types may know no iterators. The log says when it should have been possible.
void preload_iterators(RuntimeImpl& runtime, syscall::PinInstance& instance);
/// Such a file system ends. With the last one they go.
void unload_iterators(syscall::PinInstance& instance);

}  // namespace ring3::bpffs
