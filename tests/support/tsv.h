// Tables of data/: a heading line, then rows of cells between tabs.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace ring3::test {

using TsvRow = std::map<std::string, std::string>;  // cells by heading; cells that are left out at the end are empty

/// Empty when the file cannot be read.
inline std::vector<TsvRow> read_tsv(const std::string& path) {
  std::ifstream in(path);
  std::vector<TsvRow> rows;
  std::vector<std::string> heading;
  for (std::string line; std::getline(in, line);) {
    std::vector<std::string> cells;
    std::istringstream fields(line);
    for (std::string cell; std::getline(fields, cell, '\t');) cells.push_back(cell);
    if (heading.empty()) {
      heading = cells;
      continue;
    }
    TsvRow row;
    for (std::size_t i = 0; i < heading.size(); ++i) row[heading[i]] = i < cells.size() ? cells[i] : "";
    rows.push_back(row);
  }
  return rows;
}

inline std::uint32_t number(const std::string& text) { return static_cast<std::uint32_t>(std::stoul(text)); }

}  // namespace ring3::test
