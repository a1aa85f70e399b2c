// A client's log buffer (behaviour.md C.6.4): verifier and BTF text go in, what the client may see
// comes out. Two modes: rolling keeps the tail, fixed keeps the head. The true size counts every byte
// that was written plus the final NUL, whether or not it was kept. Memory use is bounded by twice the
// size the client asked for. One command, one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/text_sink.h"
#include "ring3/result.h"
#include "verifier/log_sink.h"
#include "verifier/verifier.h"

namespace ring3::prog {

class LogBuffer final : public verifier::LogSink, public TextSink {
 public:
  /// No log wanted: everything is counted for nobody.
  LogBuffer() = default;
  /// has_buffer false with a level: nothing is kept, the needed size is still reported.
  LogBuffer(std::uint32_t log_level, std::uint32_t size_bytes, bool has_buffer);

  /// The attribute rules alone. Errors: kInval buffer without length or the reverse, buffer without
  /// level, unknown level bits, length of a quarter of 2^32 or more.
  static Result<void> check_attr(std::uint32_t log_level, std::uint32_t size_bytes, bool has_buffer);

  void write(std::string_view text) override;
  void rejected(const verifier::Rejection& why) override { rejection_ = why; }
  void measured(const verifier::Stats& stats) override { stats_ = stats; }

  /// What the client's buffer receives, final NUL included; empty without a buffer.
  std::string image() const;
  /// Bytes a complete log needs, final NUL included; 0 when no log was wanted.
  std::uint32_t true_size() const;
  /// The log did not fit: the command answers kNoSpc even when the object itself was fine.
  bool truncated() const;
  /// The refusal as facts for a reader that wants more than the log.
  const std::optional<verifier::Rejection>& rejection() const { return rejection_; }
  /// What verification took; nothing when it was not reached.
  const std::optional<verifier::Stats>& stats() const { return stats_; }

 private:
  std::uint32_t size_bytes_ = 0;
  bool has_buffer_ = false;
  std::uint64_t written_bytes_ = 0;
  std::string kept_;
  std::optional<verifier::Rejection> rejection_;
  std::optional<verifier::Stats> stats_;
};

}  // namespace ring3::prog
