#include "file_table.h"

namespace ring3::conformance {
namespace {

constexpr std::size_t kColumns = 130;

}  // namespace

void FileTable::judged(const std::string& object, bool unprivileged, bool passed) {
  Count& count = rows_[object].modes[unprivileged ? 1 : 0];
  ++count.cases;
  count.passed += passed ? 1 : 0;
}

std::string FileTable::text() const {
  const auto cell = [](const Count& count) {
    return count.cases == 0 ? std::string() : std::to_string(count.passed) + " of " + std::to_string(count.cases);
  };
  std::string complete, table = "| object | with rights | without rights |\n|---|---|---|\n";
  int objects = 0;
  std::size_t line = 0;  // width so far
  for (const auto& [object, row] : rows_) {
    if (row.complete()) {
      ++objects;
      const std::string entry = object + " " + std::to_string(row.modes[0].cases) +
                                (row.modes[1].cases == 0 ? "" : "+" + std::to_string(row.modes[1].cases));
      const bool wraps = line + entry.size() + 2 > kColumns;
      complete += complete.empty() ? "" : wraps ? ",\n" : ", ";
      line = wraps ? entry.size() : line + entry.size() + 2;
      complete += entry;
    } else {
      table += "| " + object + " | " + cell(row.modes[0]) + " | " + cell(row.modes[1]) + " |\n";
    }
  }
  return "All cases pass in " + std::to_string(objects) + " objects (cases with rights + without):\n" + complete + ".\n\n" + table;
}

}  // namespace ring3::conformance
