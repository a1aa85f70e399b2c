#include "exec/thunk_emit.h"

#if !defined(__x86_64__)

namespace ring3::exec {

Result<std::vector<std::byte>> emit_thunk(const ThunkShape&, ThunkTarget, void*, const ProgramWay&) { return Errno::kNotSupp; }

}  // namespace ring3::exec

#endif
