// BTF_LOAD: a client's type information as an object with an id.
#include <span>

#include "base/try.h"
#include "btf/btf.h"
#include "model/fields.h"
#include "syscall/handlers.h"
#include "syscall/token.h"

namespace ring3::syscall {
namespace {
constexpr std::uint32_t kMaxBtfBytes = 16u << 20;
}

Result<long> btf_load(Call& call, uapi::bpf_attr& attr) {
  if ((attr.btf_flags & ~static_cast<std::uint32_t>(uapi::BPF_F_TOKEN_FD)) != 0) return Errno::kInval;
  const bool token = (attr.btf_flags & uapi::BPF_F_TOKEN_FD) != 0;
  const model::Rights rights =
      RING3_TRY(rights_with_token(call, token, attr.btf_token_fd, delegated_cmd(uapi::BPF_BTF_LOAD)));
  if (!rights.has_bpf()) return Errno::kPerm;
  if (attr.btf_size > kMaxBtfBytes) return Errno::kTooBig;
  CommandLog log = RING3_TRY(call.open_log(attr.btf_log_level, attr.btf_log_size, attr.btf_log_buf));
  const std::vector<std::byte> blob = RING3_TRY(call.memory().read_array<std::byte>(attr.btf, attr.btf_size));
  Result<std::shared_ptr<const btf::Btf>> parsed = btf::Btf::parse(blob, nullptr, log.text);
  if (parsed.ok()) {
    const std::shared_ptr<const btf::Btf> hosts[] = {call.kernel().services().program_host().host_btf()->btf()};
    if (const Result<void> owned = model::check_owned_types(parsed.value(), hosts, log.text); !owned.ok())
      parsed = owned.error();
  }
  RING3_TRY(call.close_log(log, attr.btf_log_true_size));
  if (!parsed.ok()) return parsed.error();
  return call.publish_and_give(
      prog::BtfObject::make(call.kernel().objects(), std::move(parsed).value(), call.birth(), "", false),
      Access::kReadWrite);
}

}  // namespace ring3::syscall
