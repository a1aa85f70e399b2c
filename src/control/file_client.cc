#include "control/file_client.h"

#include "base/try.h"
#include "control/file_wire.h"

namespace ring3::control {

Result<bpffs::Reply> RemoteFiles::call(const bpffs::Request& request) {
  WireWriter body;
  put_file_request(body, request);
  const Client::Reply answer = RING3_TRY(client_.request(MessageType::kFile, body.bytes()));
  WireReader in(answer.body);
  bpffs::Reply reply = get_file_reply(in);
  if (!in.finished()) return Errno::kProto;
  return reply;
}

}  // namespace ring3::control
