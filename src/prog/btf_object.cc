#include "prog/btf_object.h"

#include <utility>

namespace ring3::prog {

BtfObject::BtfObject(ObjectTable& table, std::shared_ptr<const btf::Btf> btf, Birth birth, std::string name,
                     bool kernel)
    : Object(ObjectKind::kBtf, table, birth), btf_(std::move(btf)), name_(std::move(name)), kernel_(kernel) {}

Ref<BtfObject> BtfObject::make(ObjectTable& table, std::shared_ptr<const btf::Btf> btf, Birth birth,
                               std::string name, bool kernel) {
  return Ref<BtfObject>::adopt(new BtfObject(table, std::move(btf), birth, std::move(name), kernel));
}

}  // namespace ring3::prog
