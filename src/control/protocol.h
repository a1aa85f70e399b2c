// The words of the control socket (docs/protocol.md): SOCK_SEQPACKET, one message a packet, numbers in the
// machine's own byte order (both ends are on one machine).
//
// Every message starts with a Header. The client asks one thing at a time and waits for its kReply. While the
// host works on a request it may ask back (kWant…) and the client answers with kAnswer; a long reply comes in
// pieces (kPiece) before the kReply. All of them carry the request's serial.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ring3::control {

constexpr std::uint32_t kProtocolMagic = 0x33676e72;  // "rng3"
constexpr std::uint32_t kProtocolVersion = 1;

// What may cross in one packet, and what a reply in pieces may grow to at the reader.
constexpr std::size_t kMaxPacketBytes = 64 * 1024;
constexpr std::size_t kPieceBytes = 32 * 1024;
constexpr std::size_t kMaxReplyBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxTextBytes = 16 * 1024;

enum class MessageType : std::uint32_t {
  // Requests.
  kHello = 1,        // magic u32, version u32; carries the /proc/PID/mem that addresses mean, if it wants to call bpf(2)
  kBpf = 2,          // command i32, size u32, attr u64, common attrs: address u64, size u32
  kHostBtf = 3,      // → a read-only file with the host's BTF
  kBegin = 4,        // starts a load: what is made from here on is invisible until kCommit
  kCommit = 5,       // name, source, digest, replaces: text; lifetime u32 → module id
  kAbort = 6,        // drops the load
  kModules = 7,      // → module records
  kModule = 8,       // name → one module record
  kRemove = 9,       // name: text; force u32
  kLog = 10,         // from u64 (position), wait u32 → log lines; see log_lines.h
  kPinList = 11,           // path: text → entries
  kPinMakeDirectory = 12,  // path: text; mode u32
  kPinRemove = 13,         // path: text
  kPinRename = 14,         // from, to: text; flags u32
  kFile = 15,              // one operation of a bpffs mount: file_wire.cc → its reply
  kWakeFile = 16,          // fd i32 → an eventfd, written when a consumer of that ring should look
  kReferences = 17,        // → JSON: who holds what (runtime/references.h)
  kEventFile = 18,         // → a file that stands for a perf event of BPF output (syscall/event_files.h)
  kEventPages = 19,        // fd i32, pages u32: how much of one is mapped; 0 only asks
  kFdInfo = 20,            // fd i32 → text: the lines of fdinfo for that object
  kHostCpus = 21,          // → possible CPUs, as the result
  kDevicePrograms = 22,    // → count; per device that takes one XDP program: device u32, id u32
  kSetDeviceProgram = 23,  // device u32, fd i32, flags u32, expected fd i32 (syscall/device_programs.h)
  // Host to client, inside a request.
  kReply = 100,      // result i64, text; then what the request's row says
  kPiece = 101,      // bytes of a long reply's body
  kWantFile = 102,   // fd i32: which file is that? AT_FDCWD: the working directory
  kTakeFile = 103,   // carries a file; the answer says under which number it is known now
  kWantUmask = 104,
  kCloseFile = 105,  // fd i32: a program that the client runs closes it
  // Client to host, inside a request.
  kAnswer = 200,     // value i64, or a negated errno; carries the file of kWantFile
};

struct Header {
  MessageType type;
  std::uint32_t serial;
};
static_assert(sizeof(Header) == 8);

}  // namespace ring3::control
