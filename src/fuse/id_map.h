// User and group ids across a user namespace: FUSE speaks in the ids of the namespace that mounted, the host in its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string_view>
#include <vector>

namespace ring3::fuse {

class IdMap {
 public:
  /// Text of /proc/self/uid_map: lines of (inside, outside, count).
  static IdMap parse(std::string_view text);
  /// A map of a process; the ids themselves where it cannot be read.
  static IdMap of_file(const char* path);

  bool has(std::uint32_t inside) const;
  std::uint32_t to_host(std::uint32_t inside) const { return map(inside, &Range::inside, &Range::outside); }
  std::uint32_t from_host(std::uint32_t outside) const { return map(outside, &Range::outside, &Range::inside); }

 private:
  static constexpr std::uint32_t kNobody = 65534;
  struct Range {
    std::uint32_t inside, outside, count;
  };
  std::uint32_t map(std::uint32_t id, std::uint32_t Range::* from, std::uint32_t Range::* to) const;
  std::vector<Range> ranges_;
};

}  // namespace ring3::fuse
