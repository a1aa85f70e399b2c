// A loaded program, as those see it that replace or trace one of its functions: what the verifier found out about each
// function while it judged the program, in terms of the program's own BTF.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "btf/btf.h"

namespace ring3::model {

/// How a global function's argument is promised by its BTF prototype.
struct GlobalArg {
  enum class Kind : std::uint8_t { kScalar, kCtx, kMem, kHostStruct, kDynptr, kArena } kind = Kind::kScalar;
  bool nullable = false;
  bool trusted = false;            // kHostStruct
  std::uint32_t mem_bytes = 0;     // kMem
  std::uint32_t btf = 0;           // kHostStruct: index into the verified program's BTFs; 0: the host's
  btf::TypeId type = 0;
};

/// A function that is left in the program: what no path reaches is gone.
struct ProgramFunction {
  btf::TypeId func = 0;                  // FUNC record of the program's BTF; 0: none
  bool is_global = false;
  bool is_typed = false;                 // whoever enters it keeps its prototype
  bool is_exception_callback = false;
  bool changes_packet = false;           // itself, or by what it calls
  bool entered_outside_sections = false; // where nothing but the caller's own sections keeps what readers see
  std::vector<GlobalArg> args;           // is_typed: what it is entered with
};

struct ProgramFacts {
  std::uint32_t type = 0;                // enum bpf_prog_type, as loaded
  std::uint32_t attach_type = 0;
  /// Whose contexts, helpers and results it has: itself; a replacement, the program a function of which it replaces.
  std::uint32_t acts_as = 0;
  std::uint32_t acts_at = 0;             // expected attach type, likewise
  bool traces_tracing = false;           // a tracing program on a function of a tracing program
  std::shared_ptr<const btf::Btf> btf;   // its own; null: none
  std::shared_ptr<const btf::Btf> host_btf;
  std::vector<ProgramFunction> functions;  // main first
  // How far it reaches into memory whose size is checked where it is run or attached.
  std::uint32_t max_ctx_offset = 0;
  std::uint32_t max_rdonly_access = 0, max_rdwr_access = 0;
};

}  // namespace ring3::model
