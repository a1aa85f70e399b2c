#include "control/pin_client.h"

#include "base/try.h"
#include "control/wire.h"

namespace ring3::control {
namespace {

Result<void> ask(Client& client, MessageType type, const WireWriter& body) {
  RING3_TRY(client.request(type, body.bytes()));
  return {};
}

}  // namespace

Result<std::vector<PinListing>> list_pins(Client& client, std::string_view directory) {
  WireWriter body;
  body.text(directory);
  const Client::Reply reply = RING3_TRY(client.request(MessageType::kPinList, body.bytes()));
  WireReader in(reply.body);
  std::vector<PinListing> entries;
  for (long i = 0; i < reply.result && in.ok(); ++i) {
    PinListing& entry = entries.emplace_back();
    entry.name = in.text();
    entry.kind = static_cast<PinnedKind>(in.get<std::uint32_t>());
    entry.mode = in.get<std::uint32_t>();
    entry.uid = in.get<std::uint32_t>();
    entry.gid = in.get<std::uint32_t>();
    entry.links = in.get<std::uint32_t>();
    entry.object_kind = in.get<std::uint32_t>();
    entry.object_id = in.get<std::uint32_t>();
    entry.target = in.text();
  }
  if (!in.finished()) return Errno::kProto;
  return entries;
}

Result<void> make_pin_directory(Client& client, std::string_view path, mode_t mode) {
  WireWriter body;
  return ask(client, MessageType::kPinMakeDirectory, body.text(path).put(static_cast<std::uint32_t>(mode)));
}

Result<void> remove_pin(Client& client, std::string_view path) {
  WireWriter body;
  return ask(client, MessageType::kPinRemove, body.text(path));
}

Result<void> rename_pin(Client& client, std::string_view from, std::string_view to, std::uint32_t flags) {
  WireWriter body;
  return ask(client, MessageType::kPinRename, body.text(from).text(to).put(flags));
}

}  // namespace ring3::control
