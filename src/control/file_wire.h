// Requests and replies of a bpffs mount (bpffs/request.h) as bytes of a FILE packet and its reply's body.
#pragma once

#include "bpffs/request.h"
#include "control/wire.h"

namespace ring3::control {

void put_file_request(WireWriter& out, const bpffs::Request& request);
/// Fails `in` when it does not fit. Who.admin stays false.
bpffs::Request get_file_request(WireReader& in);
void put_file_reply(WireWriter& out, const bpffs::Reply& reply);
bpffs::Reply get_file_reply(WireReader& in);

}  // namespace ring3::control
