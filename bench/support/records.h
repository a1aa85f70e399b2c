// What benchmarks have in common: their options, their clocks, and the records they leave: {name, value, unit, ratio_to}.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ring3::bench {

struct CommonOptions {
  std::uint32_t rounds = 11;
  std::string json;  // where the records go; empty: nowhere
};
/// --rounds N and --json FILE.
void add_common_options(CLI::App& app, CommonOptions& options);

/// CPU time of this thread, which others on the machine do not change.
double thread_ns();
double monotonic_ns();

/// 0 of none.
double median(std::vector<double> values);

/// The geometric mean of what was added; absent before anything was.
class Geomean {
 public:
  void add(double ratio);
  std::optional<double> value() const;
  int count() const { return count_; }

 private:
  double logs_ = 0;
  int count_ = 0;
};

class Records {
 public:
  /// Side and value / its value. A side that could not be measured is left out.
  using Ratios = std::vector<std::pair<std::string, std::optional<double>>>;

  void add(std::string name, double value, std::string unit, Ratios ratio_to = {});
  /// An array of JSON objects. False: the file cannot be written, said on stderr. An empty path: nothing to do.
  bool write(const std::string& path) const;

 private:
  struct Record {
    std::string name;
    double value;
    std::string unit;
    Ratios ratio_to;
  };
  std::vector<Record> records_;
};

}  // namespace ring3::bench
