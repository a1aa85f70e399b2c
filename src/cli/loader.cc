#include "cli/loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <vector>

#include "cli/libbpf_words.h"
#include "cli/object_file.h"
#include "cli/ops_link.h"
#include "cli/signed_loader.h"
#include "control/libbpf_door.h"

namespace ring3::cli {
namespace {

std::uint64_t real_time_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

std::string sha256_hex(const std::vector<std::byte>& bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr) != 1) return {};
  std::string hex;
  for (unsigned i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

bool is_ops(const bpf_map* map) { return bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS; }

/// libbpf's errno for something the host does not have.
ExitCode exit_code_of_libbpf(int error, std::string_view words) {
  if (words.find("not found in kernel") != std::string_view::npos || words.find("incompatible") != std::string_view::npos)
    return ExitCode::kIncompatible;
  switch (error) {
    case EPERM:
    case EACCES:
    case EBADMSG:  // signatures
    case EKEYREJECTED:
    case ENOKEY: return ExitCode::kDenied;
    case ESRCH:
    case ENOTSUP:
    case static_cast<int>(Errno::kNotSupp): return ExitCode::kIncompatible;
    case ECONNREFUSED: return ExitCode::kUnreachable;
    default: return ExitCode::kFailed;
  }
}

}  // namespace

std::string module_name_of(std::string_view path) {
  path.remove_prefix(path.find_last_of('/') + 1);  // npos + 1 is 0
  std::string name(path.substr(0, path.find('.')));
  std::replace_if(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '_' && c != '-'; }, '_');
  return name.substr(0, 31);
}

Loader::~Loader() {
  for (const int link : links_) ::close(link);
  for (const int map : maps_) ::close(map);
  for (const auto& [name, program] : programs_) ::close(program);
  bpf_object__close(object_);
  (void)control::route_libbpf(nullptr);
}

std::optional<LoadFailure> Loader::load(LoadRequest request) {
  name_ = request.name.empty() ? module_name_of(request.object_path) : request.name;
  const LibbpfWords words(request.verbose);
  words_ = &words;
  began_ns_ = real_time_ns();
  if (const Result<void> begun = client_.begin(); !begun.ok())
    return LoadFailure{exit_code_of(begun.error()), client_.text().empty() ? std::string(errno_name(begun.error())) : client_.text()};
  Step failure = open(request);
  const auto then = [&](auto step) {
    if (!failure.has_value()) failure = step();
  };
  then([&] { return create(); });
  then([&] { return attach(); });
  then([&] { return pin(request); });
  then([&] { return commit(request); });
  if (failure.has_value()) {
    // What libbpf has to say explains an errno of its own; the host's report stands before it.
    if (failure->code != ExitCode::kRefused) failure->words += words.warnings();
    (void)client_.abort();
  }
  words_ = nullptr;
  return failure;
}

Loader::Step Loader::open(const LoadRequest& request) {
  std::string why;
  const Result<std::vector<std::byte>> file = read_object_file(request.object_path, why);
  if (!file.ok()) return LoadFailure{exit_code_of_file(file.error()), why};
  std::vector<std::byte> bytes = *file;
  digest_ = sha256_hex(bytes);
  if (is_signed_loader(bytes)) return run_signed(bytes);
  ObjectNotes notes;
  if (const std::string wrong = prepare_object(bytes, notes); !wrong.empty())
    return LoadFailure{ExitCode::kFailed, fmt::format("{}: {}\n", request.object_path, wrong)};
  if (const Result<void> routed = control::route_libbpf(&client_); !routed.ok())
    return LoadFailure{exit_code_of(routed.error()), fmt::format("the host's types: {}\n", errno_name(routed.error()))};
  bpf_object_open_opts options{};
  options.sz = sizeof options;
  options.object_name = name_.c_str();
  object_ = bpf_object__open_mem(bytes.data(), bytes.size(), &options);
  if (object_ == nullptr) return LoadFailure{ExitCode::kFailed, fmt::format("{}: {}\n", request.object_path, std::strerror(errno))};
  mark_sleepable(object_, notes);
  bpf_map* map = nullptr;
  while ((map = bpf_object__next_map(object_, map)) != nullptr) {
    if (!is_ops(map)) continue;
    bpf_map__set_map_flags(map, bpf_map__map_flags(map) | ops_link_flag());
    const bool wanted = std::find(request.ops.begin(), request.ops.end(), bpf_map__name(map)) != request.ops.end();
    bpf_map__set_autocreate(map, notes.struct_ops_autocreate || wanted);
  }
  return std::nullopt;
}

Loader::Step Loader::create() {
  if (object_ == nullptr) return std::nullopt;
  const int result = bpf_object__load(object_);
  if (result == 0) return std::nullopt;
  return refused_step("load", -result);
}

Loader::Step Loader::run_signed(std::span<const std::byte> file) {
  const Result<SignedLoader> loader = unpack(file);
  if (!loader.ok()) return LoadFailure{ExitCode::kFailed, "the signed loader is damaged\n"};
  LoadedObjects made;
  std::string step;
  const long done = run_signed_loader(client_, *loader, made, step);
  maps_ = std::move(made.maps);
  for (std::size_t i = 0; i < made.programs.size(); ++i) programs_.emplace_back(loader->programs[i], made.programs[i]);
  if (done < 0) return refused_step(step, static_cast<int>(-done));
  return std::nullopt;
}

/// Fills each table and makes a link that waits for the commit.
Loader::Step Loader::attach() {
  bpf_map* map = nullptr;
  while (object_ != nullptr && (map = bpf_object__next_map(object_, map)) != nullptr) {
    if (!is_ops(map) || !bpf_map__autocreate(map)) continue;
    const std::string table = bpf_map__name(map);
    // Writes the table into the map, and no more: libbpf 1.1 knows nothing of links for struct_ops.
    bpf_link* written = bpf_map__attach_struct_ops(map);
    if (written == nullptr) return refused_step("struct_ops " + table, errno);
    bpf_link__disconnect(written);
    bpf_link__destroy(written);
    const long link = create_ops_link(client_, bpf_map__fd(map));
    if (link < 0) return refused_step("link of " + table, static_cast<int>(-link));
    links_.push_back(static_cast<int>(link));
    link_names_.push_back(table);
  }
  return std::nullopt;
}

/// The links, or without any the programs, under PATH; several get their name added.
Loader::Step Loader::pin(const LoadRequest& request) {
  if (request.lifetime != module::Lifetime::kPinned) return std::nullopt;
  std::vector<std::pair<std::string, int>> pinned;
  for (std::size_t i = 0; i < links_.size(); ++i) pinned.emplace_back(link_names_[i], links_[i]);
  if (object_ == nullptr) pinned = programs_;
  bpf_program* program = nullptr;
  while (object_ != nullptr && links_.empty() && (program = bpf_object__next_program(object_, program)) != nullptr)
    pinned.emplace_back(bpf_program__name(program), bpf_program__fd(program));
  const std::string path = request.pin.empty() ? "/sys/fs/bpf/" + name_ : request.pin;
  for (const auto& [name, fd] : pinned) {
    const std::string place = pinned.size() == 1 ? path : path + "_" + name;
    if (bpf_obj_pin(fd, place.c_str()) != 0) return refused_step("pin " + place, errno);
  }
  return std::nullopt;
}

Loader::Step Loader::commit(const LoadRequest& request) {
  control::ModuleLoad load;
  load.name = name_;
  load.lifetime = request.lifetime;
  load.replaces = request.replaces;
  load.source = request.object_path.substr(request.object_path.find_last_of('/') + 1);
  load.digest = digest_;
  const Result<std::uint32_t> id = control::commit(client_, load);
  if (id.ok()) {
    id_ = *id;
    return std::nullopt;
  }
  const std::string text = client_.text();
  return LoadFailure{exit_code_of(id.error()), text.empty() ? fmt::format("commit: {}\n", errno_name(id.error())) : text};
}

/// The host has refused what libbpf asked last: its report for people if it is the verifier's, else its log.
Loader::Step Loader::refused_step(std::string_view what, int error) {
  if (!client_.connected()) return LoadFailure{ExitCode::kUnreachable, "the host is gone\n"};
  const std::string report = client_.text();
  if (report.find("refused: ") != std::string::npos) return LoadFailure{ExitCode::kRefused, report};
  const std::string words = report + host_log();
  return LoadFailure{exit_code_of_libbpf(error, words + words_->warnings()),
                     fmt::format("{}: {}\n{}", what, errno_name(static_cast<Errno>(error)), words)};
}

std::string Loader::host_log() {
  std::string text;
  std::uint64_t position = 0;
  for (;;) {
    const Result<std::vector<control::HostLogLine>> lines = client_.log(position, false);
    if (!lines.ok() || lines->empty()) return text;
    for (const control::HostLogLine& line : *lines)
      if (line.time_ns >= began_ns_ && line.severity <= Severity::kInfo) text += "host: " + line.text + "\n";
    position = lines->back().position + 1;
  }
}

}  // namespace ring3::cli
