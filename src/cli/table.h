// Columns as wide as their widest cell, two spaces between them; the last one is not filled up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ring3::cli {

class Table {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };
  struct Column {
    std::string heading;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// As many cells as columns; shown as terminal_text().
  void row(std::vector<std::string> cells);
  std::string text() const;

 private:
  const std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// What clients chose goes to an operator's terminal: characters that could control one are written as \x1b.
std::string terminal_text(std::string_view text);
/// "640", "12.5K", "3.0M".
std::string bytes_text(std::uint64_t bytes);
/// "12s", "5m03s", "2h07m", "3d04h".
std::string age_text(std::uint64_t ns);

}  // namespace ring3::cli
