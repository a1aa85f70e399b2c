// A map: the object every kind derives from by composition of MapOps, and what is asked of it at creation.
//
// What is in a map is reached through ops(): control for clients (client_access.h wraps it), data for
// programs. The classes behind are private to their family's file in kinds/.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/mutex.h"
#include "base/text_sink.h"
#include "btf/btf.h"
#include "maps/field_owners.h"
#include "maps/map_ops.h"
#include "maps/memory_account.h"
#include "maps/value_shape.h"
#include "model/fields.h"
#include "object/object.h"
#include "object/object_table.h"
#include "object/weak_table.h"
#include "sign/sha256.h"

namespace ring3::maps {

/// Creation attributes after the syscall layer has resolved every descriptor.
struct MapSpec {
  std::uint32_t type = 0;               // enum bpf_map_type, unchecked until check_attr()
  std::uint32_t key_size = 0;
  std::uint32_t value_size = 0;
  std::uint32_t max_entries = 0;
  std::uint32_t flags = 0;
  std::uint64_t extra = 0;
  std::string name;
  std::shared_ptr<const btf::Btf> btf;  // null: none
  std::uint32_t btf_object_id = 0;      // id of the BTF object, for info
  btf::TypeId key_type = 0;
  btf::TypeId value_type = 0;
  btf::TypeId kernel_value_type = 0;    // struct_ops: id of the value wrapper in the host's BTF
  Ref<Map> inner;                       // map-in-map, while it is created: the template
  std::shared_ptr<const MapSpec> inner_spec;  // map-in-map, afterwards: the template's, which itself may go
  std::optional<sign::Sha256> exclusive_to;  // digest of the only program that may use it; none: any may
  model::FieldTable fields;             // special fields of the value; empty: none
  Birth birth;
};

/// What maps need of the runtime that owns them.
class MapHost {
 public:
  MapHost() = default;
  /// memory_limit: bytes that all maps together may hold; 0: no limit.
  explicit MapHost(std::uint64_t memory_limit) : memory_(memory_limit) {}
  MapHost(const MapHost&) = delete;
  MapHost& operator=(const MapHost&) = delete;

  /// What maps and the objects in them hold.
  MemoryAccount& memory() { return memory_; }
  virtual ObjectTable& objects() = 0;
  virtual std::uint32_t possible_cpus() const = 0;
  /// Slot of the calling thread, valid while it runs a program that touches per-CPU state.
  virtual std::uint32_t current_cpu() const = 0;
  /// A program enters this program array. Errors: it may not (behaviour.md D.1.6, D.2.6).
  virtual Result<void> check_prog_array_entry(Map& array, Object& prog) = 0;
  /// One that entered has left a slot again. Called once for each that entered.
  virtual void left_prog_array(Object& /*prog*/) noexcept {}
  /// How a reference stored in such a field is given back; empty: such a field cannot be stored.
  virtual Releaser releaser(const model::Field&) { return {}; }
  /// How weak slots of such a field's type work; null: there are none.
  virtual const WeakType* weak_type(const model::Field&) { return nullptr; }
  /// What a stored reference prints as: "type #id". Inside a read section.
  virtual std::string object_text(const model::Field& field, const void* object);
  /// How many references to it there are, the host's included; -1: it does not say. Inside a read section.
  virtual std::int64_t object_count(const model::Field&, const void*) { return -1; }
  /// Where the pointee of a kptr is looked up; structs found nowhere are the program's own.
  virtual std::vector<std::shared_ptr<const btf::Btf>> host_btfs() { return {}; }
  /// Timers and work items will be used. Errors: kOpNotSupp this host runs none; kAgain no thread.
  virtual Result<void> start_deferred() { return Errno::kOpNotSupp; }
  /// The object that a client's key names in an object storage map (task storage: a task). Errors: kOpNotSupp
  /// clients cannot name such objects here; kBadF, kNoEnt there is none.
  virtual Result<void*> storage_owner(std::uint32_t /*map_type*/, std::int32_t /*key*/) { return Errno::kOpNotSupp; }

  /// Is there a network device of this number that packets may be sent to?
  virtual bool has_device(std::uint32_t /*ifindex*/) { return false; }

  /// Drops what every object storage map keeps for an object. The host calls it before the object's memory can
  /// be used for another one.
  void storage_owner_gone(const void* owner) noexcept;
  /// Object storage maps announce themselves.
  void add_storage(Map& map);
  void remove_storage(Map& map) noexcept;

 protected:
  /// Waits for readers if something is still to be freed.
  ~MapHost();

 private:
  struct Storage {
    std::uint64_t serial;
    Map* map;
  };
  /// The first after `serial` that is alive, with a reference; null map: none.
  Storage storage_after(std::uint64_t serial) noexcept;

  MemoryAccount memory_;
  Mutex storages_mutex_;
  std::uint64_t next_serial_ RING3_GUARDED_BY(storages_mutex_) = 1;
  std::vector<Storage> storages_ RING3_GUARDED_BY(storages_mutex_);  // by serial
};

class Map : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kMap;

  const MapOps& ops() const { return ops_; }
  const MapSpec& spec() const { return spec_; }
  MapHost& host() const { return host_; }
  std::uint32_t key_size() const { return spec_.key_size; }
  std::uint32_t value_size() const { return spec_.value_size; }
  std::uint32_t max_entries() const { return spec_.max_entries; }
  bool has_flag(std::uint32_t flag) const { return (spec_.flags & flag) != 0; }
  const ValueShape& shape() const { return shape_; }
  /// Gives back what a value's special fields own.
  void release_fields(std::byte* value) const noexcept {
    if (owners_) owners_->release(value);
  }
  /// The same for a value that a lock guards: given back when `out` ends.
  void take_out_fields(std::byte* value, Reclaimed& out) const noexcept {
    if (owners_) owners_->take_out(value, out);
  }
  bool owns_objects() const { return owners_ != nullptr; }

  /// Bytes a client passes for one value.
  std::size_t value_bytes() const;
  /// memfd of a mappable kind, -1 otherwise. Owned by the map.
  int memory_fd() const { return memory_fd_; }
  /// Size of that memory in bytes, whole pages; 0 when there is none.
  std::uint64_t mappable_bytes() const { return mappable_bytes_; }
  /// The addresses at which this process has that memory mapped for the map itself (it may be only a part of them).
  std::span<const std::byte> host_view() const { return host_view_; }
  /// What bpf_map_sum_elem_count() says: 0 of kinds that do not count.
  std::uint64_t element_count() const { return ops_.control.element_count != nullptr ? ops_.control.element_count(*this) : 0; }
  /// Bytes this map occupies (fdinfo memlock).
  std::uint64_t memory_bytes() const;

  /// Charges what the map occupies now, given back at its end; elements that come later are charged by whoever makes
  /// them. Once, when it is made. Errors, explained: kNoMem beyond the limit of all maps; kTooBig it alone is.
  Result<void> charge(TextSink& log);

  bool frozen() const { return (client_state_.load(std::memory_order_acquire) & kFrozen) != 0; }
  /// No client writes from now on; programs go on writing.
  /// Nobody maps the memory writable from now on. Who did before is the caller's to find out (MAP_FREEZE does).
  /// Errors: kBusy a client write is in flight or already frozen; kNotSupp !can_freeze().
  Result<void> freeze();
  /// Not struct_ops, and no special fields.
  bool can_freeze() const { return spec_.type != uapi::BPF_MAP_TYPE_STRUCT_OPS && spec_.fields.empty(); }
  /// Brackets one client write. kPerm when frozen.
  Result<void> begin_client_write();
  void end_client_write() noexcept;

 protected:
  /// The fields of `spec` have passed check_fields().
  Map(const MapOps& ops, const MapSpec& spec, MapHost& host);
  ~Map() override;
  void last_user_ref() noexcept override;
  /// Ends every timer and work item. Kinds whose for_each passes over memory that programs may still look at add that.
  virtual void cancel_deferred() noexcept;
  void cancel_deferred_in(std::byte* value) const noexcept { owners_->cancel_deferred(value); }
  /// The kind's own part of freezing, after client writes have ended. Here: seals the memory, if there is any.
  virtual Result<void> freeze_memory();
  int memory_fd_ = -1;
  std::uint64_t mappable_bytes_ = 0;
  std::span<const std::byte> host_view_;

 private:
  static constexpr std::uint32_t kFrozen = 0x80000000;  // the other bits count client writes in flight

  const MapOps& ops_;
  const MapSpec spec_;
  MapHost& host_;
  const ValueShape shape_;
  const std::shared_ptr<const FieldOwners> owners_;  // null: values own nothing
  std::atomic<std::uint32_t> client_state_{0};
  std::uint64_t charged_ = 0;
};

}  // namespace ring3::maps
