// One filled ops struct: what the host calls, the thunks behind its function members, and the programs
// behind those. Built from a client's value in one go or not at all; immutable afterwards; destroyed
// after readers, because a failed registration may already have shown it to somebody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "exec/thunk.h"
#include "maps/map_ops.h"
#include "object/object.h"
#include "object/rcu.h"
#include "prog/program.h"
#include "ring3/result.h"
#include "struct_ops/registry.h"

namespace ring3::struct_ops {

/// What the descriptors in a client's value stand for, per member; kBadF where there is none. Made under no lock: a client may
/// take its time to say which files they are, and what they are may be let go of with whatever that sets off.
using NamedObjects = std::vector<Result<Ref<Object>>>;
/// value: the client's wrapper, wrapper_size bytes.
NamedObjects named_objects(const OpsType& type, std::span<const std::byte> value, maps::FdSource& fds);

class OpsTable {
 public:
  /// value: as for named_objects(), whose answer `named` is; the header has been checked. Calls the host's init_member and
  /// validate, under type.host_mutex.
  /// Errors: behaviour.md A.4.2 from "per member" on; the registry's log names member and cause.
  static Result<std::unique_ptr<OpsTable>> fill(const OpsType& type, std::span<const std::byte> value,
                                                const NamedObjects& named, const Registry& registry);
  /// Destroys the table after every read section open now has ended.
  static void retire(std::unique_ptr<OpsTable> table) noexcept;

  /// The host's struct.
  const void* ops() const { return ops_.get(); }
  /// The wrapper as clients read it: program ids in function members; header left zero.
  std::span<const std::byte> client_view() const { return view_; }
  /// One bit per member the client set.
  std::uint64_t members_set() const { return members_set_; }
  const std::vector<Ref<prog::Program>>& programs() const { return programs_; }
  std::uint64_t memory_bytes() const { return view_.size() * 2 + thunks_.memory_bytes(); }

 private:
  friend class TableFiller;
  struct FreeAligned {
    void operator()(std::byte* p) const noexcept { ::operator delete(p, std::align_val_t{64}); }
  };
  OpsTable(const OpsType& type, exec::CodeMemory& code);

  rcu::Deferred retired_;  // first: the deferred call gets its address
  std::unique_ptr<std::byte, FreeAligned> ops_;
  std::vector<std::byte> view_;
  std::uint64_t members_set_ = 0;
  std::vector<Ref<prog::Program>> programs_;
  exec::ThunkSet thunks_;
};

}  // namespace ring3::struct_ops
