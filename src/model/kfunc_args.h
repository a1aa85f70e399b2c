// What a kfunc's prototype says about its arguments: BTF kinds plus name suffixes, decided once here.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "btf/btf.h"
#include "model/facts.h"

namespace ring3::model {

enum class KfuncArgKind : std::uint8_t {
  kScalar,
  kConst,        // __k: known constant
  kMemSize,      // __sz: size of the memory before it
  kConstMemSize, // __szk: the same, constant
  kRetSize,      // rdonly_buf_size, rdwr_buf_size: constant that sizes the returned memory
  kCtx,          // the program's context struct
  kHostStruct,   // pointer to a struct the caller must prove
  kMem,          // sized memory: pointer to a scalar or to a struct of scalars, by BTF size
  kMemSized,     // void* or T* followed by a __sz argument
  kIgnored,      // __ign
  kConstStr,     // __str
  kConstMap,     // __map, or struct bpf_map *
  kCallback,
  kAllocObj,     // __alloc: an owned object of the program's
  kRefcounted,   // __refcounted_kptr: an object with a bpf_refcount, owned or not
  kListHead, kListNode, kRbRoot, kRbNode,  // inside a map value or an object
  kIter,         // an open coded iterator on the stack: argument 0 of its functions, and whatever says __iter
  kDynptr,       // a dynptr on the stack, or one lent to a callback; with __uninit, made by the call
  kWork,         // a bpf_wq inside a map value
  kUnsupported,  // timer: refused for now
};

struct KfuncArg {
  KfuncArgKind kind = KfuncArgKind::kScalar;
  bool nullable = false;  // __nullable, __opt
  bool optional = false;  // __opt: missing, whatever its size
  bool uninit = false;    // __uninit
  bool sized = false;     // the next argument is its size
  btf::TypeId type = 0;   // pointee, modifiers skipped; scalars: the type
  std::uint32_t bytes = 0;
  bool is_signed = false;
  bool writable = false;  // kRetSize: of memory that the program may write (rdwr_buf_size)
};

enum class KfuncRet : std::uint8_t { kVoid, kScalar, kHostStruct, kMem, kUnsupported };

struct KfuncProto {
  std::string_view name;
  std::vector<KfuncArg> args;
  KfuncRet ret = KfuncRet::kVoid;
  btf::TypeId ret_type = 0;       // pointee or scalar
  std::uint32_t ret_bytes = 0;
  const char* unsupported = nullptr;  // why it may not be called, or null
};

/// ctx_struct: name of the context struct of the calling program's kind ("" none).
KfuncProto describe_kfunc(const Kfunc& kfunc, std::string_view ctx_struct);

/// Name ends in suffix, e.g. ends_with("len__sz", "__sz").
bool has_suffix(std::string_view name, std::string_view suffix);

/// A struct of nothing but scalars, arrays of them and structs of them, at most 4 levels deep.
enum class ScalarStruct : std::uint8_t { kNo, kTooDeep, kYes };
ScalarStruct judge_scalar_struct(const btf::Btf& btf, btf::TypeId type);

}  // namespace ring3::model
