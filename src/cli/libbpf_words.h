// What libbpf says while it works, kept for the report of a failure. Process-wide, as libbpf's print hook is.
#pragma once

#include <string>

namespace ring3::cli {

class LibbpfWords {
 public:
  /// echo: also on stderr, as it comes.
  explicit LibbpfWords(bool echo);
  ~LibbpfWords();
  LibbpfWords(const LibbpfWords&) = delete;
  LibbpfWords& operator=(const LibbpfWords&) = delete;

  /// Warnings so far without the verifier logs in them, lines.
  std::string warnings() const;
  /// Some program did not load.
  bool program_failed() const;
};

}  // namespace ring3::cli
