// The struct_ops types of one runtime: every registration check of behaviour.md A.1 with its text, and
// what the other files of the room need of a type, computed once. Types are never removed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/text_sink.h"
#include "btf/btf.h"
#include "model/facts.h"
#include "ring3/result.h"
#include "ring3/struct_ops_host.h"

namespace ring3::struct_ops {

/// Layout of one member of the ops struct.
struct MemberLayout {
  std::string name;
  std::uint32_t off = 0;   // in the ops struct
  std::uint32_t size = 0;
  bool is_function = false;
  const void* stub = nullptr;
};

class OpsType {
 public:
  const std::string& name() const { return facts->name; }

  std::shared_ptr<const model::StructOpsType> facts;
  btf::TypeId wrapper = 0;       // bpf_struct_ops_<name>
  std::uint32_t wrapper_size = 0;
  std::uint32_t ops_off = 0;     // of the ops struct in the wrapper
  std::uint32_t ops_size = 0;
  std::vector<MemberLayout> members;
  std::vector<bool> wrapper_padding, ops_padding;  // one per byte: no member covers it
  bool null_when_unset = false;
  StructOpsHost* host = nullptr;
  /// Serialises the host's callbacks of this type.
  mutable Mutex host_mutex;
};

class Registry {
 public:
  /// log: one line for the reason. Errors: behaviour.md A.1.3; kExist a type of that name is registered.
  Result<const OpsType*> add(const StructOpsDef& def, std::shared_ptr<const btf::Btf> btf, TextSink& log);
  /// Null: not registered. Pointers stay valid as long as the registry.
  const OpsType* find_by_wrapper(btf::TypeId wrapper) const;
  const OpsType* find_by_type(btf::TypeId type) const;
  std::vector<const OpsType*> all() const;

 private:
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<OpsType>> types_ RING3_GUARDED_BY(mutex_);
};

}  // namespace ring3::struct_ops
