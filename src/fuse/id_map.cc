#include "fuse/id_map.h"

#include <cstdio>
#include <limits>
#include <string>

namespace ring3::fuse {

IdMap IdMap::parse(std::string_view text) {
  IdMap out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string line(text.substr(0, end));
    Range range{};
    if (std::sscanf(line.c_str(), "%u %u %u", &range.inside, &range.outside, &range.count) == 3)
      out.ranges_.push_back(range);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  if (out.ranges_.empty()) out.ranges_.push_back({0, 0, std::numeric_limits<std::uint32_t>::max()});
  return out;
}

IdMap IdMap::of_file(const char* path) {
  std::string text;
  if (std::FILE* file = std::fopen(path, "re")) {
    char piece[512];
    for (std::size_t n; (n = std::fread(piece, 1, sizeof piece, file)) > 0;) text.append(piece, n);
    std::fclose(file);
  }
  return parse(text);
}

bool IdMap::has(std::uint32_t inside) const {
  for (const Range& range : ranges_)
    if (inside >= range.inside && inside - range.inside < range.count) return true;
  return false;
}

std::uint32_t IdMap::map(std::uint32_t id, std::uint32_t Range::* from, std::uint32_t Range::* to) const {
  for (const Range& range : ranges_)
    if (id >= range.*from && id - range.*from < range.count) return range.*to + (id - range.*from);
  return kNobody;
}

}  // namespace ring3::fuse
