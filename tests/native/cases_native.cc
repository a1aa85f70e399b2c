// The running kernel as oracle for tests/cases/verifier: every case is loaded there too, and must meet the verdict the case
// states; its log is compared when the kernel is a 6.12, whose words the cases use. Only BPF_MAP_CREATE and BPF_PROG_LOAD of
// programs without a target are used, nothing is attached or run.
//
//   ring3_cases_native DIR…           compares; exit code 77 where bpf(2) loads nothing
//   ring3_cases_native --show DIR…    prints what the kernel says of each case instead
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/owned_fd.h"
#include "isa/decode.h"
#include "ring3/errno.h"
#include "tests/support/case_program.h"
#include "uapi/bpf.h"

namespace ring3::test {
namespace {

using namespace uapi;

struct Answer {
  int error = 0;  // 0: accepted
  std::string log;
  std::string verdict() const {
    return error == 0 ? "accept" : "reject " + std::string(errno_name(static_cast<Errno>(error)));
  }
};

int create_map(const model::MapFacts& map, const std::vector<OwnedFd>& made) {
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.map_type = map.type;
  attr.key_size = map.key_size;
  attr.value_size = map.value_size;
  attr.max_entries = map.max_entries;
  attr.map_flags = map.flags;
  if (map.inner != nullptr) attr.inner_map_fd = static_cast<std::uint32_t>(made[map.inner->id - 1].get());
  map.name.copy(reinterpret_cast<char*>(attr.map_name), BPF_OBJ_NAME_LEN - 1);
  return static_cast<int>(syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof attr));
}

/// Empty: a map cannot be made here.
std::vector<OwnedFd> create_maps(const CaseProgram& program) {
  std::vector<OwnedFd> fds;
  for (const model::MapFacts& map : program.maps) {
    const int fd = create_map(map, fds);
    if (fd < 0) return {};
    fds.emplace_back(fd);
  }
  return fds;
}

constexpr std::uint8_t kWideCode = 0x18;
constexpr std::uint8_t kMapFd = 1, kMapValue = 2, kFunction = 4;

/// level: 2 shows how accepted programs were walked, 4 no more than figures.
Answer load(const CaseProgram& program, const std::vector<OwnedFd>& maps, std::uint32_t level) {
  static char buffer[1 << 24];
  buffer[0] = '\0';
  std::vector<isa::RawInsn> slots = program.slots;
  for (isa::RawInsn& slot : slots)
    if (slot.code == kWideCode && (slot.src == kMapFd || slot.src == kMapValue || slot.src == kMapFd + 4 || slot.src == kMapValue + 4)) {
      slot.imm = maps[static_cast<std::size_t>(slot.imm)].get();
      if (slot.src > kFunction) slot.src = static_cast<std::uint8_t>((slot.src - 4) & 15);
    }
  bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.prog_type = program.prog_type;
  attr.expected_attach_type = program.attach_type;
  attr.prog_flags = program.flags;
  attr.insns = reinterpret_cast<std::uintptr_t>(slots.data());
  attr.insn_cnt = static_cast<std::uint32_t>(slots.size());
  attr.license = reinterpret_cast<std::uintptr_t>(program.gpl_compatible ? "GPL" : "MIT");
  attr.log_level = level;
  attr.log_buf = reinterpret_cast<std::uintptr_t>(buffer);
  attr.log_size = sizeof buffer;
  const long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof attr);
  const Answer answer{fd < 0 ? errno : 0, buffer};
  if (fd >= 0) close(static_cast<int>(fd));
  return answer;
}

bool takes_function_address(const CaseProgram& program) {
  for (const isa::RawInsn& slot : program.slots)
    if (slot.code == kWideCode && slot.src == kFunction) return true;
  return false;
}

bool bpf_loads_here() {
  CaseProgram trivial;
  trivial.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  trivial.slots = {{0xb7, 0, 0, 0, 0}, {0x95, 0, 0, 0, 0}};
  return load(trivial, {}, 1).error == 0;
}

bool is_the_words_kernel() {
  utsname name;
  return uname(&name) == 0 && std::string(name.release).starts_with("6.12.");
}

struct Tally {
  int passed = 0, failed = 0, skipped = 0;
};

/// What the kernel is to say. `kernel-accepts: WHY`: what is refused here and not there.
std::string expectation(const Case& c) {
  if (!c.key("kernel-accepts").empty()) return "accept";
  const CaseSection* section = c.section("verdict");
  return section == nullptr || section->lines().empty() ? "accept" : section->lines()[0];
}

void check(const CaseFile& file, const Case& c, bool show, bool words, Tally& tally) {
  CaseProgram program;
  std::string error;
  const std::string where = file.path + ": " + c.name;
  if (!make_case_program(c, program, error)) {
    std::printf("FAIL %s: %s\n", where.c_str(), error.c_str());
    ++tally.failed;
    return;
  }
  // Function addresses need BTF, rights need another user, and some verdicts changed after 6.12.
  const bool changed_since = !c.key("changed-after").empty() && !words;
  if (!program.verified || takes_function_address(program) || !program.rights.sys_admin || changed_since) {
    ++tally.skipped;
    return;
  }
  const std::vector<OwnedFd> maps = create_maps(program);
  if (maps.size() != program.maps.size()) {
    std::printf("skip %s: no such map here\n", where.c_str());
    ++tally.skipped;
    return;
  }
  Answer answer = load(program, maps, expectation(c) == "accept" ? 2 : 1);
  if (answer.error == ENOSPC) answer = load(program, maps, 4);  // its walk fills any log
  if (show) {
    std::printf("@@ %s\t%s\t%s\n%s\n", file.path.c_str(), c.name.c_str(), answer.verdict().c_str(), answer.log.c_str());
    return;
  }
  std::string wrong;
  if (answer.verdict() != expectation(c)) wrong = "the kernel says " + answer.verdict() + ", the case " + expectation(c);
  const CaseSection* log = c.section("log");
  if (wrong.empty() && words && log != nullptr) {
    const std::string missing = match_log(log->lines(), answer.log);
    if (!missing.empty()) wrong = "the kernel's log lacks \"" + missing + "\"";
  }
  if (wrong.empty()) {
    ++tally.passed;
    return;
  }
  ++tally.failed;
  std::printf("FAIL %s: %s\n%s\n", where.c_str(), wrong.c_str(), answer.log.c_str());
}

int run(int argc, char** argv) {
  bool show = false;
  std::vector<std::string> paths;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--show") show = true;
    else paths.emplace_back(argv[i]);
  }
  if (!bpf_loads_here()) {
    std::printf("skipped: bpf(2) loads nothing here\n");
    return 77;
  }
  Tally tally;
  for (const std::string& path : paths) {
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(path))
      for (const auto& entry : std::filesystem::directory_iterator(path)) files.push_back(entry.path());
    else files.emplace_back(path);
    for (const auto& name : files) {
      if (name.extension() != ".case") continue;
      std::ifstream in(name);
      const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      CaseFile file;
      std::string error;
      if (!parse_case_file(name.string(), text, file, error)) {
        std::printf("FAIL %s: %s\n", name.c_str(), error.c_str());
        return 1;
      }
      for (const Case& c : file.cases) check(file, c, show, is_the_words_kernel(), tally);
    }
  }
  if (!show) std::printf("native cases: %d passed, %d failed, %d skipped\n", tally.passed, tally.failed, tally.skipped);
  return tally.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace ring3::test

int main(int argc, char** argv) { return ring3::test::run(argc, argv); }
