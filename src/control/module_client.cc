#include "control/module_client.h"

#include "base/try.h"
#include "control/module_wire.h"
#include "control/wire.h"

namespace ring3::control {

Result<std::uint32_t> commit(Client& client, const ModuleLoad& load) {
  WireWriter body;
  body.text(load.name).text(load.source).text(load.digest).text(load.replaces);
  body.put(static_cast<std::uint32_t>(load.lifetime));
  const Client::Reply reply = RING3_TRY(client.request(MessageType::kCommit, body.bytes()));
  return static_cast<std::uint32_t>(reply.result);
}

Result<std::vector<module::ModuleInfo>> modules(Client& client) {
  const Client::Reply reply = RING3_TRY(client.request(MessageType::kModules, {}));
  WireReader in(reply.body);
  std::vector<module::ModuleInfo> all;
  for (long i = 0; i < reply.result && in.ok(); ++i) all.push_back(get_module(in));
  if (!in.finished()) return Errno::kProto;
  return all;
}

Result<module::ModuleInfo> module_info(Client& client, std::string_view name) {
  WireWriter body;
  body.text(name);
  const Client::Reply reply = RING3_TRY(client.request(MessageType::kModule, body.bytes()));
  WireReader in(reply.body);
  module::ModuleInfo info = get_module(in);
  if (!in.finished()) return Errno::kProto;
  return info;
}

Result<std::uint32_t> remove(Client& client, std::string_view name, bool force) {
  WireWriter body;
  body.text(name).put(std::uint32_t{force ? 1u : 0u});
  const Client::Reply reply = RING3_TRY(client.request(MessageType::kRemove, body.bytes()));
  return static_cast<std::uint32_t>(reply.result);
}

}  // namespace ring3::control
