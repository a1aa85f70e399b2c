// One of the engines that random programs are compared on: bpf(2) of somebody, with maps of every kind that such programs
// use, brought to the same state before each run.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "host_names.h"
#include "program_generator.h"
#include "tests/support/kernel_load.h"

namespace ring3::native {

/// What a run leaves.
struct RunResult {
  long error = 0;
  std::uint32_t retval = 0;
  std::vector<std::uint8_t> maps;  // what is in them, in a fixed order; of per-CPU values, whatever CPU has which

  bool operator==(const RunResult&) const = default;
  std::string text() const;
};

class EngineSide {
 public:
  EngineSide() = default;
  ~EngineSide();
  EngineSide(const EngineSide&) = delete;
  EngineSide& operator=(const EngineSide&) = delete;

  /// names: of what programs find there. Negative errno: it makes no maps, or takes no programs.
  long open(Bpf bpf, const HostNames& names);
  /// Whether all functions and types that the program names are there.
  bool has_names_of(const RandomProgram& program) const;
  /// A descriptor, or a negative errno. with_log: log() gets the text.
  long load(const RandomProgram& program, bool with_log);
  const std::string& log() const { return log_; }
  RunResult run(long prog);

 private:
  long create(std::uint32_t type, std::uint32_t key_bytes, std::uint32_t value_bytes, std::uint32_t entries, long inner = -1);
  long update(long map, const void* key, const void* value);
  bool lookup(long map, const void* key, void* value);
  long load_types();
  long map_ring();
  long fill();
  long fill_hash(MapNumber number);
  long fill_array(long map, std::uint32_t values, std::uint64_t seed);
  long fill_queue();
  void read_maps(std::vector<std::uint8_t>& into);
  void read_ring(std::vector<std::uint8_t>& into);
  void read(long map, const void* key, bool per_cpu, std::vector<std::uint8_t>& into);

  Bpf bpf_;
  std::array<long, kMapNumbersEnd> maps_{};
  std::array<long, 2> inner_{-1, -1};
  long types_ = -1;
  HostNames names_;
  std::uint64_t* consumed_ = nullptr;       // the ring's pages, as its readers see them
  const std::uint8_t* produced_ = nullptr;
  std::vector<long> fds_;
  std::string log_;
};

}  // namespace ring3::native
