// A program object, and the pipeline that makes one: check, resolve, verify, rewrite, compile, publish.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "btf/btf.h"
#include "exec/engine.h"
#include "isa/insn.h"
#include "maps/map.h"
#include "model/facts.h"
#include "object/object.h"
#include "rewrite/xlated.h"

namespace ring3::prog {

/// A client-loaded (or the host's) BTF as an object with an id.
class BtfObject : public Object {
 public:
  static Ref<BtfObject> make(ObjectTable& table, std::shared_ptr<const btf::Btf> btf, Birth birth,
                             std::string name, bool kernel);
  const std::shared_ptr<const btf::Btf>& btf() const { return btf_; }
  const std::string& name() const { return name_; }   // "vmlinux", a host module's name, or ""
  bool is_kernel() const { return kernel_; }

 private:
  BtfObject(ObjectTable& table, std::shared_ptr<const btf::Btf> btf, Birth birth, std::string name, bool kernel);
  const std::shared_ptr<const btf::Btf> btf_;
  const std::string name_;
  const bool kernel_;
};

/// What a load asks for, every descriptor resolved to an object by the syscall layer.
struct LoadRequest {
  std::uint32_t prog_type = 0;
  std::uint32_t attach_type = 0;
  std::uint32_t flags = 0;
  std::string name;
  std::string license;
  std::vector<isa::RawInsn> insns;
  Ref<BtfObject> btf;
  std::vector<std::byte> func_info, line_info, core_relos;  // records as given
  std::uint32_t func_info_rec_size = 0, line_info_rec_size = 0, core_relo_rec_size = 0;
  btf::TypeId attach_btf_id = 0;
  Ref<Object> attach_target;          // program or BTF object; null: host BTF
  model::Rights rights;
  Birth birth;
};

class Program : public Object {
 public:
  std::uint32_t type() const;
  std::uint32_t attach_type() const;
  const std::string& name() const;
  // … info for OBJ_GET_INFO, statistics, code; the room completes this.

 protected:
  using Object::Object;
};

}  // namespace ring3::prog
