// CO-RE: what a relocation record means against the host's types.
//
// A record names a type of the program's BTF and an access inside it ("0:1:2": element 0 of an array of that type,
// then member 1, then member or element 2). The same access is looked for in every type of the host whose essential
// name is equal; all that match must give one answer. Where none matches, questions of existence and size answer 0, and a
// value that is needed poisons the instruction: it is refused only if it can be reached.
//
// Answers are those of libbpf on the same object (behaviour.md E.4). Which instruction gets the answer is not known
// here: prog/core_relocate.h.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "base/text_sink.h"
#include "btf/btf.h"
#include "ring3/result.h"

namespace ring3::btf {

/// The kernel's numbers (enum bpf_core_relo_kind).
enum class CoreKind : std::uint32_t {
  kByteOffset, kByteSize, kFieldExists, kSigned, kLshift, kRshift,  // of a field
  kTypeIdLocal, kTypeIdTarget, kTypeExists, kTypeSize,
  kEnumvalExists, kEnumvalValue,
  kTypeMatches,
};
inline constexpr std::uint32_t kCoreKinds = 13;

struct CoreRelo {
  TypeId type;
  std::string_view access;
  CoreKind kind;
};

struct CoreAnswer {
  std::uint64_t local = 0;   // what the compiler wrote
  std::uint64_t target = 0;  // what it is here
  bool poison = false;       // there is no answer
  bool check_local = true;   // the instruction must hold `local` before
  // kByteOffset: the field's sizes, when loads of it may have to change theirs; 0 of a bitfield.
  std::uint32_t local_bytes = 0, target_bytes = 0;
  bool resizable = true;     // false: a load of another size would read something else, so there is none
};

class CoreResolver {
 public:
  /// Both outlive the resolver.
  CoreResolver(const Btf& local, const Btf& target) : local_(local), target_(target) {}

  /// Errors: kInval a bad record, an access that does not fit its type, or candidates that disagree; kOpNotSupp a
  /// type without a name; kTooBig a bitfield that no load covers. The log has one line without newline.
  Result<CoreAnswer> resolve(const CoreRelo& relo, TextSink& log);

 private:
  const std::vector<TypeId>& candidates(TypeId local);

  const Btf& local_;
  const Btf& target_;
  std::map<TypeId, std::vector<TypeId>> candidates_;  // by local type
};

}  // namespace ring3::btf
