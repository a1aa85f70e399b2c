// A map: the object every kind derives from by composition of MapOps, and what is asked of it at creation.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "btf/btf.h"
#include "maps/map_ops.h"
#include "model/fields.h"
#include "object/object.h"

namespace ring3::maps {

/// Creation attributes after the syscall layer has resolved every descriptor.
struct MapSpec {
  uapi::bpf_map_type type{};
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
  Ref<Map> inner;                       // map-in-map: the template
  model::FieldTable fields;             // special fields of the value; empty: none
  Birth birth;
};

/// What maps need of the runtime that owns them.
class MapHost {
 public:
  virtual ObjectTable& objects() = 0;
  virtual std::uint32_t possible_cpus() const = 0;
  /// Slot of the calling thread, valid while it runs a program that touches per-CPU state.
  virtual std::uint32_t current_cpu() const = 0;
  /// May a program enter this program array? (behaviour.md D.1.6) The first program fixes the owner.
  virtual Result<void> check_prog_array_entry(Map& array, Object& prog) = 0;

 protected:
  ~MapHost() = default;
};

class Map : public Object {
 public:
  const MapOps& ops() const { return ops_; }
  const MapSpec& spec() const { return spec_; }
  MapHost& host() const { return host_; }
  std::uint32_t key_size() const { return spec_.key_size; }
  std::uint32_t value_size() const { return spec_.value_size; }
  std::uint32_t max_entries() const { return spec_.max_entries; }

  /// Bytes a client passes for one value.
  std::size_t value_bytes() const;
  /// memfd of a mappable kind, -1 otherwise. Owned by the map.
  int memory_fd() const { return memory_fd_; }

  bool frozen() const { return frozen_.load(std::memory_order_acquire); }
  /// Errors: kBusy a client write is in flight, a writable mapping exists, or already frozen;
  /// kNotSupp struct_ops or special fields.
  Result<void> freeze();
  /// Brackets one client write. kPerm when frozen.
  Result<void> begin_client_write();
  void end_client_write() noexcept;

 protected:
  Map(const MapOps& ops, const MapSpec& spec, MapHost& host);
  ~Map() override;
  void last_user_ref() noexcept override;
  int memory_fd_ = -1;

 private:
  const MapOps& ops_;
  const MapSpec spec_;
  MapHost& host_;
  std::atomic<bool> frozen_{false};
  std::atomic<std::uint32_t> writers_{0};
};

}  // namespace ring3::maps
