// Loads one object file into a host with libbpf, as one transaction: begin, the object's maps and programs, its
// struct_ops tables filled, their links pending, commit. Until the commit nothing is visible, and when this
// process ends early the host forgets it all.
//
// The object may be a signed loader as well (signed_loader.h), which makes maps and programs itself.
//
// Every struct_ops map is made for a link (BPF_F_LINK), whatever section it stands in: the other flavour would
// take effect before the commit.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cli/exit_code.h"
#include "control/client.h"
#include "control/module_client.h"

struct bpf_object;

namespace ring3::cli {

class LibbpfWords;

struct LoadRequest {
  std::string object_path;
  std::string name;                // of the module; "": of the file
  std::string replaces;            // "" none
  module::Lifetime lifetime = module::Lifetime::kResident;
  std::string pin;                 // kPinned: where; "": /sys/fs/bpf/NAME
  std::vector<std::string> ops;    // tables of a '?' section to make after all
  bool verbose = false;            // libbpf's own words on stderr
};

struct LoadFailure {
  ExitCode code = ExitCode::kFailed;
  std::string words;  // for people, lines
};

class Loader {
 public:
  explicit Loader(control::Client& client) : client_(client) {}
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  /// Empty: the module stands; id() is its id. The objects' descriptors are open until the loader ends.
  std::optional<LoadFailure> load(LoadRequest request);
  std::uint32_t id() const { return id_; }
  const std::string& name() const { return name_; }

 private:
  using Step = std::optional<LoadFailure>;
  Step open(const LoadRequest& request);
  Step create();
  /// In the place of open(), create() and attach().
  Step run_signed(std::span<const std::byte> file);
  Step attach();
  Step pin(const LoadRequest& request);
  Step commit(const LoadRequest& request);
  Step refused_step(std::string_view what, int error);
  /// What the host's log said since the load began.
  std::string host_log();

  control::Client& client_;
  const LibbpfWords* words_ = nullptr;  // while load() runs
  bpf_object* object_ = nullptr;
  std::vector<int> links_, maps_;
  std::vector<std::pair<std::string, int>> programs_;  // with maps_: what a signed loader made
  std::vector<std::string> link_names_;
  std::string name_;
  std::string digest_;
  std::uint64_t began_ns_ = 0;
  std::uint32_t id_ = 0;
};

/// "s3fifo" of "/x/s3fifo.bpf.o": what a module may be called.
std::string module_name_of(std::string_view path);

}  // namespace ring3::cli
