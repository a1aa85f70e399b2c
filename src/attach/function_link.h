// Links at functions of loaded programs (BPF_LINK_TYPE_TRACING): a replacement, or a program around a function. The link holds its
// program and the program whose function it is; that one knows of neither (prog/function_hooks.h).
#pragma once

#include "attach/link.h"
#include "btf/btf.h"
#include "prog/program.h"

namespace ring3::attach {

/// The function that a link is to be at.
struct FunctionTarget {
  Ref<prog::Program> program;
  btf::TypeId function = 0;   // FUNC record of its BTF
};

/// A link of a program that was judged for this function. Its attach() answers those errors of FunctionHooks. cookie: what the
/// program learns of its attachment.
Ref<Link> create_function_link(Ref<prog::Program> program, FunctionTarget target, std::uint64_t cookie, Birth birth);

}  // namespace ring3::attach
