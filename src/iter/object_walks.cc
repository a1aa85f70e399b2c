// Walks by id: maps, programs and links, each published object in order of its id.
#include <utility>

#include "attach/link.h"
#include "base/try.h"
#include "iter/object_views.h"
#include "iter/walk.h"
#include "prog/btf_object.h"

namespace ring3::iter {

void fill_map(btf::HostView& view, const maps::Map& map) {
  const maps::MapSpec& spec = map.spec();
  view.clear();
  view.set("id", map.id());
  view.set("map_type", spec.type);
  view.set("key_size", spec.key_size);
  view.set("value_size", spec.value_size);
  view.set("max_entries", spec.max_entries);
  view.set("map_flags", spec.flags);
  view.set("map_extra", spec.extra);
  view.set_text("name", spec.name);
  view.set("refcnt.counter", map.refs());
  view.set("usercnt.counter", map.user_refs());
  view.set("frozen", map.frozen() ? 1 : 0);
}

namespace {

/// The function that a program is for, or the program that it extends; "" none. As long as the program lives.
const char* attached_name(const prog::Program& program) {
  if (program.is_for_function()) return program.load_target_name().c_str();
  const Ref<Object>& target = program.attach_target();
  if (!target) return "";
  if (target->kind() != ObjectKind::kBtf) return "";
  const btf::Type* type = static_cast<const prog::BtfObject&>(*target).btf()->type(program.about().attach_btf_id);
  return type != nullptr ? type->name.data() : "";  // of a string section: it ends with a NUL
}

}  // namespace

void fill_program(btf::HostView& view, btf::HostView& aux, const prog::Program& program) {
  view.clear();
  aux.clear();
  view.set("type", program.type());
  view.set("expected_attach_type", program.attach_type());
  view.set("len", program.about().xlated.size());
  view.set_pointer("aux", aux.data());
  aux.set("id", program.id());
  aux.set("refcnt.counter", program.refs());
  aux.set("used_map_cnt", program.maps().size());
  aux.set("verified_insns", program.about().verified_insns);
  aux.set("attach_btf_id", program.about().attach_btf_id);
  aux.set("load_time", program.birth().time_ns);
  aux.set("sleepable", program.about().sleepable ? 1 : 0);
  aux.set_text("name", program.name());
  aux.set_pointer("prog", view.data());
  aux.set_pointer("attach_func_name", attached_name(program));
}

namespace {

/// The part that all three share.
class ObjectWalk : public Walk {
 public:
  ObjectWalk(ObjectTable& objects, ObjectKind kind) : objects_(objects), kind_(kind) {}
  Result<bool> hold() override {
    while (!held_) {
      const Result<std::uint32_t> next = objects_.next_id(kind_, place_ - 1);
      if (!next.ok()) return false;
      place_ = *next;
      // It may have gone in between.
      if (auto found = objects_.find(kind_, place_); found.ok()) held_ = std::move(found).value();
      else ++place_;
    }
    show(*held_);
    return true;
  }
  void let_go() noexcept override { held_ = nullptr; }
  void step() override {
    held_ = nullptr;
    ++place_;
  }
  void arguments(std::span<std::uint64_t> out) override {
    out[0] = held_ ? reinterpret_cast<std::uintptr_t>(shown()) : 0;
  }

 protected:
  virtual void show(Object& object) = 0;
  virtual void* shown() = 0;
  /// Null at the end.
  const Object* held() const { return held_.get(); }

 private:
  ObjectTable& objects_;
  const ObjectKind kind_;
  std::uint32_t place_ = 1;  // no id below it is wanted any more
  Ref<Object> held_;
};

class MapWalk final : public ObjectWalk {
 public:
  explicit MapWalk(const WalkWorld& world) : ObjectWalk(world.objects, ObjectKind::kMap), view_(world.btf, "bpf_map") {}
  void show(Object& object) override { fill_map(view_, static_cast<maps::Map&>(object)); }
  void* shown() override { return view_.data(); }
  const maps::Map* shown_map() const override { return static_cast<const maps::Map*>(held()); }

 private:
  btf::HostView view_;
};

class ProgramWalk final : public ObjectWalk {
 public:
  explicit ProgramWalk(const WalkWorld& world)
      : ObjectWalk(world.objects, ObjectKind::kProg), view_(world.btf, "bpf_prog"), aux_(world.btf, "bpf_prog_aux") {}
  void show(Object& object) override { fill_program(view_, aux_, static_cast<prog::Program&>(object)); }
  void* shown() override { return view_.data(); }

 private:
  btf::HostView view_, aux_;
};

class LinkWalk final : public ObjectWalk {
 public:
  explicit LinkWalk(const WalkWorld& world)
      : ObjectWalk(world.objects, ObjectKind::kLink), view_(world.btf, "bpf_link"), program_(world.btf, "bpf_prog"),
        aux_(world.btf, "bpf_prog_aux") {}
  void show(Object& object) override {
    const auto& link = static_cast<const attach::Link&>(object);
    view_.clear();
    view_.set("id", link.id());
    view_.set("type", static_cast<std::uint64_t>(link.ops().type));
    view_.set("refcnt.counter", link.refs());
    // Its program is shown only while the link is; it may be replaced meanwhile.
    target_ = link.target();
    if (!target_ || target_->kind() != ObjectKind::kProg) return;
    fill_program(program_, aux_, static_cast<const prog::Program&>(*target_));
    view_.set_pointer("prog", program_.data());
  }
  void* shown() override { return view_.data(); }

 private:
  btf::HostView view_, program_, aux_;
  Ref<Object> target_;
};

}  // namespace

std::unique_ptr<Walk> walk_maps(const WalkWorld& world) { return std::make_unique<MapWalk>(world); }
std::unique_ptr<Walk> walk_programs(const WalkWorld& world) { return std::make_unique<ProgramWalk>(world); }
std::unique_ptr<Walk> walk_links(const WalkWorld& world) { return std::make_unique<LinkWalk>(world); }

}  // namespace ring3::iter
