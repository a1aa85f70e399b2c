// Runtime::listen: declared in the public API, at home here because the socket stands above the runtime.
#include <new>
#include <utility>

#include "base/try.h"
#include "control/server.h"
#include "ring3/runtime.h"
#include "runtime/runtime_impl.h"

namespace ring3 {

Result<void> Runtime::listen(const ListenOptions& options) {
  try {
    std::unique_ptr<control::Server> server = RING3_TRY(control::Server::start(*impl_, options));
    impl_->log(Severity::kInfo, "control socket at " + server->path());
    impl_->add_service(std::move(server));
    return {};
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
}

}  // namespace ring3
