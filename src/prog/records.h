// Arrays of records whose size the client chooses (func_info, line_info, core_relos).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "ring3/result.h"
#include "verifier/log_sink.h"

namespace ring3::prog {

inline constexpr std::uint32_t kMaxRecordBytes = 252;

/// Of records of rec_size bytes, of which the first known_bytes are known, one says something behind those.
inline bool has_unknown_tail(std::span<const std::byte> bytes, std::uint32_t rec_size, std::size_t known_bytes) {
  if (rec_size <= known_bytes) return false;
  for (std::size_t off = 0; off + rec_size <= bytes.size(); off += rec_size) {
    const auto tail = bytes.subspan(off + known_bytes, rec_size - known_bytes);
    if (std::any_of(tail.begin(), tail.end(), [](std::byte b) { return b != std::byte{0}; })) return true;
  }
  return false;
}

/// Splits `bytes` into records of rec_size and copies the known head of each; the tail must be zero.
/// Errors: kInval the size; kTooBig a tail. what: for the log.
template <typename Record>
Result<std::vector<Record>> split_records(std::span<const std::byte> bytes, std::uint32_t rec_size, const char* what,
                                          verifier::LogSink& log) {
  std::vector<Record> records;
  if (bytes.empty()) return records;
  if (rec_size < sizeof(Record) || rec_size > kMaxRecordBytes || rec_size % 4 != 0) {
    log.write(std::string("invalid ") + what + " rec size " + std::to_string(rec_size) + "\n");
    return Errno::kInval;
  }
  for (std::size_t off = 0; off + rec_size <= bytes.size(); off += rec_size) {
    const auto tail = bytes.subspan(off + sizeof(Record), rec_size - sizeof(Record));
    if (std::any_of(tail.begin(), tail.end(), [](std::byte b) { return b != std::byte{0}; })) {
      log.write(std::string("nonzero tailing record in ") + what + "\n");
      return Errno::kTooBig;
    }
    Record& record = records.emplace_back();
    std::memcpy(&record, bytes.data() + off, sizeof(Record));
  }
  return records;
}

}  // namespace ring3::prog
