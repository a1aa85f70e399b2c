// One module: what it is called, who loaded it, and its members. Private to the room; guarded by the
// registry's mutex. How members are held is the lifetime class: user references, or (pinned) only their ids.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "attach/link.h"
#include "maps/map.h"
#include "module/module_info.h"
#include "module/registry.h"
#include "object/object.h"
#include "object/object_table.h"
#include "prog/program.h"

namespace ring3::module {

struct Member {
  ObjectKind kind;
  std::uint32_t id;
  UserRef<Object> hold;  // empty: held by its pins only
};

struct Registry::Module {
  Module(std::uint32_t module_id, const CommitRequest& request);

  const std::uint32_t id;
  const std::string name;
  const Lifetime lifetime;
  const std::uint64_t session;
  const Birth birth;
  const std::string source;
  const std::string digest;
  std::vector<Member> members;

  void add(Ref<Object> object);
  /// Another module takes the member over.
  void give_up(const Object& object);
  /// Some member still exists.
  bool alive(const ObjectTable& objects) const;
  /// Detaches every link; one that has no detach is dropped with the module's references.
  void detach_links(const ObjectTable& objects);

  std::vector<Ref<attach::Link>> links(const ObjectTable& objects) const;
  std::vector<Ref<prog::Program>> programs(const ObjectTable& objects) const;
  std::vector<Ref<maps::Map>> maps(const ObjectTable& objects) const;

  /// Everything but users.
  ModuleInfo describe(const ObjectTable& objects) const;
};

}  // namespace ring3::module
