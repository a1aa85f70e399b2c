// Program kinds as rows: prog_kinds.def. What a type of program gets as context, may call, may return.
#pragma once

#include <cstdint>
#include <string_view>

namespace ring3::model {

/// Which rules judge context accesses.
enum class CtxRule : std::uint8_t {
  kLayout,   // rows of ctx_layouts.def
  kBtfArgs,  // an array of 8-byte arguments typed by the attach target
  kBytes,    // plain bytes, read and write, up to `ctx_bytes`
  kReadBytes,  // plain bytes, read only, aligned
};

enum ProgKindFlag : std::uint16_t {
  kProgPacketRead = 1 << 0,
  kProgPacketWrite = 1 << 1,
  kProgMaySleep = 1 << 2,       // with BPF_F_SLEEPABLE, where the target allows
  kProgMustSleep = 1 << 3,
  kProgNeedsTarget = 1 << 4,
  kProgCtxArgPtr = 1 << 5,      // global functions may take the context struct by name
  kProgAnyReturn = 1 << 6,
  kProgTracing = 1 << 7,        // no maps with locks, lists, trees, timers (behaviour.md C.3.8)
};

struct ProgKindRow {
  std::uint32_t type;           // enum bpf_prog_type
  std::string_view name;
  std::string_view ctx_struct;  // struct a global function's context argument names
  CtxRule ctx_rule;
  std::uint16_t ctx_layout;     // kLayout: bit of enum CtxLayout
  std::uint32_t ctx_bytes;
  std::uint16_t flags;
  std::uint32_t helper_sets;
  std::int32_t ret_min, ret_max;  // allowed R0 at exit unless kProgAnyReturn
};
/// Null: the type is unknown, or not supported yet.
const ProgKindRow* find_prog_kind(std::uint32_t prog_type);

struct ReturnRange {
  bool any = true;
  std::int32_t min = 0, max = 0;
};
/// What main may return, given type and attach type.
ReturnRange return_range(const ProgKindRow& kind, std::uint32_t attach_type);

}  // namespace ring3::model
