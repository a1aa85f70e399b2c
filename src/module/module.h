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
  UserRef<Object> hold;  // empty: held by its pins only, or the module is on its way out
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
  const std::string replaced;
  std::vector<Member> members;
  bool leaving = false;  // removed; listed until its programs are gone

  /// Makes room for what add() takes later, so that add() cannot fail.
  void reserve(std::size_t more) { members.reserve(members.size() + more); }
  void add(Ref<Object> object) noexcept;
  /// Another module takes the member over.
  void give_up(const Object& object) noexcept;
  /// Detaches every link (one that has no detach goes with its last reference) and drops what it holds.
  void leave(const ObjectTable& objects) noexcept;
  /// Nothing of it is left to be listed: of a pinned module no member, of a leaving one no program.
  bool gone(const ObjectTable& objects) const;

  std::vector<Ref<attach::Link>> links(const ObjectTable& objects) const;
  std::vector<Ref<prog::Program>> programs(const ObjectTable& objects) const;
  std::vector<Ref<maps::Map>> maps(const ObjectTable& objects) const;

  /// Everything but users.
  ModuleInfo describe(const ObjectTable& objects) const;

 private:
  const char* state(const std::vector<Ref<attach::Link>>& own_links) const;
};

}  // namespace ring3::module
