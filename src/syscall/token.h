// A token: rights that a bpffs mount delegates to those who live in the mount's user namespace (behaviour.md B.7).
// Its masks are those of the mount when it was made. A command that names one is judged by the token's holder's rights in
// that namespace, when the token covers the command and the type; otherwise as if none had been named.
#pragma once

#include "model/facts.h"
#include "object/object.h"
#include "ring3/result.h"
#include "syscall/delegation.h"

namespace ring3::syscall {

class Call;

class Token final : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kToken;
  static Ref<Token> make(ObjectTable& table, Birth birth, const Delegation& delegation) {
    return Ref<Token>::adopt(new Token(table, birth, delegation));
  }
  const Delegation& delegation() const { return delegation_; }
  /// Every bit of `wanted` is delegated.
  bool covers(const Delegation& wanted) const {
    return (wanted.cmds & ~delegation_.cmds) == 0 && (wanted.maps & ~delegation_.maps) == 0 &&
           (wanted.progs & ~delegation_.progs) == 0 && (wanted.attachs & ~delegation_.attachs) == 0;
  }

 private:
  Token(ObjectTable& table, Birth birth, const Delegation& delegation)
      : Object(kKind, table, birth), delegation_(delegation) {}
  const Delegation delegation_;
};

/// The caller's rights for a command that a token may stand in for. named: the attribute says that `fd` is a token.
/// Errors: kBadF, kInval no token.
Result<model::Rights> rights_with_token(Call& call, bool named, int fd, const Delegation& wanted);

/// Delegation bits of one number; numbers that no mask holds are never covered.
Delegation delegated_cmd(int cmd);
std::uint64_t delegated_bit(std::uint32_t number);

}  // namespace ring3::syscall
