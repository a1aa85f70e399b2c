// Program kinds as rows: prog_kinds.def. What a type of program gets as context, may call, may return.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/facts.h"
#include "model/prog_view.h"
#include "model/rights.h"

namespace ring3::model {

/// Which rules judge context accesses.
enum class CtxRule : std::uint8_t {
  kLayout,   // rows of ctx_layouts.def
  kBtfArgs,  // an array of 8-byte arguments typed by the attach target
  kBytes,    // plain bytes, read and write, up to `ctx_bytes`
  kReadBytes,  // plain bytes, read only, aligned
  kTarget,     // those of the program it replaces a function of
};

enum ProgKindFlag : std::uint16_t {
  kProgPacketRead = 1 << 0,
  kProgPacketWrite = 1 << 1,
  kProgMaySleep = 1 << 2,       // with BPF_F_SLEEPABLE, where the target allows
  kProgMustSleep = 1 << 3,
  kProgNeedsTarget = 1 << 4,
  kProgTestRun = 1 << 5,        // BPF_PROG_TEST_RUN has an operation for it
  kProgTracing = 1 << 7,        // no maps with locks, lists, trees, timers (behaviour.md C.3.8)
};

struct ProgKindRow {
  std::uint32_t type;           // enum bpf_prog_type
  std::string_view name;
  std::string_view ctx_struct;  // struct a global function's context argument names
  CtxRule ctx_rule;
  std::uint32_t ctx_bytes;
  std::uint16_t flags;
  std::uint8_t rights;          // ProgRight bits
};
/// Every type of 6.12 has a row; null: the type is unknown.
const ProgKindRow* find_prog_kind(std::uint32_t prog_type);

/// The view of a program with this expected attach type; kViewNone for EXT (its target's counts) and unknown types.
ProgViews prog_view(std::uint32_t prog_type, std::uint32_t attach_type);

/// May a client with these rights load it?
bool may_load(const ProgKindRow& kind, const Rights& rights);

struct ReturnRange {
  bool any = true;
  std::int32_t min = 0, max = 0;
};
/// What main may return, given type and attach type. LSM: of hooks that return an int, see lsm_return_range().
ReturnRange return_range(const ProgKindRow& kind, std::uint32_t attach_type);

/// What an LSM program may return. hook: name of the attached function ("bpf_lsm_file_open").
ReturnRange lsm_return_range(std::uint32_t attach_type, std::string_view hook, bool returns_void);

}  // namespace ring3::model
