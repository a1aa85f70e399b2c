// A BTF blob as an object with an id: loaded by a client, or published by the host ("vmlinux", id 1).
// Immutable; its edges point nowhere (the graph it holds is shared memory, not an object).
#pragma once

#include <memory>
#include <string>

#include "btf/btf.h"
#include "object/object.h"

namespace ring3::prog {

class BtfObject final : public Object {
 public:
  /// Unpublished, one reference. name: "vmlinux", a host module's name, or "" for a client's.
  static Ref<BtfObject> make(ObjectTable& table, std::shared_ptr<const btf::Btf> btf, Birth birth,
                             std::string name, bool kernel);

  const std::shared_ptr<const btf::Btf>& btf() const { return btf_; }
  const std::string& name() const { return name_; }
  /// The host's own types; a client may not pass it where its own BTF is wanted.
  bool is_kernel() const { return kernel_; }

 private:
  BtfObject(ObjectTable& table, std::shared_ptr<const btf::Btf> btf, Birth birth, std::string name, bool kernel);
  ~BtfObject() override = default;

  const std::shared_ptr<const btf::Btf> btf_;
  const std::string name_;
  const bool kernel_;
};

}  // namespace ring3::prog
