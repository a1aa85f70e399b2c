// Arenas: up to 4 GiB of pages that programs and clients share, with pointers that mean the same on both sides.
//
// A pointer inside an arena is 32 bits wide where it counts: a program adds them to the host's window, a client has
// the memory mapped where the upper half of its own pointers says. Pages come into being when somebody first touches
// them, as in Linux when a client does; here also when a program does, so a program never faults inside the arena. A page that
// came into being by a program's load after it was given back, and holds only zeros, is as free as before.
//
// Source: bpf_arena_alloc_pages, bpf_arena_free_pages. May block (they are for sleepable programs).
#pragma once

#include <cstdint>

#include "maps/map.h"

namespace ring3::maps {

/// The host's window: an arena pointer p is the host's arena_window() + uint32(p). 4 GiB, with guards around it that
/// cover any instruction offset. Its low 32 bits are zero.
std::uint64_t arena_window(const Map& map) noexcept;
/// Where clients have the first page: map_extra, or the host's own address of it.
std::uint64_t arena_user_start(const Map& map) noexcept;
/// Says where the client has mapped an arena it created without map_extra. Errors: kInval not a page, or the arena
/// would cross a multiple of 4 GiB; kBusy map_extra was given, or the arena has been used.
Result<void> arena_set_user_start(Map& map, std::uint64_t address);
/// From now on the start stays: a program has it built in.
void arena_hold_start(Map& map) noexcept;

/// Pages of zeros, as the client's address of the first. at: where (page aligned), 0 anywhere. 0: not so many pages
/// free in a row, or a bad argument.
std::uint64_t arena_alloc_pages(Map& map, std::uint64_t at, std::uint32_t pages) noexcept;
/// Gives pages back; those outside the arena are passed over.
void arena_free_pages(Map& map, std::uint64_t at, std::uint32_t pages) noexcept;

}  // namespace ring3::maps
