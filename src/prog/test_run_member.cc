// Running members of struct_ops types that offer it, on arguments a client gives: 64 bits each, in order. A pointer to a struct
// is an address of the client's: the struct is copied in, the member gets the copy, and what it wrote goes back.
//
// Soundness: the client makes up what the verifier takes for a valid object. So the type must offer it
// (StructOpsDef::test_run); a struct or union has no pointers that the program could follow, and no end that is not told; other
// pointers are numbers to programs; and no ownership crosses the border, because nobody counts references to a copy.
#include <algorithm>
#include <array>
#include <span>

#include "exec/thunk.h"
#include "prog/test_run_kinds.h"

namespace ring3::prog {
namespace {

using btf::Kind;

constexpr std::size_t kMaxStructBytes = 4096;
constexpr int kMaxNesting = 16;

/// The struct or union a pointer leads to; 0: it is no pointer, or one that is a number to programs.
btf::TypeId pointed_struct(const btf::Btf& types, btf::TypeId id) {
  const btf::Type* type = types.type(types.skip_modifiers(id));
  if (type->kind != Kind::kPtr) return 0;
  const btf::TypeId pointee = types.skip_modifiers(type->type);
  const Kind kind = types.type(pointee)->kind;
  return kind == Kind::kStruct || kind == Kind::kUnion ? pointee : 0;
}

/// Numbers only, all the way down, and all of them within the type's size.
bool is_plain_data(const btf::Btf& types, btf::TypeId id, int nesting = 0) {
  const btf::TypeId plain = types.skip_modifiers(id);
  const btf::Type* type = types.type(plain);
  if (type == nullptr || nesting > kMaxNesting) return false;
  switch (type->kind) {
    case Kind::kInt:
    case Kind::kEnum:
    case Kind::kEnum64:
    case Kind::kFloat: return true;
    case Kind::kArray: return types.array(plain)->count != 0 && is_plain_data(types, types.array(plain)->elem, nesting + 1);
    case Kind::kStruct:
    case Kind::kUnion:
      for (const btf::Member& member : types.members(plain))
        if (!is_plain_data(types, member.type, nesting + 1)) return false;
      return true;
    default: return false;
  }
}

/// A struct of the client's, while the member has it.
struct Borrowed {
  std::uint64_t address;
  std::vector<std::uint64_t> copy;
  std::size_t bytes;
};

struct Arguments {
  std::array<std::uint64_t, exec::kMaxThunkSlots> slots{};
  std::vector<Borrowed> structs;
};

std::uint64_t narrowed(std::uint64_t value, exec::ThunkArg arg) {
  if (arg.bytes >= 8) return value;
  const unsigned unused = 64 - 8u * arg.bytes;
  const std::uint64_t shifted = value << unused;
  return arg.is_signed ? static_cast<std::uint64_t>(static_cast<std::int64_t>(shifted) >> unused) : shifted >> unused;
}

Result<std::uint64_t> borrow(const btf::Btf& types, btf::TypeId type, std::uint64_t address, const TestRunRequest& request,
                             Arguments& out) {
  const std::size_t bytes = types.size_of(type).value_or(0);
  if (!is_plain_data(types, type) || bytes > kMaxStructBytes)
    return refuse_run(request, Errno::kOpNotSupp, "an argument points to a struct that no client can make up");
  Borrowed borrowed{address, std::vector<std::uint64_t>(bytes / 8 + 1), bytes};
  if (request.client == nullptr || !request.client->read(address, borrowed.copy.data(), bytes)) return Errno::kFault;
  out.structs.push_back(std::move(borrowed));
  return reinterpret_cast<std::uintptr_t>(out.structs.back().copy.data());
}

Result<Arguments> read_arguments(const model::StructOpsType& ops, const model::StructOpsMember& member,
                                 const exec::ThunkShape& shape, const TestRunRequest& request) {
  Arguments out;
  std::copy(request.ctx_in.begin(), request.ctx_in.end(), std::as_writable_bytes(std::span(out.slots)).begin());
  const std::vector<btf::Param> params = ops.btf->params(member.proto);
  std::size_t slot = 0;
  for (std::size_t i = 0; i < params.size(); ++i) {
    std::uint64_t& value = out.slots[slot];
    slot += shape.args[i].bytes > 8 ? 2 : 1;
    const btf::TypeId pointee = pointed_struct(*ops.btf, params[i].type);
    if (pointee == 0) {
      value = narrowed(value, shape.args[i]);
    } else if (value != 0) {
      value = RING3_TRY(borrow(*ops.btf, pointee, value, request, out));
    } else if ((member.nullable_args >> i & 1) == 0) {
      return refuse_run(request, Errno::kInval, "null for an argument that is never null");
    }
  }
  return out;
}

}  // namespace

Result<TestRunResult> run_as_member(Program& program, const TestRunRequest& request, exec::HostServices& host) {
  const model::StructOpsType* ops = program.ops_type();
  if (ops == nullptr || !ops->test_run)
    return refuse_run(request, Errno::kOpNotSupp, "the type of this member offers no test runs");
  if (!is_plain(request) || request.has_data_in || request.has_data_out || request.has_ctx_out) return Errno::kInval;
  const model::StructOpsMember& member = ops->members[program.attach_type()];
  const exec::ThunkShape shape = RING3_TRY(exec::thunk_shape(*ops->btf, member.proto));
  if (request.ctx_in.size() != shape.slots() * sizeof(std::uint64_t)) return Errno::kInval;
  if (member.ref_args != 0 || pointed_struct(*ops->btf, ops->btf->type(member.proto)->type) != 0)
    return refuse_run(request, Errno::kOpNotSupp, "references cross this member's border, and a test run has none");
  Arguments arguments = RING3_TRY(read_arguments(*ops, member, shape, request));

  TestRunResult result{.has_data = false};
  run_repeatedly(program, {.ctx = arguments.slots.data(), .client = request.client}, request, host, result);
  if (shape.ret_bytes == 0) result.retval = 0;
  if (shape.ret_bytes != 0) result.retval = static_cast<std::uint32_t>(narrowed(result.retval, {std::min<std::uint8_t>(shape.ret_bytes, 4), shape.ret_signed}));
  for (const Borrowed& borrowed : arguments.structs)
    if (!request.client->write(borrowed.address, borrowed.copy.data(), borrowed.bytes)) return Errno::kFault;
  return result;
}

}  // namespace ring3::prog
