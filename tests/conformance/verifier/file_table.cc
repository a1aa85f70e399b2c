#include "file_table.h"

namespace ring3::conformance {

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
  for (const auto& [object, row] : rows_) {
    if (row.complete()) {
      ++objects;
      complete += (complete.empty() ? "" : ", ") + object + " " + std::to_string(row.modes[0].cases) +
                  (row.modes[1].cases == 0 ? "" : "+" + std::to_string(row.modes[1].cases));
    } else {
      table += "| " + object + " | " + cell(row.modes[0]) + " | " + cell(row.modes[1]) + " |\n";
    }
  }
  return "All cases pass in " + std::to_string(objects) + " objects (cases with rights + without): " + complete + ".\n\n" + table;
}

}  // namespace ring3::conformance
