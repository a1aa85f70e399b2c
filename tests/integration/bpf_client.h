// A client in this process: bpf(2) commands with hand-assembled programs, everything through Runtime::bpf().
// Results are what the system call would return; descriptors are closed when the client ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "btf/btf.h"
#include "isa/insn.h"
#include "ring3/runtime.h"
#include "uapi/bpf.h"

namespace ring3::test {

constexpr long kENotSupp = -524;

struct ProgramText {
  std::string_view text;
  std::uint32_t member = 0;            // or expected_attach_type
  std::string_view type = "calc_ops";  // struct in the host's BTF; attach_btf_id is its id
  std::uint32_t flags = 0;
  const char* license = "GPL";
  std::uint32_t prog_type = uapi::BPF_PROG_TYPE_STRUCT_OPS;
  btf::TypeId attach_btf_id = 0;       // instead of `type`
  std::uint32_t log_level = 1;         // 4: of loops too long for the log
  std::vector<std::int32_t> map_fds = {};  // what map[name:m0], map[name:m1] … stand for
};

/// PROG_LOAD as it is sent, with everything the attribute points to.
struct PreparedLoad {
  uapi::bpf_attr attr;
  std::vector<isa::RawInsn> insns;
  std::vector<char> log;
};

/// What a map's keys and values are, in the types that `btf` is a descriptor of.
struct MapTypes {
  long btf = 0;
  btf::TypeId key = 0, value = 0;
};

class BpfClient {
 public:
  BpfClient(Runtime& runtime, const btf::Btf& host) : runtime_(runtime), host_(host) {}
  ~BpfClient() { close_all(); }
  BpfClient(const BpfClient&) = delete;
  BpfClient& operator=(const BpfClient&) = delete;

  long bpf(int cmd, uapi::bpf_attr& attr);
  static uapi::bpf_attr zero();
  /// MAP_CREATE's; sizes in bytes.
  static uapi::bpf_attr map_attr(std::uint32_t type, std::uint32_t key_size, std::uint32_t value_size, std::uint32_t max_entries,
                                 MapTypes types = {});
  /// Closes every descriptor; the runtime notices at its next command, which this is.
  void close_all();
  void close(long fd);
  /// Keeps a descriptor out of close_all().
  long keep(long fd);

  PreparedLoad prepare(const ProgramText& program);
  /// The fd, or the negated errno; log() has the text.
  long load(const ProgramText& program);
  const std::string& log() const { return log_; }
  long user_btf();
  long load_btf(const std::vector<std::byte>& blob);

  uapi::bpf_attr ops_map_attr(std::string_view type, std::uint32_t flags);
  long create(uapi::bpf_attr attr);
  /// Any command that gives a descriptor.
  long create_with(int cmd, uapi::bpf_attr attr);
  long ops_map(std::string_view type, std::uint32_t flags) { return create(ops_map_attr(type, flags)); }
  long update(long map, const void* value, std::uint32_t key = 0, std::uint64_t flags = 0);
  long lookup(long map, void* value, std::uint32_t key = 0);
  long erase(long map, std::uint32_t key = 0);
  long freeze(long map);

  long link(long map);
  long link_update(long link, long new_map, std::uint32_t flags = 0, long old_map = 0);
  long link_detach(long link);
  uapi::bpf_link_info link_info(long link);
  uapi::bpf_map_info map_info(long map);
  uapi::bpf_prog_info prog_info(long prog);
  long info(long fd, void* into, std::uint32_t size);
  /// A test run over 64 zero bytes: what the program returned, or the negated errno. Threads may run at once.
  long run_on_packet(long prog);
  long pin(long fd, const char* path);
  long get(const char* path);
  long fd_by_id(int cmd, std::uint32_t id);
  /// First id after `after`, 0 at the end.
  std::uint32_t next_id(int cmd, std::uint32_t after);

 private:
  long took(long fd);

  Runtime& runtime_;
  const btf::Btf& host_;
  std::vector<long> fds_;
  std::string log_;
  long btf_fd_ = -1;
};

}  // namespace ring3::test
