// What an open file reads: text that is made as it is read, in order, without a snapshot of what it shows.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "ring3/result.h"

namespace ring3::bpffs {

class TextSource {
 public:
  virtual ~TextSource() = default;
  /// Appends some more, about a page or one item; appends nothing at the end.
  virtual Result<void> more(std::string& out) = 0;
};

/// Text that was there when the file was opened.
class WholeText final : public TextSource {
 public:
  explicit WholeText(std::string text) : text_(std::move(text)) {}
  Result<void> more(std::string& out) override {
    out.append(std::exchange(text_, {}));
    return {};
  }

 private:
  std::string text_;
};

}  // namespace ring3::bpffs
