// The map kind STRUCT_OPS: one slot whose value is a host's ops struct filled by a client. States and
// transitions are the table of ops_state.h; the filled struct is an OpsTable.
//
// Locking: mutex_ serialises update, delete and eject of one map; the host's callbacks run below it
// (OpsType::host_mutex). Lookups read state and table without it: a table is published once, before the
// state that shows it, and stays until the map dies.
// Lifetime: a map dies after readers, so calls that are inside its thunks finish in valid memory. Who holds
// it: descriptors and pins, links, hold(), and the classic registration itself until delete.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "maps/map.h"
#include "prog/program.h"
#include "ring3/result.h"
#include "ring3/struct_ops_host.h"
#include "struct_ops/ops_state.h"
#include "struct_ops/ops_table.h"
#include "struct_ops/registry.h"

namespace ring3::struct_ops {

/// Attribute check, before capabilities are looked at. Errors: behaviour.md A.3.1 (kInval).
Result<void> check_map(const maps::MapSpec& spec);

/// Creates one; unpublished, one reference. The syscall layer sends creations of this map type here instead of to maps/.
/// Errors: kNotSupp spec.kernel_value_type is no registered type; kInval value_size.
Result<Ref<maps::Map>> create_map(const maps::MapSpec& spec, const btf::Btf& value_btf, const Registry& registry,
                                  maps::MapHost& host);

class OpsMap final : public maps::Map, public StructOpsInstance {
 public:
  const OpsType& type() const { return type_; }
  const Registry& registry() const { return registry_; }
  OpsFlavour flavour() const { return flavour_; }
  OpsState state() const { return state_.load(std::memory_order_acquire); }
  /// References the host holds on the instance.
  std::uint64_t holds() const { return holds_.load(std::memory_order_relaxed); }
  /// Programs of its members; empty before update.
  std::vector<Ref<prog::Program>> programs() const;

  Result<void> update(std::span<const std::byte> key, std::span<const std::byte> value, std::uint64_t flags,
                      maps::FdSource& fds);
  Result<void> lookup(std::span<const std::byte> key, std::span<std::byte> value) const;
  Result<void> erase(std::span<const std::byte> key);
  std::uint64_t memory_bytes() const;
  /// Ends a classic registration at the runtime's end.
  void shut_down() noexcept { classic_.eject(); }

  // StructOpsInstance
  const void* ops() const noexcept override;
  std::uint64_t members_set() const noexcept override;
  std::uint32_t map_id() const noexcept override { return id(); }
  bool hold() noexcept override;
  void release() noexcept override;

 private:
  friend Result<Ref<maps::Map>> create_map(const maps::MapSpec&, const btf::Btf&, const Registry&, maps::MapHost&);

  /// The classic flavour's registration, as the host sees it.
  class ClassicAttachment final : public StructOpsAttachment {
   public:
    explicit ClassicAttachment(OpsMap& map) : map_(map) {}
    std::uint32_t link_id() const noexcept override { return 0; }
    bool eject() noexcept override { return map_.unregister().ok(); }
    bool eject(const StructOpsInstance& instance) noexcept override { return &instance == &map_ && eject(); }

   private:
    OpsMap& map_;
  };

  OpsMap(const maps::MapSpec& spec, const OpsType& type, const Registry& registry, maps::MapHost& host);
  ~OpsMap() override;

  const OpsTable* filled() const;
  Result<void> check_header(std::span<const std::byte> value) const;
  Result<void> register_classic() RING3_REQUIRES(mutex_);
  Result<void> unregister();

  const OpsType& type_;
  const Registry& registry_;
  const OpsFlavour flavour_;
  ClassicAttachment classic_{*this};
  mutable Mutex mutex_;
  std::atomic<OpsState> state_{OpsState::kInit};
  std::atomic<OpsTable*> table_{nullptr};  // owned; set once under mutex_
  std::atomic<std::uint64_t> holds_{0};
};

/// Null when the map is of another kind.
OpsMap* as_ops_map(Object* map);

}  // namespace ring3::struct_ops
