// Loads and stores, judged by the kind of the base pointer: one file per rule.
//
// check_access() is the entry for instructions. check_region() answers the calls: may a helper or kfunc touch
// `size` bytes at this pointer?
#pragma once

#include "verifier/verification.h"

namespace ring3::verifier {

inline constexpr int kNoReg = -1;

/// One access. Offsets in the kind files are relative to the object: instruction offset plus the pointer's.
struct Access {
  unsigned base = 0;        // register with the pointer
  std::int32_t off = 0;     // the instruction's displacement
  std::uint8_t size = 0;
  bool write = false;
  int value = kNoReg;       // register loaded or stored; kNoReg: an immediate, or nothing
  bool sign_extend = false;
  bool atomic = false;
  bool is_imm = false;      // a store of `imm`
  std::int64_t imm = 0;
};

Result<void> check_access(Step& step, const Access& access);

// One per rule of model::DerefRule (kArena: arena.cc). `off` includes the pointer's fixed offset.
Result<void> access_stack(Step& step, const Access& access, std::int32_t off);
Result<void> access_ctx(Step& step, const Access& access, std::int32_t off);
/// A context that holds the arguments of what the program is attached to.
Result<void> access_target_args(Step& step, const Access& access, std::int32_t off);
Result<void> access_map_fields(Step& step, const Access& access, std::int32_t off);
Result<void> access_map_value(Step& step, const Access& access, std::int32_t off);
Result<void> access_sized(Step& step, const Access& access, std::int32_t off);
Result<void> access_buffer(Step& step, const Access& access, std::int32_t off);
Result<void> access_packet(Step& step, const Access& access, std::int32_t off);
Result<void> access_sock(Step& step, const Access& access, std::int32_t off);
Result<void> access_flow_keys(Step& step, const Access& access, std::int32_t off);
Result<void> access_host_struct(Step& step, const Access& access, std::int32_t off);

/// What a call wants with memory.
enum class Purpose : std::uint8_t { kRead, kWrite, kReadWrite };

/// Bytes [off, off + size) of a buffer of unknown size (kinds/buffer.cc).
Result<void> touch_buffer(Step& step, unsigned regno, std::int32_t off, std::uint32_t size);
/// `size` bytes at register `regno` (bytes [0, size)) may be read or written by a callee.
/// zero_ok: size 0 is fine (the pointer must still be one). uninit: written without being read, so
/// uninitialised stack is fine; the caller then marks it written with mark_region_written().
Result<void> check_region(Step& step, unsigned regno, std::uint32_t size, bool zero_ok, Purpose purpose, bool uninit);
/// After a call that wrote `size` bytes of uninitialised memory at a constant stack offset.
void mark_region_written(Step& step, const RegState& ptr, std::uint32_t size);

// Shared by the kind files.
/// off … off + size lies inside an object of `bytes` bytes, for all values of the variable part.
Result<void> check_object_bounds(Step& step, unsigned regno, std::int32_t off, std::uint32_t size, std::uint32_t bytes,
                                 bool zero_ok);
/// The pointer has no variable part and a fixed offset of at least 0 (of 0 unless fixed_ok).
Result<void> check_no_offset(Step& step, const RegState& reg, unsigned regno, bool fixed_ok);
/// Records what the instruction touches; two kinds on one instruction are refused.
Result<void> note_access(Step& step, model::AccessKind kind);
/// What a load of unknown bytes leaves in `access.value`.
void load_unknown(Step& step, const Access& access);

/// Bytes [off, off + size) of a slice that may lie in a stack (RegState::lent_stack()) are read, or written.
Result<void> touch_lent_stack(Step& step, const RegState& slice, std::int32_t off, std::uint32_t size, bool write);
Result<void> region_on_stack(Step& step, unsigned regno, std::uint32_t size, bool zero_ok, Purpose purpose, bool uninit);
/// Contexts that are plain bytes may be passed as memory: the first `size` bytes behind the pointer.
Result<void> region_in_ctx(Step& step, unsigned regno, std::uint32_t size, bool zero_ok, bool write);
/// Of a trusted host struct callees may read one member.
Result<void> region_in_host_struct(Step& step, unsigned regno, std::uint32_t size, bool zero_ok);
/// The pointer in `regno` points to a byte of its map value, whatever its variable part.
Result<void> check_inside_map_value(Step& step, unsigned regno);
Result<void> region_in_map_value(Step& step, unsigned regno, std::uint32_t size, bool zero_ok, Purpose purpose);

}  // namespace ring3::verifier
