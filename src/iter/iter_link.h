// Iterator links: a program and what it walks. Nothing runs until somebody reads: each open_session() is a walk of its
// own, with the program the link has at that moment.
#pragma once

#include <memory>
#include <string_view>

#include "attach/link.h"
#include "iter/session.h"
#include "prog/program.h"
#include "ring3/result.h"

namespace ring3::iter {

/// Unpublished, pending, one reference. The scope's map is set for bpf_map_elem and for nothing else.
/// Errors: kNoEnt the program's target is none of this runtime; kInval a program that may sleep where none may, or a map
/// whose elements are not walked.
Result<Ref<attach::Link>> create_link(Ref<prog::Program> program, WalkScope scope, Birth birth);

/// What a program walks; null: none of this runtime's targets.
const model::IterTargetRow* target_of(const prog::Program& program);
bool is_iter_link(const attach::Link& link);
/// host_btf: what programs see is laid out by. Errors: kNoLink the link has gone.
Result<std::unique_ptr<Session>> open_session(const attach::Link& link, std::shared_ptr<const btf::Btf> host_btf);

}  // namespace ring3::iter
