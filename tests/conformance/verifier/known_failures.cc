#include "known_failures.h"

#include <cstdio>
#include <fstream>

namespace ring3::conformance {

bool KnownFailures::read(const std::string& file, std::string& problem) {
  std::ifstream in(file);
  if (!in) {
    problem = file + ": cannot be read";
    return false;
  }
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    const auto colon = line.find(": ");
    if (colon == std::string::npos || line.find('/') > colon || colon + 2 == line.size()) {
      problem = file + ":" + std::to_string(number) + ": not \"object/program: reason\"";
      return false;
    }
    if (!reasons_.emplace(line.substr(0, colon), line.substr(colon + 2)).second) {
      problem = file + ":" + std::to_string(number) + ": named twice";
      return false;
    }
  }
  return true;
}

void KnownFailures::judged(const std::string& name, const std::string& reason) {
  const bool known = reasons_.count(name) != 0;
  if (!reason.empty() && !known) new_failures_[name] = reason.substr(0, reason.find('\n'));
  if (reason.empty() && known) new_passes_.insert(name);
}

bool KnownFailures::report() const {
  for (const auto& [name, reason] : new_failures_)
    std::printf("fails, and is not in the list: %s: %s\n", name.c_str(), reason.c_str());
  for (const std::string& name : new_passes_)
    std::printf("passes, but is in the list (%s): %s\n", reasons_.at(name).c_str(), name.c_str());
  return new_failures_.empty() && new_passes_.empty();
}

std::string KnownFailures::corrected() const {
  std::map<std::string, std::string> lines = reasons_;
  for (const std::string& name : new_passes_) lines.erase(name);
  lines.insert(new_failures_.begin(), new_failures_.end());
  std::string text = "# Cases of the kernel's selftests that are known to fail (scripts/conformance verifier --bless).\n";
  for (const auto& [name, reason] : lines) text += name + ": " + reason + "\n";
  return text;
}

}  // namespace ring3::conformance
