#include "syscall/program_client.h"

#include <new>
#include <span>

#include "model/host_symbols.h"
#include "syscall/bpf.h"
#include "uapi/bpf.h"

namespace ring3::syscall {
namespace {

/// What a loader needs. Running programs is not among it: a program cannot run itself.
bool programs_may_issue(int command) {
  switch (command) {
    case uapi::BPF_MAP_CREATE:
    case uapi::BPF_MAP_UPDATE_ELEM:
    case uapi::BPF_MAP_DELETE_ELEM:
    case uapi::BPF_MAP_FREEZE:
    case uapi::BPF_MAP_GET_FD_BY_ID:
    case uapi::BPF_PROG_LOAD:
    case uapi::BPF_BTF_LOAD:
    case uapi::BPF_LINK_CREATE:
    case uapi::BPF_RAW_TRACEPOINT_OPEN: return true;
    default: return false;
  }
}

/// Who issues a command through a program: the client, but for the memory that addresses mean. That is this process's, where a program
/// works; it is reached as carefully as a client's, so that an address that a program made up is an errno.
class ProgramCaller final : public Caller {
 public:
  ProgramCaller(Caller& client, const Provenance& program) : client_(client), program_(program) {}

  const Credentials& credentials() const override { return client_.credentials(); }
  model::Rights rights() const override { return client_.rights(); }
  bool foreign() override { return client_.foreign(); }
  model::Rights namespace_rights() override { return client_.namespace_rights(); }
  UserMemory& memory() override { return memory_; }
  UserMemory& log_memory() override { return client_.memory(); }
  ClientFiles& files() override { return client_.files(); }
  mode_t umask() override { return client_.umask(); }
  bool limited() const override { return client_.limited(); }
  bool gave_up() noexcept override { return client_.gave_up(); }
  LoadSession* session() override { return client_.session(); }
  const Provenance* program() const override { return &program_; }
  void explain(std::string_view text) override { client_.explain(text); }
  void refused(const verifier::Rejection& why) override { client_.refused(why); }

 private:
  Caller& client_;
  const Provenance& program_;
  OwnMemory memory_;
};

}  // namespace

bool ProgramClient::read(std::uint64_t address, void* into, std::size_t bytes) noexcept {
  return caller_.memory().read(address, {static_cast<std::byte*>(into), bytes}).ok();
}

bool ProgramClient::write(std::uint64_t address, const void* from, std::size_t bytes) noexcept {
  return caller_.memory().write(address, {static_cast<const std::byte*>(from), bytes}).ok();
}

long ProgramClient::command(int command, void* attr, std::uint32_t bytes) noexcept {
  if (!programs_may_issue(command)) return to_syscall(Errno::kInval);
  ProgramCaller program(caller_, program_);
  return bpf(kernel_, program, command, reinterpret_cast<std::uintptr_t>(attr), bytes);
}

long ProgramClient::close(int fd) noexcept {
  try {
    const Result<void> closed = caller_.files().close(fd);
    return closed.ok() ? 0 : to_syscall(closed.error());
  } catch (const std::bad_alloc&) {
    return to_syscall(Errno::kNoMem);
  }
}

long ProgramClient::symbol(std::string_view name, std::uint64_t* address) noexcept {
  if (!caller_.rights().perfmon) return to_syscall(Errno::kPerm);
  try {
    const std::shared_ptr<const model::Facts> facts = kernel_.services().program_host().facts();
    for (const btf::Kind kind : {btf::Kind::kFunc, btf::Kind::kVar}) {
      const btf::TypeId id = facts->host_btf != nullptr ? facts->host_btf->find(name, kind) : 0;
      *address = id != 0 ? model::symbol_value(model::find_host_symbol(*facts, id)) : 0;
      if (*address != 0) return 0;
    }
    return to_syscall(Errno::kNoEnt);
  } catch (const std::bad_alloc&) {
    return to_syscall(Errno::kNoMem);
  }
}

}  // namespace ring3::syscall
