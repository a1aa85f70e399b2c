#include "control/requests.h"

#include <algorithm>
#include <array>

namespace ring3::control {
namespace {

constexpr std::array kRequests{
    RequestRow{MessageType::kHello, "HELLO", Need::kGreeting, answer_hello},
    RequestRow{MessageType::kBpf, "BPF", Need::kNothing, answer_bpf},
    RequestRow{MessageType::kHostBtf, "HOST_BTF", Need::kNothing, answer_host_btf},
    RequestRow{MessageType::kBegin, "BEGIN", Need::kBpf, answer_begin},
    RequestRow{MessageType::kAbort, "ABORT", Need::kBpf, answer_abort},
    RequestRow{MessageType::kCommit, "COMMIT", Need::kBpf, answer_commit},
    RequestRow{MessageType::kModules, "MODULES", Need::kNothing, answer_modules},
    RequestRow{MessageType::kModule, "MODULE", Need::kNothing, answer_module},
    RequestRow{MessageType::kRemove, "REMOVE", Need::kBpf, answer_remove},
    RequestRow{MessageType::kLog, "LOG", Need::kNothing, answer_log},
    RequestRow{MessageType::kPinList, "PIN_LIST", Need::kNothing, answer_pin_list},
    RequestRow{MessageType::kPinMakeDirectory, "PIN_MAKE_DIRECTORY", Need::kNothing, answer_pin_make_directory},
    RequestRow{MessageType::kPinRemove, "PIN_REMOVE", Need::kNothing, answer_pin_remove},
    RequestRow{MessageType::kPinRename, "PIN_RENAME", Need::kNothing, answer_pin_rename},
    RequestRow{MessageType::kFile, "FILE", Need::kNothing, answer_file},
    RequestRow{MessageType::kReferences, "REFERENCES", Need::kNothing, answer_references},
    RequestRow{MessageType::kWakeFile, "WAKE_FILE", Need::kNothing, answer_wake_file},
    RequestRow{MessageType::kEventFile, "EVENT_FILE", Need::kNothing, answer_event_file},
    RequestRow{MessageType::kEventPages, "EVENT_PAGES", Need::kNothing, answer_event_pages},
    RequestRow{MessageType::kFdInfo, "FD_INFO", Need::kNothing, answer_fd_info},
    RequestRow{MessageType::kHostCpus, "HOST_CPUS", Need::kNothing, answer_host_cpus},
    RequestRow{MessageType::kDevicePrograms, "DEVICE_PROGRAMS", Need::kNothing, answer_device_programs},
    RequestRow{MessageType::kSetDeviceProgram, "SET_DEVICE_PROGRAM", Need::kNothing, answer_set_device_program},
};

}  // namespace

std::span<const RequestRow> requests() { return kRequests; }

const RequestRow* find_request(MessageType type) {
  const auto row = std::find_if(kRequests.begin(), kRequests.end(), [&](const RequestRow& r) { return r.type == type; });
  return row == kRequests.end() ? nullptr : &*row;
}

Errno malformed(Response& out) {
  out.text = "the request is shorter or longer than its type says\n";
  return Errno::kInval;
}

}  // namespace ring3::control
