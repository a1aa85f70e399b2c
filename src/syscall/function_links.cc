// Links of programs that replace or trace a function of a loaded program (behaviour.md D.2.5, D.3.2).
#include "attach/function_link.h"
#include "base/try.h"
#include "syscall/handlers.h"
#include "verifier/other_target.h"

namespace ring3::syscall {
namespace {

struct Lines final : verifier::LogSink {
  Lines() { level = verifier::kLogNormal; }
  void write(std::string_view line) override { text += line; }
  std::string text;
};

bool replaces(const prog::Program& program) { return program.type() == uapi::BPF_PROG_TYPE_EXT; }

/// What the program was loaded for. Errors: kInval a link has used it up.
Result<attach::FunctionTarget> load_target(Call& call, const prog::Program& program) {
  Ref<prog::Program> target = program.load_target();
  if (!target) {
    call.explain("what the program was loaded for has been used by a link: name a function");
    return Errno::kInval;
  }
  return attach::FunctionTarget{std::move(target), program.about().attach_btf_id};
}

/// A function that the client names. Errors: kInval the program does not fit there, kBadF.
Result<attach::FunctionTarget> named_target(Call& call, const prog::Program& program, int fd, btf::TypeId function) {
  if (!replaces(program)) {
    call.explain("programs that trace a function do so where they were loaded for");
    return Errno::kInval;
  }
  attach::FunctionTarget target{RING3_TRY(call.program(fd)), function};
  // The same as at load was judged then.
  if (target.program == program.load_target() && function == program.about().attach_btf_id) return target;
  Lines why;
  const Result<void> fits = verifier::check_other_target(*program.facts(), *target.program->facts(), function, why);
  if (!fits.ok()) {
    call.explain(why.text);
    return fits.error();
  }
  return target;
}

Result<long> make_link(Call& call, Ref<prog::Program> program, attach::FunctionTarget target, std::uint64_t cookie) {
  for (const prog::Program* entered : {program.get(), target.program.get()}) RING3_TRY(check_runnable(call, *entered));
  return attach_and_give(call, attach::create_function_link(std::move(program), std::move(target), cookie, call.birth()));
}

}  // namespace

Result<long> create_function_link(Call& call, const uapi::bpf_attr& attr, Ref<prog::Program> program) {
  const auto& create = attr.link_create;
  if (!replaces(*program) && create.attach_type != program->attach_type()) return Errno::kInval;
  if ((create.target_fd != 0) != (create.tracing.target_btf_id != 0)) return Errno::kInval;
  attach::FunctionTarget target =
      create.target_fd == 0 ? RING3_TRY(load_target(call, *program))
                            : RING3_TRY(named_target(call, *program, static_cast<int>(create.target_fd), create.tracing.target_btf_id));
  return make_link(call, std::move(program), std::move(target), create.tracing.cookie);
}

Result<long> open_function_link(Call& call, const uapi::bpf_attr& attr, Ref<prog::Program> program) {
  if (attr.raw_tracepoint.name != 0) return Errno::kInval;
  attach::FunctionTarget target = RING3_TRY(load_target(call, *program));
  return make_link(call, std::move(program), std::move(target), attr.raw_tracepoint.cookie);
}

}  // namespace ring3::syscall
