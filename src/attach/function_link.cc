#include "attach/function_link.h"

#include <fmt/format.h>

#include <utility>

#include "base/try.h"
#include "uapi/bpf.h"

namespace ring3::attach {
namespace {

class FunctionLink final : public Link {
 public:
  FunctionLink(const LinkOps& ops, Ref<prog::Program> program, FunctionTarget target, std::uint64_t cookie, Birth birth, ObjectTable& table)
      : Link(ops, program->attach_type(), program, table, birth), onto_(std::move(target)), cookie_(cookie) {}

  const FunctionTarget& onto() const { return onto_; }
  std::uint64_t cookie() const { return cookie_; }

  Result<void> enter() RING3_REQUIRES(mutex_) {
    prog::Program& by = program();
    prog::FunctionHooks* const functions = onto_.program->functions();
    if (functions == nullptr || by.entry() == nullptr) return Errno::kNotSupp;
    if (by.type() == uapi::BPF_PROG_TYPE_EXT) RING3_TRY(functions->replace(onto_.function, *by.entry()));
    else RING3_TRY(functions->trace(onto_.function, point(), *by.entry(), cookie_));
    // Whatever it is at: what it was loaded for is used up.
    used_ = by.load_target();
    by.forget_load_target();
    return {};
  }

  void leave() noexcept RING3_REQUIRES(mutex_) {
    onto_.program->functions()->leave(onto_.function, *program().entry());
    // A link that its maker never got has used up nothing.
    if (abandoned()) program().restore_load_target(std::move(used_));
    used_ = nullptr;
  }
  void settle() noexcept RING3_REQUIRES(mutex_) { used_ = nullptr; }

 private:
  prog::Program& program() RING3_REQUIRES(mutex_) { return static_cast<prog::Program&>(*target_locked()); }
  exec::TracePoint point() const {
    return attach_type() == uapi::BPF_TRACE_FEXIT ? exec::TracePoint::kExit : exec::TracePoint::kEntry;
  }

  const FunctionTarget onto_;
  const std::uint64_t cookie_;
  Ref<prog::Program> used_ RING3_GUARDED_BY(mutex_);  // what the program was loaded for, until the link is its maker's
};

FunctionLink& function_link(Link& link) { return static_cast<FunctionLink&>(link); }

// Callbacks run under the link's mutex, which the analysis cannot see through a function pointer.
void release(Link& l) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS { function_link(l).leave(); }
void given(Link& l) noexcept RING3_NO_THREAD_SAFETY_ANALYSIS { function_link(l).settle(); }

const LinkOps kFunctionLink = {
    .type = uapi::BPF_LINK_TYPE_TRACING,
    .name = "tracing",
    .attach = [](Link& l) RING3_NO_THREAD_SAFETY_ANALYSIS { return function_link(l).enter(); },
    .release = &release,
    .given = &given,
    .fill_info =
        [](const Link& l, uapi::bpf_link_info& info) {
          const auto& link = static_cast<const FunctionLink&>(l);
          info.tracing.attach_type = link.attach_type();
          info.tracing.target_obj_id = link.onto().program->id();
          info.tracing.target_btf_id = link.onto().function;
          info.tracing.cookie = link.cookie();
        },
    .fdinfo =
        [](const Link& l) {
          const auto& link = static_cast<const FunctionLink&>(l);
          return fmt::format("attach_type:\t{}\ntarget_obj_id:\t{}\ntarget_btf_id:\t{}\ncookie:\t{}\n", link.attach_type(),
                             link.onto().program->id(), link.onto().function, link.cookie());
        },
};

}  // namespace

Ref<Link> create_function_link(Ref<prog::Program> program, FunctionTarget target, std::uint64_t cookie, Birth birth) {
  ObjectTable& table = program->table();
  return Ref<Link>(
      Ref<FunctionLink>::adopt(new FunctionLink(kFunctionLink, std::move(program), std::move(target), cookie, birth, table)));
}

}  // namespace ring3::attach
