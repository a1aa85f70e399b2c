#include "btf/graph.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <vector>

#include "base/try.h"
#include "btf/names.h"

namespace ring3::btf {
namespace {

// How a walk came to a record, and so where it stops.
enum class Walk : std::uint8_t {
  kAny,      // nothing decided yet: started at a modifier, variable, section, function or tag
  kPointer,
  kValue,
};

constexpr std::uint8_t kDoneByPointer = 1;
constexpr std::uint8_t kDoneByValue = 2;
constexpr std::uint8_t kDone = kDoneByPointer | kDoneByValue;
constexpr std::uint8_t kOnStack = 4;

// Records only other records of a fixed kind refer to; no type is made of them.
bool is_source_only(Kind kind) { return kind == Kind::kVar || kind == Kind::kDatasec || kind == Kind::kDeclTag; }

bool is_never_sized(Kind kind) { return kind == Kind::kFwd || kind == Kind::kFunc || kind == Kind::kFuncProto; }

class Walker {
 public:
  explicit Walker(const Checker& c) : c_(c), state_(c.btf.types.size(), 0) {}

  Result<void> walk(TypeId root) {
    if (!is_open(Walk::kAny, root)) return {};
    push(Walk::kAny, root);
    while (depth_ != 0) {
      Frame& top = stack_[depth_ - 1];
      const Result<TypeId> next = step(top);
      if (!next) return next.error();
      if (*next == kVoid) {
        pop();
        continue;
      }
      if (depth_ == kMaxDepth)
        return c_.refuse(root, fmt::format("Exceeded max resolving depth:{}", kMaxDepth), Errno::kTooBig);
      if ((state(*next) & kOnStack) != 0) return c_.refuse(root, "Loop detected", Errno::kExist);
      push(top.walk, *next);
    }
    return {};
  }

  Result<void> check_proto(TypeId id) {
    const Type& t = *c_.btf.type(id);
    if (t.type != kVoid) {
      RING3_TRY(check_proto_type(id, t.type, "Invalid return type"));
    }
    std::uint32_t count = t.vlen;
    if (count == 0) return {};
    const auto last = c_.btf.element<RawParam>(id, count - 1);
    if (last.type == kVoid) {
      if (last.name_off != 0) return c_.refuse(id, fmt::format("Invalid arg#{}", count));
      --count;
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto p = c_.btf.element<RawParam>(id, i);
      const std::string rule = fmt::format("Invalid arg#{}", i + 1);
      if (p.name_off != 0 && !is_identifier(c_.btf.string(p.name_off))) return c_.refuse(id, rule);
      RING3_TRY(check_proto_type(id, p.type, rule));
    }
    return {};
  }

 private:
  struct Frame {
    TypeId id;
    std::uint32_t element;  // next member or section variable to look at
    Walk walk;
  };

  std::uint8_t& state(TypeId id) { return state_[id - c_.btf.first_type()]; }

  // Whether a walk of this sort still has to go into `id`.
  bool is_open(Walk walk, TypeId id) {
    if (!c_.btf.is_own(id)) return false;  // the base is checked already
    const Kind kind = c_.btf.type(id)->kind;
    std::uint8_t needed = kDone;
    if (is_modifier(kind)) {
      needed = walk == Walk::kPointer ? kDoneByPointer : walk == Walk::kValue ? kDoneByValue : kDone;
    } else if (kind == Kind::kPtr) {
      if (walk == Walk::kValue) return false;
    } else if (is_struct_or_union(kind) || kind == Kind::kArray) {
      if (walk == Walk::kPointer) return false;
    } else if (kind == Kind::kVar || kind == Kind::kDatasec || kind == Kind::kFunc || kind == Kind::kDeclTag) {
      if (walk != Walk::kAny) return false;
    } else {
      return false;
    }
    return (state(id) & needed) != needed;
  }

  void push(Walk walk, TypeId id) {
    const Kind kind = c_.btf.type(id)->kind;
    if (kind == Kind::kPtr) walk = Walk::kPointer;
    if (is_struct_or_union(kind) || kind == Kind::kArray) walk = Walk::kValue;
    state(id) |= kOnStack;
    stack_[depth_++] = {id, 0, walk};
  }

  void pop() {
    const Frame& top = stack_[--depth_];
    std::uint8_t done = kDone;
    if (is_modifier(c_.btf.type(top.id)->kind)) {
      if (top.walk == Walk::kPointer) done = kDoneByPointer;
      if (top.walk == Walk::kValue) done = kDoneByValue;
    }
    state(top.id) = static_cast<std::uint8_t>((state(top.id) & ~kOnStack) | done);
  }

  // The record to go into first, or kVoid when this one is done.
  Result<TypeId> step(Frame& f) {
    const Type& t = *c_.btf.type(f.id);
    switch (t.kind) {
      case Kind::kPtr:
      case Kind::kTypedef:
      case Kind::kVolatile:
      case Kind::kConst:
      case Kind::kRestrict:
      case Kind::kTypeTag:
        return step_reference(f, t);
      case Kind::kArray:
        return step_array(f);
      case Kind::kStruct:
      case Kind::kUnion:
        return step_struct(f, t);
      case Kind::kVar:
        return step_var(f, t);
      case Kind::kDatasec:
        return step_datasec(f, t);
      case Kind::kFunc:
        return step_func(f, t);
      case Kind::kDeclTag:
        return step_decl_tag(f, t);
      default:
        return kVoid;
    }
  }

  bool is_usable(TypeId id) {
    const Type* t = c_.btf.type(id);
    return t != nullptr && !is_source_only(t->kind);
  }
  bool has_size(TypeId id) {
    switch (c_.btf.type(behind_modifiers(c_.btf, id))->kind) {
      case Kind::kInt:
      case Kind::kPtr:
      case Kind::kArray:
      case Kind::kStruct:
      case Kind::kUnion:
      case Kind::kEnum:
      case Kind::kFloat:
      case Kind::kEnum64:
        return true;
      default:
        return false;
    }
  }

  Result<TypeId> step_reference(Frame& f, const Type& t) {
    if (!is_usable(t.type)) return c_.refuse(f.id, "Invalid type_id");
    if (is_open(f.walk, t.type)) return t.type;
    const Kind target = c_.btf.type(behind_modifiers(c_.btf, t.type))->kind;
    const bool opaque =
        target == Kind::kUnkn || target == Kind::kFwd || target == Kind::kFuncProto || target == Kind::kFunc;
    if (!opaque && !has_size(t.type)) return c_.refuse(f.id, "Invalid type_id");
    return kVoid;
  }

  Result<TypeId> step_array(Frame& f) {
    const auto a = c_.btf.tail<RawArray>(f.id);
    if (!is_usable(a.index)) return c_.refuse(f.id, "Invalid index");
    if (is_open(f.walk, a.index)) return a.index;
    const TypeId index = behind_modifiers(c_.btf, a.index);
    if (c_.btf.type(index)->kind != Kind::kInt || !is_regular(index)) return c_.refuse(f.id, "Invalid index");

    if (!is_usable(a.elem)) return c_.refuse(f.id, "Invalid elem");
    if (is_open(f.walk, a.elem)) return a.elem;
    if (!has_size(a.elem)) return c_.refuse(f.id, "Invalid elem");
    const TypeId elem = behind_modifiers(c_.btf, a.elem);
    if (c_.btf.type(elem)->kind == Kind::kInt && !is_regular(elem)) return c_.refuse(f.id, "Invalid array of int");
    const std::uint64_t bytes = std::uint64_t{a.count} * size_in_bytes(c_.btf, elem).value_or(0);
    if (bytes > std::numeric_limits<std::uint32_t>::max()) return c_.refuse(f.id, "Array size overflows U32_MAX");
    return kVoid;
  }

  bool is_regular(TypeId int_id) {
    return is_regular_int(decode_int(c_.btf.owner(int_id).tail<std::uint32_t>(int_id)));
  }

  Result<TypeId> step_struct(Frame& f, const Type& t) {
    for (; f.element < t.vlen; ++f.element) {
      const auto m = c_.btf.element<RawMember>(f.id, f.element);
      if (!is_usable(m.type) || is_never_sized(c_.btf.type(m.type)->kind))
        return c_.refuse_member(f.id, f.element, "Invalid member");
      if (is_open(f.walk, m.type)) return m.type;
      if (const Result<void> ok = check_member_place(c_, f.id, f.element); !ok) return ok.error();
    }
    return kVoid;
  }

  Result<TypeId> step_var(Frame& f, const Type& t) {
    if (!is_usable(t.type)) return c_.refuse(f.id, "Invalid type_id");
    if (is_open(f.walk, t.type)) return t.type;
    if (!has_size(t.type)) return c_.refuse(f.id, "Invalid type_id");
    return kVoid;
  }

  Result<TypeId> step_datasec(Frame& f, const Type& t) {
    for (; f.element < t.vlen; ++f.element) {
      const auto v = c_.btf.element<RawSecVar>(f.id, f.element);
      const Type* var = c_.btf.type(v.var);
      // In an object file a section of externs may list functions.
      const bool is_extern = c_.origin == Origin::kObjectFile && var != nullptr && var->kind == Kind::kFunc;
      if (is_extern) continue;
      if (var == nullptr || var->kind != Kind::kVar) return c_.refuse(f.id, "Not a VAR kind member");
      if (is_open(f.walk, v.var)) return v.var;
      const std::uint32_t needed = size_in_bytes(c_.btf, var->type).value_or(0);
      if (c_.origin != Origin::kObjectFile && v.size < needed) return c_.refuse(f.id, "Invalid size");
    }
    return kVoid;
  }

  Result<TypeId> step_func(Frame& f, const Type& t) {
    const Type* proto = c_.btf.type(t.type);
    if (proto == nullptr || proto->kind != Kind::kFuncProto) return c_.refuse(f.id, "Invalid type_id");
    if (t.vlen == static_cast<std::uint16_t>(Linkage::kExtern)) return kVoid;  // declarations lose their names
    const Btf::Impl& owner = c_.btf.owner(t.type);
    for (std::uint32_t i = 0; i < proto->vlen; ++i) {
      const auto p = owner.element<RawParam>(t.type, i);
      if (p.name_off == 0 && p.type != kVoid) return c_.refuse(f.id, fmt::format("Invalid arg#{}", i + 1));
    }
    return kVoid;
  }

  Result<TypeId> step_decl_tag(Frame& f, const Type& t) {
    const Type* target = c_.btf.type(t.type);
    const bool taggable = target != nullptr && (is_struct_or_union(target->kind) || target->kind == Kind::kFunc ||
                                                target->kind == Kind::kVar || target->kind == Kind::kTypedef);
    if (!taggable) return c_.refuse(f.id, "Invalid type_id");
    if (is_open(f.walk, t.type)) return t.type;
    const auto component = c_.btf.tail<std::int32_t>(f.id);
    if (component == -1) return kVoid;
    std::uint32_t count = 0;
    if (is_struct_or_union(target->kind)) count = target->vlen;
    if (target->kind == Kind::kFunc) count = c_.btf.type(target->type)->vlen;
    if (static_cast<std::uint32_t>(component) >= count) return c_.refuse(f.id, "Invalid component_idx");
    return kVoid;
  }

  Result<void> check_proto_type(TypeId proto, TypeId id, std::string_view rule) {
    if (id == kVoid || !is_usable(id)) return c_.refuse(proto, rule);
    RING3_TRY(walk(id));
    if (!has_size(id)) return c_.refuse(proto, rule);
    return {};
  }

  const Checker& c_;
  std::vector<std::uint8_t> state_;
  std::array<Frame, kMaxDepth> stack_;
  std::uint32_t depth_ = 0;
};

// Inside one chain of modifiers, type tags come first: `tag → const → T`, never `const → tag → T`.
Result<void> check_tag_order(const Checker& c) {
  for (TypeId id = c.btf.first_id; id < c.btf.end_id(); ++id) {
    const Type* t = c.btf.type(id);
    if (!is_modifier(t->kind)) continue;
    bool in_tags = t->kind == Kind::kTypeTag;
    std::uint32_t left = kMaxDepth;
    for (TypeId at = id; is_modifier(t->kind); at = t->type, t = c.btf.type(at)) {
      if (left-- == 0) return c.refuse(id, "Max chain length or cycle detected", Errno::kLoop);
      if (t->kind != Kind::kTypeTag)
        in_tags = false;
      else if (!in_tags)
        return c.refuse(at, "Type tags don't precede modifiers");
    }
  }
  return {};
}

}  // namespace

TypeId behind_modifiers(const Btf::Impl& btf, TypeId id) {
  const Type* t = btf.type(id);
  while (is_modifier(t->kind)) {
    id = t->type;
    t = btf.type(id);
  }
  return id;
}

std::optional<std::uint32_t> size_in_bytes(const Btf::Impl& btf, TypeId id) {
  std::uint64_t count = 1;
  for (;;) {
    id = behind_modifiers(btf, id);
    const Type& t = *btf.type(id);
    switch (t.kind) {
      case Kind::kPtr:
        return static_cast<std::uint32_t>(count * 8);
      case Kind::kInt:
      case Kind::kStruct:
      case Kind::kUnion:
      case Kind::kEnum:
      case Kind::kFloat:
      case Kind::kEnum64:
      case Kind::kDatasec:
        return static_cast<std::uint32_t>(count * t.size);
      case Kind::kArray: {
        const auto a = btf.owner(id).tail<RawArray>(id);
        count *= a.count;  // every product was checked to fit 32 bits when the array was
        id = a.elem;
        break;
      }
      case Kind::kVar:
        id = t.type;
        break;
      default:
        return std::nullopt;
    }
  }
}

Result<void> check_graph(const Checker& c) {
  Walker walker(c);
  for (TypeId id = c.btf.first_id; id < c.btf.end_id(); ++id) {
    RING3_TRY(walker.walk(id));
    if (c.btf.type(id)->kind == Kind::kFuncProto) RING3_TRY(walker.check_proto(id));
  }
  return check_tag_order(c);
}

}  // namespace ring3::btf
