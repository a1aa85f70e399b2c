#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace ring3::cli {

void Table::row(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = terminal_text(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = columns_[c].heading.size();
    for (const auto& cells : rows_) width = std::max(width, cells[c].size());
    widths.push_back(width);
  }
  std::string out;
  const auto add_line = [&](auto cell) {
    std::string line;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (c > 0) line += "  ";
      const std::string& text = cell(c);
      line += columns_[c].align == Align::kRight ? fmt::format("{:>{}}", text, widths[c]) : fmt::format("{:<{}}", text, widths[c]);
    }
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  };
  add_line([&](std::size_t c) -> const std::string& { return columns_[c].heading; });
  for (const auto& cells : rows_) add_line([&](std::size_t c) -> const std::string& { return cells[c]; });
  return out;
}

std::string terminal_text(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto at = [&](std::size_t n) { return n < text.size() ? static_cast<unsigned char>(text[n]) : 0u; };
    const unsigned c = at(i);
    // The second half of control characters, U+0080 to U+009F, has two bytes.
    if (c == 0xc2 && at(i + 1) >= 0x80 && at(i + 1) <= 0x9f) out += fmt::format("\\x{:02x}", at(++i));
    else if (c < 0x20 || c == 0x7f) out += fmt::format("\\x{:02x}", c);
    else out += text[i];
  }
  return out;
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes);
  double scaled = static_cast<double>(bytes);
  const char* unit = "KMGT";
  for (scaled /= 1024; scaled >= 1024 && unit[1] != '\0'; ++unit) scaled /= 1024;
  return fmt::format("{:.1f}{}", scaled, *unit);
}

std::string age_text(std::uint64_t ns) {
  const std::uint64_t s = ns / 1'000'000'000;
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  return fmt::format("{}d{:02}h", s / 86400, s / 3600 % 24);
}

}  // namespace ring3::cli
