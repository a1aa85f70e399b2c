#include "limiter_host.h"

#include <cstring>

#include "limiter_btf.h"

static std::atomic<unsigned> serving{0};

struct limiter_config limiter_config = {.busy = 8};

extern "C" __u32 limiter_load() { return serving; }

static int allow_all(request*, request*) { return 1; }
static void done_nothing(request*) {}
static const limiter_ops kAllowAll = {allow_all, done_nothing, "native"};

ring3::Result<std::unique_ptr<Limiter>> Limiter::start(ring3::Log* log) {
  auto limiter = std::make_unique<Limiter>();

  auto runtime = ring3::Runtime::create({.name = "limiter", .btf = limiter_btf, .log = log});
  if (!runtime.ok()) return runtime.error();  // the log says why
  limiter->runtime_ = std::move(runtime).value();

  if (auto added = limiter->runtime_->kfunc<&limiter_load>(); !added.ok()) return added.error();
  if (auto added = limiter->runtime_->variable<&limiter_config>(); !added.ok()) return added.error();

  ring3::StructOpsOptions<limiter_ops> options;
  options.required = {&limiter_ops::allow};
  options.annotated = {&limiter_ops::allow};
  options.writable = {ring3::writable(&request::cost)};
  options.fallback = &kAllowAll;
  options.context = limiter.get();
  options.validate = [](void*, const limiter_ops& ops) -> ring3::Result<void> {
    if (ops.name[0] == 0) return ring3::Errno::kInval;
    return {};
  };
  options.retired = [](void* self, const limiter_ops&) { ++static_cast<Limiter*>(self)->retired; };
  auto policy = limiter->runtime_->struct_ops(options);
  if (!policy.ok()) return policy.error();
  limiter->policy_ = *policy;

  return limiter;
}

bool Limiter::admit(request& now, request* previous) {
  ++serving;
  bool admitted;
  if (auto p = policy_.enter()) {
    admitted = p->allow(&now, previous) != 0;
    p->done(&now);
  } else {
    admitted = true;  // only without a fallback
  }
  --serving;
  return admitted;
}
