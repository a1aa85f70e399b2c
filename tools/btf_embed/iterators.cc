#include "iterators.h"

#include <initializer_list>
#include <string>
#include <vector>

namespace ring3::btf_embed {
namespace {

using btf::Builder;
using btf::Kind;
using btf::TypeId;

/// Lays members out one after the other, each on its own size.
class StructWriter {
 public:
  StructWriter& add(std::string_view name, TypeId type, std::uint32_t bytes, std::uint32_t align) {
    bytes_ = (bytes_ + align - 1) / align * align;
    members_.push_back({name, type, bytes_ * 8});
    bytes_ += bytes;
    return *this;
  }
  TypeId finish(Builder& to, std::string_view name) { return to.add_struct(name, (bytes_ + 7) / 8 * 8, members_); }

 private:
  std::uint32_t bytes_ = 0;
  std::vector<Builder::NewMember> members_;
};

class Iterators {
 public:
  Iterators(Builder& to, const btf::Btf& from, std::span<const TypeId> ids) : to_(to), from_(from), ids_(ids) {}

  void add() {
    int_ = number("int", 4, 1);
    u32_ = number("unsigned int", 4, 0);
    u64_ = number("unsigned long long", 8, 0);
    s64_ = number("long long", 8, 1);
    const TypeId letter = number("char", 1, 1);
    name_ = to_.add_array(letter, u32_, 16);
    text_ = to_.add_ptr(letter);
    counter_ = to_.add_struct("", 8, {{"counter", s64_, 0}});
    const TypeId seq = known("seq_file");
    seq_ = to_.add_ptr(seq != 0 ? seq : to_.add_struct("seq_file", 0, {}));
    meta_ = to_.add_ptr(meta());
    const TypeId map = to_.add_ptr(map_struct());
    const TypeId prog = to_.add_ptr(program_struct());
    target("bpf_map", {{"map", map}});
    target("bpf_map_elem", {{"map", map}, {"key", to_.add_ptr(btf::kVoid)}, {"value", to_.add_ptr(btf::kVoid)}});
    target("bpf_prog", {{"prog", prog}});
    target("bpf_link", {{"link", to_.add_ptr(link_struct(prog))}});
    if (known("bpf_map_sum_elem_count", Kind::kFunc) == 0)
      to_.add_func("bpf_map_sum_elem_count", to_.add_proto(s64_, {{"map", map}}), btf::Linkage::kGlobal);
    target("task", {{"task", to_.add_ptr(task_struct())}});
  }

 private:
  TypeId known(std::string_view name, Kind kind = Kind::kStruct) const {
    const TypeId id = from_.find(name, kind);
    return id != 0 ? ids_[id] : 0;
  }
  TypeId number(std::string_view name, std::uint32_t bytes, std::uint32_t encoding) {
    const TypeId id = known(name, Kind::kInt);
    return id != 0 ? id : to_.add_int(name, bytes, encoding);
  }
  StructWriter& u32(StructWriter& s, std::string_view name) { return s.add(name, u32_, 4, 4); }

  TypeId meta() {
    if (const TypeId id = known("bpf_iter_meta"); id != 0) return id;
    return StructWriter().add("seq", seq_, 8, 8).add("session_id", u64_, 8, 8).add("seq_num", u64_, 8, 8)
        .finish(to_, "bpf_iter_meta");
  }
  TypeId map_struct() {
    if (const TypeId id = known("bpf_map"); id != 0) return id;
    StructWriter s;
    for (const char* field : {"map_type", "key_size", "value_size", "max_entries"}) u32(s, field);
    s.add("map_extra", u64_, 8, 8);
    u32(u32(s, "map_flags"), "id");
    s.add("name", name_, 16, 1).add("refcnt", counter_, 8, 8).add("usercnt", counter_, 8, 8);
    return u32(s, "frozen").finish(to_, "bpf_map");
  }
  TypeId program_struct() {
    if (const TypeId id = known("bpf_prog"); id != 0) return id;
    StructWriter aux;
    aux.add("refcnt", counter_, 8, 8);
    for (const char* field : {"id", "used_map_cnt", "verified_insns", "attach_btf_id", "sleepable"}) u32(aux, field);
    aux.add("load_time", u64_, 8, 8).add("name", name_, 16, 1).add("attach_func_name", text_, 8, 8);
    const TypeId known_aux = known("bpf_prog_aux");
    const TypeId to_aux = to_.add_ptr(known_aux != 0 ? known_aux : aux.finish(to_, "bpf_prog_aux"));
    StructWriter s;
    for (const char* field : {"type", "expected_attach_type", "len"}) u32(s, field);
    return s.add("aux", to_aux, 8, 8).finish(to_, "bpf_prog");
  }
  TypeId link_struct(TypeId prog) {
    if (const TypeId id = known("bpf_link"); id != 0) return id;
    StructWriter s;
    s.add("refcnt", counter_, 8, 8);
    return u32(u32(s, "id"), "type").add("prog", prog, 8, 8).finish(to_, "bpf_link");
  }
  TypeId task_struct() {
    if (const TypeId id = known("task_struct"); id != 0) return id;
    return StructWriter().add("pid", int_, 4, 4).add("tgid", int_, 4, 4).add("comm", name_, 16, 1)
        .finish(to_, "task_struct");
  }

  void target(const std::string& name, std::vector<Builder::NewParam> shown) {
    shown.insert(shown.begin(), {"meta", meta_});
    if (known("bpf_iter_" + name, Kind::kFunc) == 0)
      to_.add_func("bpf_iter_" + name, to_.add_proto(int_, shown), btf::Linkage::kGlobal);
    if (known("bpf_iter__" + name) != 0) return;
    StructWriter context;
    for (const Builder::NewParam& p : shown) context.add(p.name, p.type, 8, 8);
    context.finish(to_, "bpf_iter__" + name);
  }

  Builder& to_;
  const btf::Btf& from_;
  const std::span<const TypeId> ids_;
  TypeId int_ = 0, u32_ = 0, u64_ = 0, s64_ = 0, name_ = 0, text_ = 0, counter_ = 0, seq_ = 0, meta_ = 0;
};

}  // namespace

void add_iterators(btf::Builder& to, const btf::Btf& from, std::span<const TypeId> ids) { Iterators(to, from, ids).add(); }

}  // namespace ring3::btf_embed
