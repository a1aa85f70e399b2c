// PROG_LOAD, PROG_BIND_MAP, PROG_TEST_RUN. Copies everything out of the caller's memory, resolves the
// descriptors of the attribute, and hands over to the load pipeline (prog/load.h).
#include <algorithm>
#include <cstring>
#include <optional>

#include "base/text_sink.h"
#include "base/try.h"
#include "model/rights.h"
#include "prog/check.h"
#include "prog/load.h"
#include "prog/records.h"
#include "prog/test_run.h"
#include "syscall/handlers.h"
#include "syscall/program_client.h"
#include "syscall/token.h"

namespace ring3::syscall {
namespace {

constexpr std::size_t kMaxLicenseBytes = 128;
constexpr std::uint32_t kMaxSignatureBytes = 8192;
constexpr std::uint32_t kMaxRecordSize = 252;
constexpr std::uint32_t kMaxRecords = 1'000'000;  // one per instruction at most

/// Descriptors in instructions and in fd_array, resolved in the caller's table while the program is loaded.
class CallDescriptors final : public prog::DescriptorSource {
 public:
  CallDescriptors(Call& call, std::uint64_t fd_array) : call_(call), fd_array_(fd_array) {}

  Result<prog::DescribedObject> object(std::int32_t fd) override {
    OpenObject open = RING3_TRY(call_.object(fd));
    return prog::DescribedObject{std::move(open.object), open.access == Access::kReadOnly,
                                 open.access == Access::kWriteOnly};
  }
  Result<std::int32_t> fd_array(std::uint32_t index) override {
    if (fd_array_ == 0) return Errno::kProto;
    return call_.memory().read_value<std::int32_t>(fd_array_ + std::uint64_t{index} * sizeof(std::int32_t));
  }

 private:
  Call& call_;
  std::uint64_t fd_array_;
};

/// The license text, cut where Linux cuts it.
Result<std::string> read_license(Call& call, std::uint64_t address) {
  Result<std::string> text = call.memory().read_string(address, kMaxLicenseBytes);
  if (text.ok() || text.error() != Errno::kNameTooLong) return text;
  const auto bytes = RING3_TRY(call.memory().read_array<char>(address, kMaxLicenseBytes - 1));
  return std::string(bytes.begin(), bytes.end());
}

/// Records of one kind. Errors: kInval size outside [least, 252] or not a multiple of 4; kTooBig, kFault.
Result<std::vector<std::byte>> read_records(Call& call, std::uint64_t address, std::uint32_t count,
                                            std::uint32_t record_size, std::uint32_t least) {
  if (count == 0) return std::vector<std::byte>();
  if (count > kMaxRecords) return Errno::kInval;
  if (record_size < least || record_size > kMaxRecordSize || record_size % 4 != 0) return Errno::kInval;
  return call.memory().read_array<std::byte>(address, std::size_t{count} * record_size);
}

Result<void> check_unsupported(CommandLog& log, const uapi::bpf_attr& attr) {
  if (attr.prog_ifindex != 0) {
    log.text.write("programs bound to a device are not supported\n");
    return Errno::kInval;
  }
  return {};
}

/// None without a buffer, whatever its size and keyring. The keyring is looked for before the bytes are read.
Result<std::optional<prog::LoadSignature>> read_signature(Call& call, CommandLog& log, const uapi::bpf_attr& attr) {
  std::optional<prog::LoadSignature> signature;
  if (attr.signature == 0) return signature;
  if (attr.signature_size == 0 || attr.signature_size > kMaxSignatureBytes) {
    log.text.write("a signature has 1 to 8192 bytes\n");
    return Errno::kInval;
  }
  const sign::Keyrings* keyrings = call.kernel().services().program_host().keyrings();
  if (keyrings == nullptr || keyrings->find(attr.keyring_id) == nullptr) {
    log.text.write("keyring " + std::to_string(attr.keyring_id) + " does not exist\n");
    return Errno::kInval;
  }
  Result<std::vector<std::byte>> bytes = call.memory().read_array<std::byte>(attr.signature, attr.signature_size);
  if (!bytes.ok()) return Errno::kNoMem;  // as Linux has it, for bytes that cannot be read too
  signature = prog::LoadSignature{std::move(bytes).value(), attr.keyring_id};
  return signature;
}

/// Who vouches for what a program loads while it runs: whoever vouches for that program.
Provenance provenance_of(Caller& caller) {
  const Provenance* loader = caller.program();
  if (loader == nullptr || !loader->trusted()) return {};
  Provenance provenance = *loader;
  provenance.verdict = Provenance::Verdict::kLoader;
  return provenance;
}

/// attach_prog_fd: a program, or a BTF object that holds the target; anything else is kInval, a closed descriptor too.
Result<Ref<Object>> resolve_target(Call& call, const uapi::bpf_attr& attr) {
  if (attr.attach_prog_fd == 0) return Ref<Object>();
  Result<OpenObject> found = call.object(static_cast<int>(attr.attach_prog_fd));
  if (!found.ok()) return Errno::kInval;
  OpenObject open = std::move(found).value();
  if (open.object->kind() == ObjectKind::kProg) return std::move(open.object);
  if (open.object->kind() != ObjectKind::kBtf) return Errno::kInval;
  if (!static_cast<prog::BtfObject&>(*open.object).is_kernel()) return Errno::kNotSupp;
  return std::move(open.object);
}

Result<prog::LoadRequest> read_request(Call& call, const uapi::bpf_attr& attr, CommandLog& log) {
  prog::LoadRequest request;
  Delegation wanted = delegated_cmd(uapi::BPF_PROG_LOAD);
  wanted.progs = delegated_bit(attr.prog_type);
  wanted.attachs = delegated_bit(attr.expected_attach_type);
  const bool token = (attr.prog_flags & uapi::BPF_F_TOKEN_FD) != 0;
  request.rights = RING3_TRY(rights_with_token(call, token, attr.prog_token_fd, wanted));
  request.prog_type = attr.prog_type;
  request.attach_type = attr.expected_attach_type;
  request.flags = attr.prog_flags & ~static_cast<std::uint32_t>(uapi::BPF_F_TOKEN_FD);
  request.attach_btf_id = attr.attach_btf_id;
  request.fd_array_count = attr.fd_array_cnt;
  request.birth = call.birth();
  request.unprivileged_allowed = call.kernel().services().unprivileged_allowed();
  RING3_TRY(prog::check_load_rights(request.rights, request.unprivileged_allowed));
  if (attr.insn_cnt == 0 || attr.insn_cnt > model::max_program_insns(request.rights)) return Errno::kTooBig;
  request.attach_target = RING3_TRY(resolve_target(call, attr));
  request.insns = RING3_TRY(call.memory().read_array<isa::RawInsn>(attr.insns, attr.insn_cnt));
  request.license = RING3_TRY(read_license(call, attr.license));
  request.signature = RING3_TRY(read_signature(call, log, attr));
  request.provenance = provenance_of(call.caller());
  request.name = RING3_TRY(Call::object_name(attr.prog_name));
  if (attr.func_info_cnt != 0 || attr.line_info_cnt != 0 || attr.prog_btf_fd != 0) {
    request.btf = RING3_TRY(call.btf(static_cast<int>(attr.prog_btf_fd)));
    if (request.btf->is_kernel()) return Errno::kAcces;
  }
  request.func_info_rec_size = attr.func_info_rec_size;
  request.line_info_rec_size = attr.line_info_rec_size;
  request.core_relo_rec_size = attr.core_relo_rec_size;
  request.func_info = RING3_TRY(read_records(call, attr.func_info, attr.func_info_cnt, attr.func_info_rec_size, 8));
  request.line_info = RING3_TRY(read_records(call, attr.line_info, attr.line_info_cnt, attr.line_info_rec_size, 16));
  request.core_relos =
      RING3_TRY(read_records(call, attr.core_relos, attr.core_relo_cnt, attr.core_relo_rec_size, 16));
  return request;
}

/// A client whose records are larger than ours, and say something there, learns how much of them is known.
void tell_record_size(std::span<const std::byte> records, std::uint32_t known_bytes, std::uint32_t& rec_size) {
  if (prog::has_unknown_tail(records, rec_size, known_bytes)) rec_size = known_bytes;
}

Result<Ref<prog::Program>> load(Call& call, uapi::bpf_attr& attr, CommandLog& log) {
  RING3_TRY(check_unsupported(log, attr));
  const prog::LoadRequest request = RING3_TRY(read_request(call, attr, log));
  CallDescriptors descriptors(call, attr.fd_array);
  Result<Ref<prog::Program>> loaded = prog::load(request, descriptors, call.kernel().services().program_host(), log.text);
  if (!loaded.ok() && loaded.error() == Errno::kTooBig) {
    tell_record_size(request.func_info, sizeof(uapi::bpf_func_info), attr.func_info_rec_size);
    tell_record_size(request.line_info, sizeof(uapi::bpf_line_info), attr.line_info_rec_size);
    tell_record_size(request.core_relos, sizeof(uapi::bpf_core_relo), attr.core_relo_rec_size);
  }
  return loaded;
}

std::string_view name_of(const uapi::bpf_attr& attr) {
  return {attr.prog_name, ::strnlen(attr.prog_name, sizeof attr.prog_name)};
}

}  // namespace

Result<long> prog_load(Call& call, uapi::bpf_attr& attr) {
  CommandLog log = RING3_TRY(call.open_log(attr.log_level, attr.log_size, attr.log_buf));
  Result<Ref<prog::Program>> loaded = load(call, attr, log);
  if (const auto& why = log.text.rejection(); why.has_value()) {
    call.kernel().services().program_refused(*why);
    call.caller().refused(*why);
  }
  call.kernel().services().program_judged({.name = name_of(attr), .error = loaded.ok() ? Errno{} : loaded.error(),
                                           .stats = log.text.stats().has_value() ? &*log.text.stats() : nullptr,
                                           .why = log.text.rejection().has_value() ? &*log.text.rejection() : nullptr});
  RING3_TRY(call.close_log(log, attr.log_true_size));
  if (!loaded.ok()) return loaded.error();
  return call.publish_and_give(std::move(loaded).value(), Access::kReadWrite);
}

Result<long> prog_bind_map(Call& call, uapi::bpf_attr& attr) {
  if (attr.prog_bind_map.flags != 0) return Errno::kInval;
  const Ref<prog::Program> program = RING3_TRY(call.program(static_cast<int>(attr.prog_bind_map.prog_fd)));
  Call::OpenMap open = RING3_TRY(call.map(static_cast<int>(attr.prog_bind_map.map_fd)));
  program->bind_map(std::move(open.map));
  return 0L;
}

namespace {

constexpr std::uint32_t kMaxRunBytes = 1u << 20;  // more than any kind takes

class CallerWaits final : public prog::RunWaiter {
 public:
  explicit CallerWaits(Caller& caller) : caller_(caller) {}
  bool gave_up() noexcept override { return caller_.gave_up(); }

 private:
  Caller& caller_;
};

Result<std::vector<std::byte>> read_run_input(Call& call, std::uint64_t address, std::uint32_t bytes) {
  if (address == 0) return std::vector<std::byte>();
  if (bytes > kMaxRunBytes) return Errno::kInval;
  return call.memory().read_array<std::byte>(address, bytes);
}

/// Kinds look at the size first; that it cannot be read is theirs to say, where they want it at all.
Result<void> read_run_data(Call& call, const prog::Program& program, std::uint64_t address, prog::TestRunRequest& request) {
  const std::uint32_t bytes = request.data_size_in;
  if (bytes > kMaxRunBytes) return program.type() == uapi::BPF_PROG_TYPE_XDP ? Errno::kNoMem : Errno::kInval;
  Result<std::vector<std::byte>> data = Errno::kFault;
  if (address != 0) data = call.memory().read_array<std::byte>(address, bytes);
  request.data_faults = !data.ok();
  if (data.ok()) request.data_in = std::move(data).value();
  else request.data_in.resize(bytes);
  return {};
}

/// Copies what fits, stores the true size. kNoSpc when it did not fit, also when there is nowhere to copy it to.
Result<void> write_run_output(Call& call, std::uint64_t address, std::uint32_t& size,
                              const std::vector<std::byte>& out) {
  // Without a size the client says it has room for everything.
  const std::size_t room = size == 0 ? out.size() : std::min<std::size_t>(size, out.size());
  const bool cut = room < out.size();
  size = static_cast<std::uint32_t>(out.size());
  if (address != 0 && room != 0) RING3_TRY(call.memory().write(address, std::span(out).first(room)));
  if (cut) return Errno::kNoSpc;
  return {};
}

}  // namespace

Result<long> prog_test_run(Call& call, uapi::bpf_attr& attr) {
  auto& test = attr.test;
  // Context pointer and size together or neither.
  if ((test.ctx_size_in != 0) != (test.ctx_in != 0)) return Errno::kInval;
  if ((test.ctx_size_out != 0) != (test.ctx_out != 0)) return Errno::kInval;
  const Ref<prog::Program> program = RING3_TRY(call.program(static_cast<int>(test.prog_fd)));
  RING3_TRY(prog::check_context_size(*program, test.ctx_size_in));
  prog::TestRunRequest request;
  request.has_data_in = test.data_in != 0;
  request.data_size_in = test.data_size_in;
  request.duration = test.duration;
  request.has_ctx_in = test.ctx_in != 0;
  request.has_data_out = test.data_out != 0;
  request.has_ctx_out = test.ctx_out != 0;
  request.data_size_out = test.data_size_out;
  request.ctx_size_out = test.ctx_size_out;
  request.repeat = test.repeat;
  request.flags = test.flags;
  request.cpu = test.cpu;
  request.batch_size = test.batch_size;
  RING3_TRY(read_run_data(call, *program, test.data_in, request));
  request.ctx_in = RING3_TRY(read_run_input(call, test.ctx_in, test.ctx_size_in));
  ProgramClient client(call.kernel(), call.caller(), program->about().provenance);
  CallerWaits waiter(call.caller());
  StringSink why;
  request.client = &client;
  request.waiter = &waiter;
  request.devices = &call.kernel().services().map_host();
  request.frames = call.kernel().services().frames();
  request.why = &why;
  Result<prog::TestRunResult> ran = prog::test_run(*program, request, call.kernel().services().program_host().machine().host);
  if (!why.text().empty()) call.explain(why.text());
  const prog::TestRunResult result = RING3_TRY(std::move(ran));
  test.retval = result.retval;
  test.duration = result.duration_ns;
  // A syscall program's context comes back in the buffer it came from.
  if (program->type() == uapi::BPF_PROG_TYPE_SYSCALL) {
    if (test.ctx_in != 0) RING3_TRY(call.memory().write(test.ctx_in, result.ctx_out));
    return 0L;
  }
  if (result.has_data) RING3_TRY(write_run_output(call, test.data_out, test.data_size_out, result.data_out));
  if (test.ctx_out != 0) RING3_TRY(write_run_output(call, test.ctx_out, test.ctx_size_out, result.ctx_out));
  return 0L;
}

}  // namespace ring3::syscall
