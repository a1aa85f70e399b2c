// Registration of an ops type: every rule of behaviour.md A.1.2 to A.1.7, in Linux's order, and the layout the
// other files work with. Whoever registers a type is the host's own code, so every refusal says in one line what
// to change.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/try.h"
#include "isa/decode.h"
#include "struct_ops/registry.h"

namespace ring3::struct_ops {
namespace {

using btf::Kind;

constexpr std::string_view kWrapperPrefix = "bpf_struct_ops_";
constexpr std::string_view kCommonName = "bpf_struct_ops_common_value";
constexpr std::size_t kMaxNameBytes = 128;
constexpr std::size_t kMaxMembers = 64;
constexpr int kMaxFirstMembers = 8;  // structs that begin with structs

/// What a member does that the client left out, when the host gave no stub.
std::uint64_t return_zero(void*, std::uint64_t*) { return 0; }

class TypeCheck {
 public:
  TypeCheck(const StructOpsDef& def, const std::shared_ptr<const btf::Btf>& btf, exec::CodeMemory& code, TextSink& log)
      : def_(def), shared_btf_(btf), btf_(*btf), log_(log), out_(std::make_unique<OpsType>(code)) {}

  Result<std::unique_ptr<OpsType>> run() {
    RING3_TRY(check_names());
    RING3_TRY(check_wrapper());
    RING3_TRY(check_size_and_host());
    for (std::uint32_t i = 0; i < btf_.type(facts_.type)->vlen; ++i) RING3_TRY(add_member(i));
    RING3_TRY(check_offsets(def_.unsupported, "unsupported"));
    RING3_TRY(check_offsets(def_.sleepable, "sleepable"));
    RING3_TRY(check_offsets(def_.annotated, "annotated"));
    RING3_TRY(take_code(def_.prologues, &model::StructOpsMember::prologue, "prologue"));
    RING3_TRY(take_code(def_.epilogues, &model::StructOpsMember::epilogue, "epilogue"));
    for (const StructOpsDef::Denied& denied : def_.denied) RING3_TRY(take_denied(denied));
    mark_padding();
    RING3_TRY(check_writable());
    RING3_TRY(check_known());
    facts_.allowed_helpers = def_.helpers;
    out_->facts = std::make_shared<const model::StructOpsType>(std::move(facts_));
    out_->host = def_.host;
    return std::move(out_);
  }

 private:
  Errno fail(Errno e, std::string_view text) {
    log_.write(fmt::format("struct_ops {}: {}\n", def_.name, text));
    return e;
  }

  Result<void> check_names() {
    if (def_.name.empty()) return fail(Errno::kInval, "the type has no name");
    if (def_.name.size() + kWrapperPrefix.size() >= kMaxNameBytes) return fail(Errno::kInval, "name is too long");
    const std::string wrapper = std::string(kWrapperPrefix) + def_.name;
    facts_.name = def_.name;
    facts_.test_run = def_.test_run;
    facts_.btf = shared_btf_;
    facts_.type = btf_.find(def_.name, Kind::kStruct);
    out_->wrapper = btf_.find(wrapper, Kind::kStruct);
    if (facts_.type == 0) return fail(Errno::kInval, fmt::format("Cannot find struct {} in the host's BTF", def_.name));
    if (out_->wrapper == 0)
      return fail(Errno::kInval,
                  fmt::format("Cannot find struct {} in the host's BTF (is {} marked RING3_STRUCT_OPS?)", wrapper, def_.name));
    return {};
  }

  /// Exactly the common header and the ops struct.
  Result<void> check_wrapper() {
    const std::vector<btf::Member> members = btf_.members(out_->wrapper);
    const auto bad = [&] {
      return fail(Errno::kInval, fmt::format("struct {}{} must have two members, struct {} and struct {}", kWrapperPrefix,
                                             def_.name, kCommonName, def_.name));
    };
    if (members.size() != 2 || members[1].type != facts_.type) return bad();
    const btf::Type* common = btf_.type(members[0].type);
    if (common == nullptr || common->kind != Kind::kStruct || common->name != kCommonName) return bad();
    const auto count = btf_.find_member(members[0].type, "refcnt");
    const auto state = btf_.find_member(members[0].type, "state");
    if (!count || !state || btf_.size_of(count->type) != 4u || btf_.size_of(state->type) != 4u) return bad();
    const std::uint32_t common_off = members[0].bit_off / 8;
    out_->count_off = common_off + count->bit_off / 8;
    out_->state_off = common_off + state->bit_off / 8;
    out_->ops_off = members[1].bit_off / 8;
    out_->ops_size = btf_.type(facts_.type)->size;
    out_->wrapper_size = btf_.type(out_->wrapper)->size;
    return {};
  }

  Result<void> check_size_and_host() {
    const std::size_t count = btf_.type(facts_.type)->vlen;
    if (count > kMaxMembers) return fail(Errno::kInval, fmt::format("Cannot support #{} members, the limit is {}", count, kMaxMembers));
    if (def_.size_bytes != 0 && def_.size_bytes != out_->ops_size)
      return fail(Errno::kInval, fmt::format("sizeof is {} bytes in C++ and {} in the BTF", def_.size_bytes, out_->ops_size));
    if (def_.host == nullptr) return fail(Errno::kInval, "no callbacks given");
    return {};
  }

  Result<void> add_member(std::uint32_t index) {
    const btf::Member member = btf_.member(facts_.type, index);
    if (member.name.empty()) return fail(Errno::kOpNotSupp, fmt::format("anonymous member #{} is not supported", index));
    if (member.bitfield_bits != 0)
      return fail(Errno::kOpNotSupp, fmt::format("bit field member {} is not supported", member.name));
    MemberLayout layout;
    layout.name = member.name;
    layout.off = member.bit_off / 8;
    layout.size = btf_.size_of(member.type).value_or(0);
    model::StructOpsMember facts;
    facts.name = member.name;
    RING3_TRY(look_at_pointer(member, layout, facts));
    if (layout.is_function) {
      facts.sleepable_allowed = contains(def_.sleepable, layout.off);
      facts.supported = has_stub(layout);
      if (facts.supported) layout.stub = RING3_TRY(stub_of(layout));
      RING3_TRY(read_annotations(layout, facts));
    }
    out_->members.push_back(std::move(layout));
    facts_.members.push_back(std::move(facts));
    return {};
  }

  Result<void> look_at_pointer(const btf::Member& member, MemberLayout& layout, model::StructOpsMember& facts) {
    const btf::TypeId plain = btf_.skip_modifiers(member.type);
    const btf::Type* type = btf_.type(plain);
    if (type->kind != Kind::kPtr) return {};
    const btf::TypeId pointee = btf_.skip_modifiers(type->type);
    const btf::Type* target = btf_.type(pointee);
    layout.is_module_owner = target->kind == Kind::kStruct && target->name == "module";
    if (target->kind != Kind::kFuncProto) return {};
    Result<exec::ThunkShape> shape = exec::thunk_shape(btf_, pointee);
    if (!shape.ok())
      return fail(Errno::kOpNotSupp,
                  fmt::format("Error in parsing func ptr {}: arguments must be integers, enums, pointers or structs of at most "
                              "16 bytes, in {} slots at most, and the result at most 8 bytes",
                              member.name, exec::kMaxThunkSlots));
    layout.is_function = true;
    layout.shape = std::move(shape).value();
    facts.proto = pointee;
    return {};
  }

  const void* given_stub(const MemberLayout& layout) const {
    const void* stub = nullptr;
    if (def_.stubs != nullptr) std::memcpy(&stub, static_cast<const char*>(def_.stubs) + layout.off, sizeof(stub));
    return stub;
  }
  bool has_stub(const MemberLayout& layout) const {
    if (contains(def_.unsupported, layout.off)) return false;
    return def_.stubs == nullptr || given_stub(layout) != nullptr;
  }
  Result<const void*> stub_of(const MemberLayout& layout) {
    if (def_.null_when_unset) return static_cast<const void*>(nullptr);
    if (const void* given = given_stub(layout)) return given;
    return static_cast<const void*>(RING3_TRY(out_->default_stubs.add(layout.shape, &return_zero, nullptr)));
  }

  /// Parameter names of the function <type>__<member> of the host's BTF say what the member's own prototype cannot.
  Result<void> read_annotations(const MemberLayout& layout, model::StructOpsMember& facts) {
    const std::string name = def_.name + "__" + layout.name;
    const btf::TypeId func = btf_.find(name, Kind::kFunc);
    if (func == 0) {
      if (!contains(def_.annotated, layout.off)) return {};
      return fail(Errno::kNoEnt, fmt::format("member {} needs the annotations of function {}, which is not in the host's BTF",
                                             layout.name, name));
    }
    const std::vector<btf::Param> stub = btf_.params(btf_.type(func)->type);
    const std::vector<btf::Param> member = btf_.params(facts.proto);
    if (stub.size() != member.size())
      return fail(Errno::kInval, fmt::format("{} takes {} arguments, member {} takes {}", name, stub.size(), layout.name,
                                             member.size()));
    for (std::size_t i = 0; i < stub.size(); ++i) {
      const bool nullable = stub[i].name.ends_with("__nullable");
      const bool owned = stub[i].name.ends_with("__ref");
      if (!nullable && !owned) continue;
      const btf::TypeId pointee = struct_pointee(stub[i].type);
      if (pointee == 0)
        return fail(Errno::kInval, fmt::format("{}: {} is not a pointer to a struct", name, stub[i].name));
      if (pointee != struct_pointee(member[i].type))
        return fail(Errno::kInval, fmt::format("{}: {} and argument {} of member {} have different types", name, stub[i].name,
                                               i + 1, layout.name));
      (nullable ? facts.nullable_args : facts.ref_args) |= 1u << i;
    }
    return {};
  }

  /// What a host may put around programs: nothing that leads elsewhere, and nothing but an epilogue's end leaves.
  static bool is_plain(const std::vector<isa::Insn>& code, bool exits) {
    using isa::Op;
    for (std::size_t i = 0; i < code.size(); ++i) {
      const isa::Insn& insn = code[i];
      const bool last = i + 1 == code.size();
      if (insn.op == Op::kExit) {
        if (!exits || !last) return false;
      } else if (insn.op >= Op::kJa && insn.op < Op::kMayGoto) {
        const std::int64_t target = static_cast<std::int64_t>(i) + 1 + insn.jump;
        if (target < 0 || target > static_cast<std::int64_t>(code.size()) - (exits ? 1 : 0)) return false;
      } else if (insn.op > Op::kStore || insn.op == Op::kAddrSpaceCast || insn.op == Op::kMayGoto || insn.op == Op::kCallHelper || insn.op == Op::kCallKfunc ||
                 insn.op == Op::kCallSubprog) {
        return false;  // calls, wide immediates, atomics, packet loads
      }
      const bool writes = insn.op != Op::kStore && (insn.op < Op::kJa || insn.op > Op::kExit);
      if (!exits && writes && insn.dst == 1) return false;  // the program wants its arguments
      if (exits && last && insn.op != Op::kExit) return false;
      if (insn.dst > isa::kFrameReg || (insn.dst == isa::kFrameReg && insn.op != Op::kStore)) return false;
    }
    return true;
  }

  Result<void> take_code(const std::vector<StructOpsDef::Code>& given, std::vector<isa::Insn> model::StructOpsMember::*where,
                         const char* what) {
    for (const StructOpsDef::Code& code : given) {
      RING3_TRY(check_offsets({code.member}, what));
      std::vector<isa::RawInsn> slots(code.insns.size());
      static_assert(sizeof(isa::RawInsn) == sizeof(std::uint64_t));
      std::memcpy(slots.data(), code.insns.data(), slots.size() * sizeof(isa::RawInsn));
      isa::FieldError wrong;
      Result<std::vector<isa::Insn>> insns = isa::decode(slots, &wrong);
      const bool exits = where == &model::StructOpsMember::epilogue;
      if (slots.empty() || !insns.ok() || !is_plain(insns.value(), exits))
        return fail(Errno::kInval, fmt::format("the {} of the member at offset {} is not plain code{}", what, code.member,
                                               exits ? " that ends with exit" : ""));
      for (std::size_t i = 0; i < out_->members.size(); ++i)
        if (out_->members[i].off == code.member) facts_.members[i].*where = std::move(insns).value();
    }
    return {};
  }

  /// The struct a pointer type points to, 0 for any other type.
  btf::TypeId struct_pointee(btf::TypeId id) const {
    const btf::Type* type = btf_.type(btf_.skip_modifiers(id));
    if (type->kind != Kind::kPtr) return 0;
    const btf::TypeId pointee = btf_.skip_modifiers(type->type);
    const Kind kind = btf_.type(pointee)->kind;
    return kind == Kind::kStruct || kind == Kind::kUnion ? pointee : 0;
  }

  Result<void> check_offsets(const std::vector<std::size_t>& offsets, const char* what) {
    for (const std::size_t off : offsets) {
      const bool known = std::any_of(out_->members.begin(), out_->members.end(),
                                     [off](const MemberLayout& m) { return m.off == off && m.is_function; });
      if (!known) return fail(Errno::kInval, fmt::format("no function member at offset {} ({})", off, what));
    }
    return {};
  }

  Result<void> check_writable() {
    for (const StructOpsDef::Writable& field : def_.writable) {
      const btf::TypeId type = btf_.find(field.type, Kind::kStruct);
      const std::size_t size = type != 0 ? btf_.type(type)->size : 0;
      if (type == 0 || field.size == 0 || field.off >= size || field.size > size - field.off)
        return fail(Errno::kInval, fmt::format("bytes {}+{} of struct {} cannot be writable: no such field", field.off,
                                               field.size, field.type));
      facts_.writable.push_back(
          {field.type, static_cast<std::uint32_t>(field.off), static_cast<std::uint32_t>(field.size)});
    }
    return {};
  }

  Result<void> take_denied(const StructOpsDef::Denied& denied) {
    RING3_TRY(check_offsets({denied.member}, "denied"));
    for (std::size_t i = 0; i < out_->members.size(); ++i)
      if (out_->members[i].off == denied.member) facts_.members[i].denied_helpers.push_back(denied.helper);
    return {};
  }

  Result<void> check_known() {
    if (def_.test_run && !def_.known.empty())
      return fail(Errno::kInval, "arguments that a client makes are no more than their types say: test_run and known exclude each other");
    for (const StructOpsDef::Known& known : def_.known) {
      const btf::TypeId declared = btf_.find(known.type, Kind::kStruct), is = btf_.find(known.as, Kind::kStruct);
      if (declared == 0 || is == 0 || !begins_with(is, declared))
        return fail(Errno::kInval, fmt::format("a struct {} is no struct {}: it does not begin with one", known.as, known.type));
      facts_.known_args.push_back({declared, is});
    }
    return {};
  }

  bool begins_with(btf::TypeId type, btf::TypeId first) const {
    for (int depth = 0; type != first; ++depth) {
      if (depth == kMaxFirstMembers || btf_.type(type)->kind != Kind::kStruct || btf_.type(type)->vlen == 0) return false;
      const btf::Member member = btf_.member(type, 0);
      if (member.bit_off != 0) return false;
      type = btf_.skip_modifiers(member.type);
    }
    return true;
  }

  /// Bytes of the wrapper that no member of the header and no member of the ops struct covers.
  void mark_padding() {
    std::vector<bool>& padding = out_->is_padding;
    padding.assign(out_->wrapper_size, true);
    const auto cover = [&padding](std::size_t off, std::size_t size) {
      for (std::size_t i = off; i < off + size && i < padding.size(); ++i) padding[i] = false;
    };
    cover(out_->count_off, 4);
    cover(out_->state_off, 4);
    for (const MemberLayout& m : out_->members) cover(out_->ops_off + m.off, m.size);
  }

  static bool contains(const std::vector<std::size_t>& offsets, std::size_t off) {
    return std::find(offsets.begin(), offsets.end(), off) != offsets.end();
  }

  const StructOpsDef& def_;
  const std::shared_ptr<const btf::Btf>& shared_btf_;
  const btf::Btf& btf_;
  TextSink& log_;
  model::StructOpsType facts_;
  std::unique_ptr<OpsType> out_;
};

}  // namespace

Result<std::unique_ptr<OpsType>> check_type(const StructOpsDef& def, const std::shared_ptr<const btf::Btf>& btf,
                                            exec::CodeMemory& code, TextSink& log) {
  return TypeCheck(def, btf, code, log).run();
}

}  // namespace ring3::struct_ops
