// Who could write a file's pages without asking anybody: processes that have it mapped shared and writable.
//
// The kernel counts such mappings of a file, but says the count only to F_ADD_SEALS, where a map's host is one of
// them itself and the answer cannot be taken back. So the mappings are looked for, in /proc/PID/maps of every
// process that this one may look at: those of its own user, unless they made themselves undumpable; all, for an
// administrator. Nothing that must be sound rests on the answer: what programs take for constant
// (BPF_F_RDONLY_PROG) is sealed from its creation, and no client ever maps it writable.
#pragma once

#include <cstddef>
#include <span>

namespace ring3::syscall {

/// file: a descriptor of this process. own: this process's mapping of it, which does not count.
/// Blocking: reads the mappings of all processes, some 100 µs for each. Thread-safe.
bool mapped_writable(int file, std::span<const std::byte> own);

}  // namespace ring3::syscall
