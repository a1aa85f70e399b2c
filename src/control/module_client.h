// Modules over the control socket. Every call fails as Client::request does; the client's text() says why
// in words for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/client.h"
#include "module/module_info.h"
#include "ring3/result.h"

namespace ring3::control {

struct ModuleLoad {
  std::string name;
  module::Lifetime lifetime = module::Lifetime::kResident;
  std::string replaces = {};  // the module whose links it takes over; "" none
  std::string source = {};    // the object file's name, for listings
  std::string digest = {};    // SHA-256 of the object file, hex
};

/// Ends the load begun by Client::begin(): all that was made becomes a module, at one point; returns its id.
/// After an error nothing is left. Errors: as module::Registry::commit.
Result<std::uint32_t> commit(Client& client, const ModuleLoad& load);
Result<std::vector<module::ModuleInfo>> modules(Client& client);
/// kNoEnt.
Result<module::ModuleInfo> module_info(Client& client, std::string_view name);
/// Returns its id; memory goes after the callers that are inside.
/// Errors: kNoEnt; kPerm somebody else's; kBusy it is used and `force` is not set.
Result<std::uint32_t> remove(Client& client, std::string_view name, bool force);

}  // namespace ring3::control
