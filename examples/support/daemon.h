// What the examples' main programs share and no host needs ring3 for: lines that begin with the program's name, and the wish to end.
#pragma once

#include <signal.h>
#include <sys/signalfd.h>

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "ring3/log.h"

namespace examples {

/// What ring3 has to tell, line by line as it comes: `program: module: text`.
class PrintedLog final : public ring3::Log {
 public:
  PrintedLog(std::FILE* out, std::string program) : out_(out), program_(std::move(program)) {}
  void line(ring3::Severity, std::string_view module, std::string_view text) override {
    std::fprintf(out_, "%s: %.*s%s%.*s\n", program_.c_str(), static_cast<int>(module.size()), module.data(),
                 module.empty() ? "" : ": ", static_cast<int>(text.size()), text.data());
    std::fflush(out_);
  }

 private:
  std::FILE* const out_;
  const std::string program_;
};

/// A descriptor that is readable when the process is asked to end. Before any thread starts: threads inherit the mask.
inline int stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  return signalfd(-1, &signals, SFD_CLOEXEC);
}

/// Says why the program cannot go on. Its exit code.
inline int fail(std::string_view program, std::string_view why) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(program.size()), program.data(), static_cast<int>(why.size()), why.data());
  return 1;
}

}  // namespace examples
