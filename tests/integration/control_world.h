// A World whose runtime listens on a socket of its own, and ways to reach it.
#pragma once

#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "control/client.h"
#include "object/rcu.h"
#include "runtime/runtime_impl.h"
#include "tests/integration/world.h"

namespace ring3::test {

class ControlWorld : public World {
 protected:
  ControlWorld() {
    char folder[] = "/tmp/ring3-test-XXXXXX";
    folder_ = ::mkdtemp(folder);
    path_ = folder_ + "/host.sock";
    EXPECT_TRUE(runtime_->listen({.path = path_, .policy = nullptr}).ok()) << log_.take();
  }
  ~ControlWorld() override {
    client_ = nullptr;
    runtime_ = nullptr;
    EXPECT_NE(::access(path_.c_str(), F_OK), 0) << "the socket stays behind";
    EXPECT_EQ(::rmdir(folder_.c_str()), 0) << "something stays behind";
  }

  std::unique_ptr<control::Client> connect() {
    std::string why;
    auto client = control::Client::connect(path_, why);
    EXPECT_TRUE(client.ok()) << why;
    return client.ok() ? std::move(*client) : nullptr;
  }
  /// Objects alive, after what clients have closed is gone.
  std::size_t live() {
    (void)bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0);  // any command drains the doorbells
    rcu::drain();
    return runtime_->impl().objects().live_count();
  }
  bool settles_at(std::size_t objects) {
    return eventually([&] { return live() == objects; });
  }
  std::string leaks() {
    std::string text;
    for (const std::string& line : runtime_->impl().objects().live()) text += line + "\n";
    return text;
  }

  std::uint32_t first_map() { return bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0); }

  struct LoaderRun {
    int code = -1;       // exit code, or the negated signal
    std::string errors;  // what it said on stderr
  };
  /// tests/integration/loader with modules/OBJECT.bpf.c; `when` and `packet`: its last step.
  LoaderRun load(const std::string& object, const std::string& module = "", const char* when = nullptr, long packet = 0);

  std::string folder_;
  std::string path_;
};

}  // namespace ring3::test
