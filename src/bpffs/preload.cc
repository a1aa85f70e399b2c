#include "bpffs/preload.h"

#include <fmt/format.h>
#include <unistd.h>

#include <utility>

#include "base/try.h"
#include "bpffs/preload_programs.h"
#include "isa/assemble.h"
#include "iter/iter_link.h"
#include "prog/load.h"
#include "uapi/bpf.h"

namespace ring3::bpffs {
namespace {

constexpr mode_t kMode = 0400;

class NoDescriptors final : public prog::DescriptorSource {
 public:
  Result<prog::DescribedObject> object(std::int32_t) override { return Errno::kBadF; }
  Result<std::int32_t> fd_array(std::uint32_t) override { return Errno::kProto; }
};

class NoLog final : public verifier::LogSink {
 public:
  void write(std::string_view) override {}
  void rejected(const verifier::Rejection& why) override { text = verifier::rejection_text(why, {}); }
  std::string text;
};

Result<Ref<attach::Link>> load(RuntimeImpl& runtime, const PreloadedIterator& what, btf::TypeId function, const std::string& text,
                               NoLog& log) {
  prog::LoadRequest request;
  request.prog_type = uapi::BPF_PROG_TYPE_TRACING;
  request.attach_type = uapi::BPF_TRACE_ITER;
  request.name = what.program;
  request.license = "GPL";
  request.insns = RING3_TRY(isa::assemble(text));
  request.attach_btf_id = function;
  request.rights = model::Rights::all();
  request.provenance.verdict = Provenance::Verdict::kHost;
  request.birth = Birth{.uid = ::geteuid(), .pid = ::getpid(), .time_ns = runtime.now_ns()};
  NoDescriptors none;
  Ref<prog::Program> program = RING3_TRY(prog::load(request, none, runtime, log));
  RING3_TRY(runtime.objects().publish(*program));
  Ref<attach::Link> link = RING3_TRY(iter::create_link(std::move(program), {}, request.birth));
  RING3_TRY(runtime.objects().reserve_id(*link));
  RING3_TRY(link->attach());
  RING3_TRY(runtime.objects().publish(*link));
  return link;
}

}  // namespace

void preload_iterators(RuntimeImpl& runtime, syscall::PinInstance& instance) {
  MutexLock lock(instance.mounted_mutex);
  ++instance.mounted;
  syscall::PinTree& tree = instance.tree;
  const std::shared_ptr<const btf::Btf> types = runtime.host_btf()->btf();
  for (const PreloadedIterator& what : kPreloadedIterators) {
    if (tree.has_own(what.pin)) continue;
    const btf::TypeId function = types->find(what.function, btf::Kind::kFunc);
    const std::optional<std::string> text = what.text(*types);
    if (function == 0 || !text) continue;
    NoLog log;
    Result<Ref<attach::Link>> link = load(runtime, what, function, *text, log);
    if (link.ok()) tree.place_own(what.pin, {::geteuid(), ::getegid(), {}, true}, std::move(link).value(), kMode);
    else runtime.log(Severity::kWarning, fmt::format("no {}: {} {}", what.pin, errno_name(link.error()), log.text));
  }
}

void unload_iterators(syscall::PinInstance& instance) {
  MutexLock lock(instance.mounted_mutex);
  if (--instance.mounted == 0) instance.tree.remove_own();
}

}  // namespace ring3::bpffs
