#include "bench/support/records.h"

#include <ctime>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

#include <nlohmann/json.hpp>

namespace ring3::bench {
namespace {

double read_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Four digits after the point are more than any run repeats.
double rounded(double value) { return std::round(value * 1e4) / 1e4; }

}  // namespace

void add_common_options(CLI::App& app, CommonOptions& options) {
  app.add_option("--rounds", options.rounds, "interleaved rounds of all sides")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--json", options.json, "write the records to FILE")->type_name("FILE");
}

double thread_ns() { return read_ns(CLOCK_THREAD_CPUTIME_ID); }
double monotonic_ns() { return read_ns(CLOCK_MONOTONIC); }

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void Geomean::add(double ratio) {
  logs_ += std::log(ratio);
  ++count_;
}

std::optional<double> Geomean::value() const {
  if (count_ == 0) return std::nullopt;
  return std::exp(logs_ / count_);
}

void Records::add(std::string name, double value, std::string unit, Ratios ratio_to) {
  records_.push_back({std::move(name), value, std::move(unit), std::move(ratio_to)});
}

bool Records::write(const std::string& path) const {
  if (path.empty()) return true;
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const Record& record : records_) {
    nlohmann::ordered_json one = {{"name", record.name}, {"value", rounded(record.value)}, {"unit", record.unit}};
    for (const auto& [side, ratio] : record.ratio_to)
      if (ratio) one["ratio_to"][side] = rounded(*ratio);
    all.push_back(std::move(one));
  }
  std::ofstream out(path);
  out << all.dump(1) << "\n";
  out.close();
  if (!out) std::fprintf(stderr, "%s: cannot be written\n", path.c_str());
  return static_cast<bool>(out);
}

}  // namespace ring3::bench
