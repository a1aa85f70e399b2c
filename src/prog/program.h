// A program object: verified, compiled, immutable after load(). It holds its maps and its BTF
// (behaviour.md F.1.1); links, struct_ops maps and program arrays hold it.
//
// Destruction waits for readers (object/object.h), so code that was entered inside a read section stays
// mapped until that section ends, whoever dropped the last reference meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "btf/btf.h"
#include "exec/program_entry.h"
#include "isa/insn.h"
#include "maps/map.h"
#include "model/facts.h"
#include "model/program_facts.h"
#include "model/tail_call_kind.h"
#include "object/object.h"
#include "prog/btf_object.h"
#include "prog/function_hooks.h"
#include "prog/tag.h"
#include "ring3/signing.h"

namespace ring3::prog {

/// What OBJ_GET_INFO and listings tell; all of it constant.
struct ProgramAbout {
  std::uint32_t type = 0;              // enum bpf_prog_type
  std::uint32_t attach_type = 0;       // expected_attach_type; struct_ops: member index
  std::uint32_t flags = 0;             // as loaded
  std::string name;
  ProgramTag tag{};
  sign::Sha256 digest{};
  Provenance provenance;
  bool gpl_compatible = false;
  bool sleepable = false;
  std::uint32_t verified_insns = 0;    // instructions processed by the verifier
  std::uint64_t verify_time_ns = 0;
  btf::TypeId attach_btf_id = 0;
  std::uint32_t attach_btf_object_id = 0;  // BTF object that holds attach_btf_id; 0: none
  std::vector<isa::RawInsn> xlated;    // as shown to clients (rewrite/shown.h): maps by id, no addresses
  std::vector<std::uint32_t> shown_start;  // per loaded slot: where it begins in xlated
  std::vector<std::byte> func_info, line_info;
  std::uint32_t func_info_rec_size = 0, line_info_rec_size = 0;
  std::vector<std::uint32_t> subprog_starts;   // in xlated, main first
  std::uint32_t max_ctx_offset = 0;    // syscall programs: least context size
  std::uint32_t max_rdonly_access = 0, max_rdwr_access = 0;  // of buffers whose size is known when a link is made
};

class Program final : public exec::Runnable {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kProg;

  const ProgramAbout& about() const { return about_; }
  std::uint32_t type() const { return about_.type; }
  std::uint32_t attach_type() const { return about_.attach_type; }
  const std::string& name() const { return about_.name; }

  /// Maps it uses or was bound to, each once, in order of first use.
  std::vector<Ref<maps::Map>> maps() const;
  /// Keeps a map with the program (PROG_BIND_MAP). A map already held: no change.
  void bind_map(Ref<maps::Map> map);
  const Ref<BtfObject>& btf() const { return btf_; }
  /// What those may know who replace or trace one of its functions; never null.
  const std::shared_ptr<const model::ProgramFacts>& facts() const { return facts_; }
  /// Programs of which kind it may tail call, and be tail called by.
  const model::TailCallKind& tail_call_kind() const { return tail_call_kind_; }
  /// The BTF object that holds what it attaches to; null: none, or a function of a program.
  const Ref<Object>& attach_target() const { return attach_target_; }

  /// It was loaded to replace or to trace a function of a program.
  bool is_for_function() const { return for_function_; }
  /// The program whose function it was loaded for, until a link has used it up (behaviour.md D.2.5); null afterwards. It is held by
  /// this one, never the other way round.
  Ref<Program> load_target() const;
  /// Its name, which stays.
  const std::string& load_target_name() const { return load_target_name_; }
  /// A link was made, or was not kept after all.
  void forget_load_target() noexcept;
  void restore_load_target(Ref<Program> target) noexcept;
  /// Its own functions as places for other programs; null: it does not run.
  FunctionHooks* functions() const { return functions_.get(); }

  /// A member's: the type it is for; null: no struct_ops program.
  const model::StructOpsType* ops_type() const { return ops_type_; }
  /// The host's BTF at load.
  const std::shared_ptr<const btf::Btf>& host_btf() const { return host_btf_; }

  /// False: verified only, for want of something of the host's. It has no entry(), is never attached, run or called.
  bool runnable() const { return entry() != nullptr; }
  exec::RunTotals run_totals() const { return runnable() ? entry_->totals() : exec::RunTotals{}; }
  /// Of code, tables and records; maps not included.
  std::uint64_t memory_bytes() const;

 private:
  friend class ProgramMaker;
  Program(ObjectTable& table, Birth birth) : Runnable(kKind, table, birth) {}
  ~Program() override = default;

  ProgramAbout about_;
  Ref<BtfObject> btf_;
  Ref<Object> attach_target_;
  bool for_function_ = false;
  std::string load_target_name_;
  mutable Mutex target_mutex_;  // a leaf
  Ref<Program> load_target_ RING3_GUARDED_BY(target_mutex_);
  std::unique_ptr<FunctionHooks> functions_;
  std::shared_ptr<const model::ProgramFacts> facts_;
  model::TailCallKind tail_call_kind_;
  std::shared_ptr<const void> keep_;  // facts the code was made from
  const model::StructOpsType* ops_type_ = nullptr;  // in keep_
  std::shared_ptr<const btf::Btf> host_btf_;
  std::uint64_t code_bytes_ = 0;
  mutable Mutex maps_mutex_;
  std::vector<Ref<maps::Map>> maps_ RING3_GUARDED_BY(maps_mutex_);
};

/// The only way to make one; load.cc and tests use it.
class ProgramMaker {
 public:
  struct Parts {
    ProgramAbout about;
    Ref<BtfObject> btf;
    Ref<Object> attach_target;
    std::shared_ptr<const model::ProgramFacts> facts;  // null: of nothing but its type
    model::AttachTarget target;
    std::vector<Ref<maps::Map>> maps;
    std::shared_ptr<const void> keep;
    const model::StructOpsType* ops_type = nullptr;  // in `keep`
    std::shared_ptr<const btf::Btf> host_btf;
    std::unique_ptr<exec::ProgramEntry> entry;
    std::shared_ptr<const rewrite::XlatedProgram> code;  // what `engine` made the entry's code of; null: its functions take no others
    exec::Engine* engine = nullptr;
    std::uint64_t code_bytes = 0;
  };
  static Ref<Program> make(ObjectTable& table, Birth birth, Parts parts);
};

}  // namespace ring3::prog
