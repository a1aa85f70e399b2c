// Files that tell of the kernel, as a host would write them: symbols, configuration, CPUs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "supervisor/namespaces.h"

namespace ring3::supervisor {

/// The functions of these types, as lines of /proc/kallsyms. Addresses are 0, as for whoever may not see them: there is nothing to
/// be found at any. Types that are no BTF have no lines.
std::string symbols_of(std::span<const std::byte> btf);
/// Text in the form of gzip, not compressed.
std::string as_gzip(const std::string& text);
/// "0-7"; one CPU is "0".
std::string cpu_list(std::uint32_t cpus);

/// What stands over the machine's files for a command that sees these types and so many possible CPUs (0: the machine's own).
std::vector<FileOverlay> kernel_files(std::span<const std::byte> btf, std::uint32_t cpus);

}  // namespace ring3::supervisor
