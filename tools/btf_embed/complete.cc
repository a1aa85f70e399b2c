#include "complete.h"

#include <algorithm>

#include "btf/builder.h"
#include "iterators.h"

namespace ring3::btf_embed {
namespace {

using btf::Btf;
using btf::Builder;
using btf::Kind;
using btf::Linkage;
using btf::TypeId;

constexpr std::uint32_t kCacheLine = 64;
constexpr std::size_t kMaxWrapperName = 127;
constexpr std::uint32_t kMaxMembers = 64;
constexpr const char* kWrapperPrefix = "bpf_struct_ops_";
constexpr const char* kCommonValue = "bpf_struct_ops_common_value";

class Completer {
 public:
  Completer(const Btf& object, const Declarations& decls) : from_(object), decls_(decls), ids_(object.end_id(), 0) {}

  std::vector<std::byte> run(std::string& error) {
    number();
    copy();
    for (const auto& values : decls_.nameless_enums) add_nameless_enum(values);
    for (TypeId id = 1; id < from_.end_id() && error.empty(); ++id)
      if (is_ops(id)) add_wrapper(id, error);
    if (!error.empty()) return {};
    add_variables(kVariables, ".data");
    add_variables(kPercpuVariables, ".data..percpu");
    add_iterators(to_, from_, ids_);
    return to_.finish();
  }

 private:
  bool is_dropped(TypeId id) const {
    const btf::Type& t = *from_.type(id);
    switch (t.kind) {
      case Kind::kVar:
      case Kind::kDatasec:
        return true;
      case Kind::kFunc:
        return find_function(t.name) == nullptr;
      case Kind::kDeclTag:
        return is_dropped(t.type);
      case Kind::kFuncProto:
        return !proto_is_used_[id];  // functions get one of their own, with names
      default:
        return false;
    }
  }

  const Function* find_function(std::string_view name) const {
    const auto it = std::find_if(decls_.functions.begin(), decls_.functions.end(),
                                 [&](const Function& f) { return f.name == name; });
    return it == decls_.functions.end() ? nullptr : &*it;
  }

  // Which prototypes something else than a function refers to: pointers and typedefs.
  void find_used_protos() {
    proto_is_used_.assign(from_.end_id(), false);
    for (TypeId id = 1; id < from_.end_id(); ++id) {
      const btf::Type& t = *from_.type(id);
      if (t.kind != Kind::kFunc && t.type != btf::kVoid && t.type < from_.end_id()) proto_is_used_[t.type] = true;
    }
  }

  // New ids first, so that references may point forward. A function takes two: its prototype and itself.
  void number() {
    find_used_protos();
    TypeId next = 1;
    for (TypeId id = 1; id < from_.end_id(); ++id) {
      if (is_dropped(id)) continue;
      if (from_.type(id)->kind == Kind::kFunc) ++next;
      ids_[id] = next++;
    }
  }

  void copy() {
    for (TypeId id = 1; id < from_.end_id(); ++id) {
      if (ids_[id] == 0) continue;
      if (from_.type(id)->kind == Kind::kFunc)
        copy_function(id);
      else
        to_.add_copy(from_, id, ids_);
    }
  }

  void copy_function(TypeId id) {
    const btf::Type& t = *from_.type(id);
    const Function& f = *find_function(t.name);
    std::vector<std::string> names;
    std::vector<Builder::NewParam> params;
    const std::vector<btf::Param> given = from_.params(t.type);
    names.reserve(given.size());
    for (std::size_t i = 0; i < given.size(); ++i) {
      const bool is_varargs = given[i].type == btf::kVoid;
      names.push_back(i < f.params.size() ? f.params[i] : "");
      if (names.back().empty() && !is_varargs) names.back() = "arg" + std::to_string(i + 1);
      if (is_varargs) names.back().clear();
      params.push_back({names.back(), ids_[given[i].type]});
    }
    const TypeId proto = to_.add_proto(ids_[from_.type(t.type)->type], params);
    to_.add_func(t.name, proto, Linkage::kGlobal);
  }

  // The variables the header marks, in the section where clients look for them. Offsets there mean nothing to anybody.
  void add_variables(const char* marked, const char* section) {
    const TypeId given = from_.find(marked, Kind::kDatasec);
    if (given == btf::kVoid) return;
    std::vector<btf::SecVar> places;
    std::uint32_t end = 0;
    for (const btf::SecVar& place : from_.section_vars(given)) {
      const btf::Type& var = *from_.type(place.var);
      const std::uint32_t bytes = from_.size_of(var.type).value_or(0);
      end = (end + kCacheLine - 1) / kCacheLine * kCacheLine;
      places.push_back({to_.add_var(var.name, ids_[var.type], Linkage::kGlobal), end, bytes});
      end += bytes;
    }
    to_.add_datasec(section, end, places);
  }

  void add_nameless_enum(const std::vector<std::pair<std::string, std::int64_t>>& values) {
    std::vector<Builder::NewEnumerator> out;
    bool is_signed = false;
    std::uint32_t bytes = 4;
    for (const auto& [name, value] : values) {
      out.push_back({name, value});
      is_signed |= value < 0;
      if (value > INT64_C(0xffffffff) || value < INT32_MIN) bytes = 8;
    }
    to_.add_enum("", bytes, out, is_signed);
  }

  bool is_ops(TypeId id) const {
    const std::vector<std::string_view> tags = from_.decl_tags(id, -1);
    return std::find(tags.begin(), tags.end(), kStructOpsTag) != tags.end();
  }

  // struct bpf_struct_ops_T { struct bpf_struct_ops_common_value common; struct T data (on a cache line); }
  void add_wrapper(TypeId id, std::string& error) {
    const btf::Type& ops = *from_.type(id);
    const std::string name = kWrapperPrefix + std::string(ops.name);
    const TypeId common = from_.find(kCommonValue, Kind::kStruct);
    if (ops.kind != Kind::kStruct || ops.name.empty()) error = "RING3_STRUCT_OPS is for a struct with a name";
    if (name.size() > kMaxWrapperName) error = "struct " + std::string(ops.name) + ": name too long for an ops struct";
    if (ops.vlen > kMaxMembers) error = "struct " + std::string(ops.name) + ": more than 64 members";
    if (common == btf::kVoid) error = std::string("no struct ") + kCommonValue;
    for (const btf::Member& m : from_.members(id)) {
      if (m.name.empty()) error = "struct " + std::string(ops.name) + ": nameless member in an ops struct";
      if (m.bitfield_bits != 0) error = "struct " + std::string(ops.name) + ": member " + std::string(m.name) + " is a bitfield";
    }
    if (!error.empty()) return;
    const std::uint32_t bytes = kCacheLine + (ops.size + kCacheLine - 1) / kCacheLine * kCacheLine;
    to_.add_struct(name, bytes, {{"common", ids_[common], 0}, {"data", ids_[id], kCacheLine * 8}});
  }

  const Btf& from_;
  const Declarations& decls_;
  std::vector<TypeId> ids_;  // old id to new; 0: dropped
  std::vector<bool> proto_is_used_;
  Builder to_;
};

}  // namespace

std::vector<std::byte> complete_btf(const Btf& object, const Declarations& decls, std::string& error) {
  return Completer(object, decls).run(error);
}

}  // namespace ring3::btf_embed
