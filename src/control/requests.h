// The requests of the control socket as rows: what a client needs, and what answers. The connection reads the
// header, finds the row, checks the right and the greeting, and sends the reply; a handler reads the rest.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/peer.h"
#include "control/protocol.h"
#include "control/wire.h"
#include "ring3/result.h"
#include "runtime/runtime_impl.h"

namespace ring3::bpffs {
class FileSystem;
}

namespace ring3::control {

/// What a request answers: a result or an errno, words for people, bytes, a file.
struct Response {
  long result = 0;
  std::string text;
  WireWriter body;
  OwnedFd file;
};

/// Who asks, and whom.
struct Conversation {
  RuntimeImpl& runtime;
  PeerCaller& caller;
  Channel& channel;
  const int socket;
  const std::uint64_t id;  // of the connection: what a session module hangs on
  bool greeted = false;
  OwnedFd attached{};      // the file that came with the request
  std::shared_ptr<bpffs::FileSystem> files{};  // the mount that this connection is
};

/// in: the request's body. An error is the reply's result; text may be set with either.
using RequestHandler = Result<long> (*)(Conversation&, WireReader& in, Response& out);

enum class Need : std::uint8_t {
  kGreeting,  // only before the client has said hello
  kNothing,
  kBpf,
  kAdmin,
};

struct RequestRow {
  MessageType type;
  std::string_view name;
  Need need;
  RequestHandler handler;
};

std::span<const RequestRow> requests();
/// Null: unknown.
const RequestRow* find_request(MessageType type);

/// The request's body is not what its type says. Sets the text.
Errno malformed(Response& out);

// Handlers, by file.
Result<long> answer_hello(Conversation&, WireReader&, Response&);     // hello_request.cc
Result<long> answer_bpf(Conversation&, WireReader&, Response&);       // bpf_requests.cc
Result<long> answer_host_btf(Conversation&, WireReader&, Response&);
Result<long> answer_host_cpus(Conversation&, WireReader&, Response&);
Result<long> answer_wake_file(Conversation&, WireReader&, Response&);
Result<long> answer_event_file(Conversation&, WireReader&, Response&);
Result<long> answer_event_pages(Conversation&, WireReader&, Response&);
Result<long> answer_fd_info(Conversation&, WireReader&, Response&);
Result<long> answer_device_programs(Conversation&, WireReader&, Response&);  // device_requests.cc
Result<long> answer_set_device_program(Conversation&, WireReader&, Response&);
Result<long> answer_begin(Conversation&, WireReader&, Response&);     // load_requests.cc
Result<long> answer_abort(Conversation&, WireReader&, Response&);
Result<long> answer_commit(Conversation&, WireReader&, Response&);    // module_requests.cc
Result<long> answer_modules(Conversation&, WireReader&, Response&);
Result<long> answer_module(Conversation&, WireReader&, Response&);
Result<long> answer_remove(Conversation&, WireReader&, Response&);
Result<long> answer_log(Conversation&, WireReader&, Response&);       // log_requests.cc
Result<long> answer_pin_list(Conversation&, WireReader&, Response&);  // pin_requests.cc
Result<long> answer_pin_make_directory(Conversation&, WireReader&, Response&);
Result<long> answer_pin_remove(Conversation&, WireReader&, Response&);
Result<long> answer_pin_rename(Conversation&, WireReader&, Response&);
Result<long> answer_references(Conversation&, WireReader&, Response&);  // reference_requests.cc
Result<long> answer_file(Conversation&, WireReader&, Response&);      // file_requests.cc

}  // namespace ring3::control
