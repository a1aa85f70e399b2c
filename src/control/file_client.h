// A bpffs of a host behind the control socket: what a mount in another process serves. The mount lives as long as the
// connection, which should be used for nothing else: a read that runs a program keeps it busy.
#pragma once

#include "bpffs/request.h"
#include "control/client.h"

namespace ring3::control {

class RemoteFiles final : public bpffs::Backend {
 public:
  /// client: outlives it.
  explicit RemoteFiles(Client& client) : client_(client) {}
  Result<bpffs::Reply> call(const bpffs::Request& request) override;

 private:
  Client& client_;
};

}  // namespace ring3::control
