// `ring3 run` with clients of tests' own (run_client.c) and with stock tools. Skipped where seccomp listeners are not to be had.
#pragma once

#include "supervisor/filter.h"
#include "tests/integration/cli/cli_world.h"

namespace ring3::test {

class RunWorld : public CliWorld {
 protected:
  void SetUp() override {
    std::string why;
    if (!supervisor::listeners_available(why)) GTEST_SKIP() << why;
  }

  /// Against this process's host.
  std::unique_ptr<Command> start_on_host(std::vector<std::string> command, std::vector<std::string> options = {}) {
    return start(words_of(std::move(command), std::move(options)));
  }
  Outcome on_host(std::vector<std::string> command, std::vector<std::string> options = {}) {
    return start_on_host(std::move(command), std::move(options))->wait();
  }
  /// With a runtime of its own, whose types are the test host's.
  std::unique_ptr<Command> start_alone(std::vector<std::string> command, std::vector<std::string> options = {}) {
    options.insert(options.end(), {"--btf", types()});
    std::vector<std::string> words = words_of(std::move(command), std::move(options));
    words.insert(words.begin(), "ring3");
    return std::make_unique<Command>(words, folder_);
  }
  Outcome alone(std::vector<std::string> command, std::vector<std::string> options = {}) {
    return start_alone(std::move(command), std::move(options))->wait();
  }
  /// With a runtime of its own, and on the host, where it leaves nothing behind.
  void works_everywhere(const std::vector<std::string>& command, const std::vector<std::string>& options = {}) {
    const Outcome own = alone(command, options);
    EXPECT_EQ(own.code, 0) << own;
    const std::size_t before = live();
    const Outcome hosts = on_host(command, options);
    EXPECT_EQ(hosts.code, 0) << hosts;
    EXPECT_TRUE(settles_at(before)) << leaks();
  }
  static std::vector<std::string> client(std::vector<std::string> words) {
    words.insert(words.begin(), RING3_RUN_CLIENT);
    return words;
  }
  ~RunWorld() override { ::unlink((folder_ + "/types").c_str()); }

 private:
  static std::vector<std::string> words_of(std::vector<std::string> command, std::vector<std::string> options) {
    std::vector<std::string> words{"run"};
    words.insert(words.end(), options.begin(), options.end());
    words.push_back("--");
    words.insert(words.end(), command.begin(), command.end());
    return words;
  }
  std::string types() {
    const BtfBlob blob = test_host_btf_blob();
    const std::string path = folder_ + "/types";
    std::ofstream(path, std::ios::binary).write(static_cast<const char*>(blob.data), static_cast<std::streamsize>(blob.size));
    return path;
  }
};

}  // namespace ring3::test
