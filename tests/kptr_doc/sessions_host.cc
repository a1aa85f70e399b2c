#include "sessions_host.h"

#include <cstdio>

#include "sessions_btf.h"

namespace {
Sessions* the_sessions = nullptr;
}

extern "C" {

struct session* session_get(struct session* s) { return static_cast<Session*>(s)->acquire() ? s : nullptr; }
void session_put(struct session* s) { static_cast<Session*>(s)->release(); }
struct session* session_find(__u64 id) {
  Session* found = the_sessions != nullptr ? the_sessions->find(id) : nullptr;
  return found != nullptr ? session_get(found) : nullptr;
}

}  // extern "C"

Session::~Session() {
  // What programs keep in this object's storage goes with it.
  if (the_sessions != nullptr) the_sessions->runtime().storage_owner_gone(static_cast<session*>(this));
}

ring3::Result<void> Sessions::offer() {
  using namespace ring3::kfunc;

  ring3::KptrOptions<session> options = ring3::counted_kptr<session, Session>();
  options.print = [](const session* s, char* text, std::size_t bytes) {
    return std::snprintf(text, bytes, "%llu", s->id);
  };
  options.reaches = ring3::types<session>();  // a session may refer to others: none is kept in a session's own storage

  for (const ring3::Result<void>& added : {
           runtime_->kptr<session>(options),
           runtime_->kfunc<&session_find>({.flags = kAcquire | kRetNull}),
           runtime_->kfunc<&session_get>({.flags = kAcquire | kRcu | kRetNull}),
           runtime_->kfunc<&session_put>({.flags = kRelease}),
       })
    if (!added.ok()) return added.error();
  return {};
}

ring3::Result<std::unique_ptr<Sessions>> Sessions::start(ring3::Log* log) {
  auto runtime = ring3::Runtime::create({.name = "sessions", .btf = sessions_btf, .log = log});
  if (!runtime.ok()) return runtime.error();
  auto made = std::make_unique<Sessions>();
  made->runtime_ = std::move(*runtime);
  the_sessions = made.get();
  if (const ring3::Result<void> offered = made->offer(); !offered.ok()) return offered.error();
  return made;
}

Sessions::~Sessions() {
  for (const auto& [id, session] : open_) session->release();
  ring3::wait_for_readers();  // their destructors speak to the runtime
  the_sessions = nullptr;
}

Session* Sessions::open(__u64 id) { return open_[id] = new Session(id); }
Session* Sessions::find(__u64 id) {
  const auto at = open_.find(id);
  return at == open_.end() ? nullptr : at->second;
}
void Sessions::close(__u64 id) {
  Session* const session = find(id);
  open_.erase(id);
  if (session != nullptr) session->release();
}
