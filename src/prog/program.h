// A program object: verified, compiled, immutable after load(). It holds its maps and its BTF
// (behaviour.md F.1.1); links, struct_ops maps and program arrays hold it.
//
// Destruction waits for readers (object/object.h), so code that was entered inside a read section stays
// mapped until that section ends, whoever dropped the last reference meanwhile.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "btf/btf.h"
#include "exec/engine.h"
#include "isa/insn.h"
#include "maps/map.h"
#include "object/object.h"
#include "prog/btf_object.h"

namespace ring3::prog {

/// First 8 bytes of SHA-1 over the instructions as loaded, with map descriptors zeroed.
using ProgramTag = std::array<std::uint8_t, 8>;
ProgramTag program_tag(std::span<const isa::RawInsn> insns);

struct RunCounts {
  std::uint64_t runs = 0;
  std::uint64_t run_time_ns = 0;       // only while statistics are enabled
  std::uint64_t recursion_misses = 0;
};

/// What OBJ_GET_INFO and listings tell; all of it constant.
struct ProgramAbout {
  std::uint32_t type = 0;              // enum bpf_prog_type
  std::uint32_t attach_type = 0;       // expected_attach_type; struct_ops: member index
  std::uint32_t flags = 0;             // as loaded
  std::string name;
  ProgramTag tag{};
  bool gpl_compatible = false;
  bool sleepable = false;
  std::uint32_t verified_insns = 0;
  btf::TypeId attach_btf_id = 0;
  std::uint32_t attach_btf_object_id = 0;  // BTF object that holds attach_btf_id; 0: none
  std::vector<isa::RawInsn> xlated;    // as shown to clients: maps by id, no addresses
  std::vector<std::byte> func_info, line_info;
  std::uint32_t func_info_rec_size = 0, line_info_rec_size = 0;
  std::vector<std::uint32_t> subprog_starts;   // main first
  std::uint32_t max_ctx_offset = 0;    // syscall programs: least context size
};

class Program final : public Object {
 public:
  const ProgramAbout& about() const { return about_; }
  std::uint32_t type() const { return about_.type; }
  std::uint32_t attach_type() const { return about_.attach_type; }
  const std::string& name() const { return about_.name; }

  /// Maps it uses or was bound to at load, each once, in order of first use.
  std::vector<Ref<maps::Map>> maps() const;
  /// Keeps a map with the program (PROG_BIND_MAP). A map already held: no change.
  Result<void> bind_map(Ref<maps::Map> map);
  const Ref<BtfObject>& btf() const { return btf_; }
  /// Holds the BTF object of the attach target, null for none.
  const Ref<Object>& attach_target() const { return attach_target_; }

  RunCounts run_counts() const;
  std::uint64_t memory_bytes() const;
  /// What enters the program. Valid as long as the program is held or a read section is open.
  const exec::ProgramEntry& entry() const { return *entry_; }

 private:
  friend class ProgramMaker;
  Program(ObjectTable& table, Birth birth);
  ~Program() override;

  ProgramAbout about_;
  Ref<BtfObject> btf_;
  Ref<Object> attach_target_;
  mutable Mutex maps_mutex_;
  std::vector<Ref<maps::Map>> maps_ RING3_GUARDED_BY(maps_mutex_);
  std::unique_ptr<exec::ProgramEntry> entry_;
};

}  // namespace ring3::prog
