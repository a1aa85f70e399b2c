// A host in this process, driven by the real `ring3` command in processes of its own.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/control_world.h"

namespace ring3::test {

struct Outcome {
  int code = -1;  // exit code, or the negated signal
  std::string out, err;
  bool says(std::string_view text) const { return (out + err).find(text) != std::string::npos; }
};

inline std::ostream& operator<<(std::ostream& to, const Outcome& o) {
  return to << "exit code " << o.code << "\n" << o.out << o.err;
}

/// A running command; its output goes to files in the test's folder.
class Command {
 public:
  Command(const std::vector<std::string>& words, std::string folder) : folder_(std::move(folder)) {
    static std::atomic<int> count{0};
    stem_ = folder_ + "/" + std::to_string(++count);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 1, (stem_ + ".out").c_str(), O_WRONLY | O_CREAT, 0600);
    ::posix_spawn_file_actions_addopen(&files, 2, (stem_ + ".err").c_str(), O_WRONLY | O_CREAT, 0600);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    EXPECT_EQ(::posix_spawn(&pid_, RING3_COMMAND, &files, nullptr, arguments.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&files);
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  ~Command() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      (void)wait();
    }
    (void)std::remove((stem_ + ".out").c_str());
    (void)std::remove((stem_ + ".err").c_str());
  }

  pid_t pid() const { return pid_; }
  void kill(int signal) { ::kill(pid_, signal); }
  Outcome wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), out(), read(stem_ + ".err")};
  }
  std::string out() const { return read(stem_ + ".out"); }

 private:
  static std::string read(const std::string& path) {
    std::ifstream file(path);
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  }
  std::string folder_, stem_;
  pid_t pid_ = -1;
};

class CliWorld : public ControlWorld {
 protected:
  std::unique_ptr<Command> start(std::vector<std::string> words) {
    words.insert(words.begin(), {"ring3", "-H", path_});
    return std::make_unique<Command>(words, folder_);
  }
  Outcome ring3(std::vector<std::string> words) { return start(std::move(words))->wait(); }
  static std::string object(const std::string& name) { return std::string(RING3_MODULE_DIR "/") + name + ".bpf.o"; }

  /// What the host's policy answers for 0: the native one 0, policy_one 1, policy_two 2.
  __u64 choose() {
    auto guard = policy_.enter();
    return guard->choose(0);
  }
};

}  // namespace ring3::test
