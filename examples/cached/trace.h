// A trace that tells eviction policies apart: Zipf-distributed keys, mixed with sequential scans of keys that are
// never asked for again. LRU lets a scan flush the hot set; a scan-resistant policy does not. The seed is fixed,
// so two traces of one shape are the same.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

namespace cached {

struct TraceShape {
  long keys = 100'000;
  double skew = 0.9;
  long scan_every = 20'000;  // requests; 0: no scans
  long scan_length = 4'000;  // requests at the end of each
};

class Trace {
 public:
  explicit Trace(const TraceShape& shape) : shape_(shape), cumulative_(static_cast<std::size_t>(shape.keys)) {
    double sum = 0;
    for (std::size_t rank = 0; rank < cumulative_.size(); ++rank) {
      sum += 1.0 / std::pow(static_cast<double>(rank + 1), shape.skew);
      cumulative_[rank] = sum;
    }
  }

  std::string next() {
    const long place = asked_++;
    if (shape_.scan_every > 0 && place % shape_.scan_every >= shape_.scan_every - shape_.scan_length)
      return "scan:" + std::to_string(scanned_++);
    return "key:" + std::to_string(rank());
  }

 private:
  /// Rank r with probability proportional to 1 / (r + 1)^skew.
  long rank() {
    std::uniform_real_distribution<double> uniform(0, cumulative_.back());
    return std::lower_bound(cumulative_.begin(), cumulative_.end(), uniform(random_)) - cumulative_.begin();
  }

  const TraceShape shape_;
  std::vector<double> cumulative_;
  std::mt19937_64 random_{42};
  long asked_ = 0, scanned_ = 0;
};

}  // namespace cached
