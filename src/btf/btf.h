// A validated BTF blob as a type graph. Immutable after parse(), shared by
// std::shared_ptr<const Btf>; every accessor is safe from any thread.
//
// Ids are the blob's own; a split BTF continues the ids and string offsets of its base, so one
// Btf answers for both ranges. Id 0 is void.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_sink.h"
#include "ring3/result.h"

namespace ring3::btf {

using TypeId = std::uint32_t;
inline constexpr TypeId kVoid = 0;

enum class Kind : std::uint8_t {
  kUnkn = 0, kInt, kPtr, kArray, kStruct, kUnion, kEnum, kFwd, kTypedef, kVolatile, kConst, kRestrict,
  kFunc, kFuncProto, kVar, kDatasec, kFloat, kDeclTag, kTypeTag, kEnum64,
};

/// One record, fixed part decoded. `vlen` counts the elements reached by the accessors of Btf.
struct Type {
  Kind kind = Kind::kUnkn;
  bool kind_flag = false;
  std::uint16_t vlen = 0;
  std::string_view name;    // "" when anonymous
  std::uint32_t size = 0;   // int, enum, enum64, struct, union, datasec, float
  TypeId type = kVoid;      // ptr, typedef, modifiers, func, var, decl tag, type tag; func proto: return type
};

struct Member {
  std::string_view name;
  TypeId type;
  std::uint32_t bit_off;
  std::uint8_t bitfield_bits;  // 0: not a bitfield
};
struct Param { std::string_view name; TypeId type; };            // last with name "" and type 0: varargs
struct ArrayInfo { TypeId elem; TypeId index; std::uint32_t count; };
struct IntInfo { std::uint8_t bits; std::uint8_t bit_off; bool is_signed; bool is_char; bool is_bool; };
struct Enumerator { std::string_view name; std::int64_t value; };
struct SecVar { TypeId var; std::uint32_t off; std::uint32_t size; };
enum class Linkage : std::uint32_t { kStatic = 0, kGlobal = 1, kExtern = 2 };

/// Whose bytes a blob is. What a client loads obeys 6.12's rules to the letter. A host may bring a newer
/// kernel's BTF, whose tags carry the kind flag when they stand for another attribute than a tag. A compiler's
/// object file has extern functions and variables, and sections whose size is not known yet.
enum class Origin : std::uint8_t { kClient, kHost, kObjectFile };

class Btf {
 public:
  /// Checks and indexes a blob. log: one line per problem naming the record and the rule.
  /// base: BTF that a split blob continues; kept alive by the result.
  /// Errors and limits: behaviour.md C.6 (kInval, kTooBig, kNotSupp, kExist, kLoop).
  static Result<std::shared_ptr<const Btf>> parse(std::span<const std::byte> blob,
                                                  std::shared_ptr<const Btf> base, TextSink& log,
                                                  Origin origin = Origin::kClient);

  /// The blob as given, header included.
  std::span<const std::byte> blob() const;
  const std::shared_ptr<const Btf>& base() const;
  /// First id of this blob's own types: 1, or the base's end.
  TypeId first_id() const;
  /// One past the last id.
  TypeId end_id() const;
  /// Null for an id outside [0, end_id()).
  const Type* type(TypeId id) const;

  // Elements of a record of the right kind; empty or nullopt for another kind.
  std::vector<Member> members(TypeId id) const;
  /// index < vlen; never allocates.
  Member member(TypeId id, std::uint32_t index) const;
  /// Member of a struct or union by name, anonymous inner ones not searched; never allocates.
  std::optional<Member> find_member(TypeId id, std::string_view name) const;
  std::vector<Param> params(TypeId proto) const;
  Param param(TypeId proto, std::uint32_t index) const;
  std::optional<ArrayInfo> array(TypeId id) const;
  std::optional<IntInfo> integer(TypeId id) const;
  std::vector<Enumerator> enumerators(TypeId id) const;
  std::vector<SecVar> section_vars(TypeId id) const;
  /// Of a FUNC or VAR.
  Linkage linkage(TypeId func_or_var) const;
  std::int32_t decl_tag_component(TypeId id) const;  // -1: the type itself

  /// Looks a named type up, base included; the lowest id wins. 0: none (kNoEnt has no better use here).
  TypeId find(std::string_view name, Kind kind) const;
  /// Decl tags on `target` with this component (-1: on the type itself), in id order.
  std::vector<std::string_view> decl_tags(TypeId target, std::int32_t component) const;

  /// Follows const, volatile, restrict, type tags and typedefs.
  TypeId skip_modifiers(TypeId id) const;
  /// Follows const, volatile, restrict and type tags, but stops at a typedef.
  TypeId skip_qualifiers(TypeId id) const;
  /// Size in bytes; 8 for pointers; nullopt for void, functions, forward declarations.
  std::optional<std::uint32_t> size_of(TypeId id) const;

  struct Impl;
  explicit Btf(std::unique_ptr<Impl> impl);
  ~Btf();

  /// The two sections of blob(), for writers (btf/builder.h).
  std::span<const std::byte> type_section() const;
  std::span<const std::byte> string_section() const;
  /// One past the last string offset, base included.
  std::uint32_t string_bytes() const;
  /// The NUL-terminated string at an offset of the string section ("" outside).
  std::string_view string_at(std::uint32_t off) const;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace ring3::btf
