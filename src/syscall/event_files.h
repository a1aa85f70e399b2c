// What stands for a perf event of BPF output: a file that a client maps, puts into a perf event array and waits on.
// perf_event_open(2) does not say how much will be mapped, so the file is as large as it may get (its pages are touched when
// they are used), and the mapping tells later.
#pragma once

#include <cstdint>

#include "base/owned_fd.h"
#include "syscall/kernel.h"

namespace ring3::syscall {

inline constexpr std::uint32_t kMaxEventPages = 1024;  // of data, 4 MiB

/// Errors: kNoMem, kNFile, kMFile, kNoSpc.
Result<OwnedFd> open_event_file(Kernel& kernel, const Birth& birth);
/// A client maps `pages` pages of data; 0: only asks whether it is such a file. Errors: kBadF another file; kInval not a power of
/// two, or more than kMaxEventPages; kBusy samples stand there already.
Result<void> use_event_pages(Kernel& kernel, const FileIdentity& file, std::uint32_t pages);

}  // namespace ring3::syscall
