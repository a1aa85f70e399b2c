// How many cases of each object pass, as a table in Markdown: docs/verifier.md has it.
#pragma once

#include <map>
#include <string>

namespace ring3::conformance {

class FileTable {
 public:
  void judged(const std::string& object, bool unprivileged, bool passed);
  /// Objects all of whose cases pass are named together.
  std::string text() const;

 private:
  struct Count {
    int cases = 0, passed = 0;
  };
  struct Row {
    Count modes[2];  // with rights, without
    bool complete() const { return modes[0].cases == modes[0].passed && modes[1].cases == modes[1].passed; }
  };
  std::map<std::string, Row> rows_;
};

}  // namespace ring3::conformance
