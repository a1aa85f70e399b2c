// CO-RE held against libbpf's own: the same object, the same types of a host, and then the instructions that records name must be the
// same, one by one; or both refuse. Programs of our own for every kind of record against five hosts, the kernel's selftests against
// theirs, and both against hosts whose types were changed at random.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "btf/btf.h"
#include "btf/names.h"
#include "object/object_table.h"
#include "object/rcu.h"
#include "prog/core_relocate.h"
#include "tests/integration/core/core_oracle.h"

namespace ring3::test {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::byte>;

constexpr std::size_t kRecordBytes = 16;

class Sink final : public verifier::LogSink {
 public:
  void write(std::string_view more) override { text += more; }
  std::string text;
};

std::shared_ptr<const btf::Btf> parsed(const Bytes& bytes, btf::Origin origin, std::string* why = nullptr) {
  StringSink log;
  auto out = btf::Btf::parse(bytes, nullptr, log, origin);
  if (why != nullptr) *why = log.text();
  return out.ok() ? *out : nullptr;
}

/// What came of comparisons.
struct Tally {
  int candidates_forgotten = 0, programs = 0, relocated = 0, refused = 0, instructions = 0, poisoned = 0, not_comparable = 0;
  std::string why_not;  // of the first that could not be compared
};

struct Record {
  std::uint32_t insn_off, type, access, kind;
};
static_assert(sizeof(Record) == kRecordBytes);

std::vector<Record> records_of(const CoreProgram& program) {
  std::vector<Record> out(program.records.size() / sizeof(Record));
  std::memcpy(out.data(), program.records.data(), out.size() * sizeof(Record));
  return out;
}

class CoreTest : public ::testing::Test {
 protected:
  ~CoreTest() override { rcu::drain(); }

  /// libbpf's answers depend on the order of records: a type of the host that one record rules out is no candidate for later records of
  /// the same type any more. The kernel looks at all for each record, and so does ring3. Whether that can matter for this program.
  bool forgets_candidates(const CoreProgram& program, const Bytes& own_types, const btf::Btf& host) {
    const auto own = parsed(own_types, btf::Origin::kClient);
    std::map<std::uint32_t, int> records;
    for (const Record& record : records_of(program)) ++records[record.type];
    for (const auto& [type, count] : records) {
      if (own == nullptr || own->type(type) == nullptr || count < 2) continue;
      const std::string_view name = btf::essential_name(own->type(type)->name);
      int candidates = 0;
      for (btf::TypeId id = 1; id < host.end_id(); ++id) candidates += btf::essential_name(host.type(id)->name) == name ? 1 : 0;
      if (candidates > 1) return true;
    }
    return false;
  }

  /// ring3's relocation, as a load does it. Errors: those of relocate_core.
  Result<std::vector<isa::RawInsn>> relocate(const CoreProgram& program, const Bytes& own_types, const btf::Btf& host, std::string& said) {
    const auto types = parsed(own_types, btf::Origin::kClient, &said);
    if (types == nullptr) return said += " (its own types are refused)", Errno::kInval;
    prog::LoadRequest request;
    request.insns = program.insns;
    request.core_relos = program.records;
    request.core_relo_rec_size = kRecordBytes;
    request.func_info.resize(8);  // only whether there is any
    request.btf = prog::BtfObject::make(objects_, types, {}, "", false);
    Sink log;
    const Result<void> done = prog::relocate_core(request, host, log);
    said = log.text;
    if (!done.ok()) return done.error();
    return request.insns;
  }

  /// What differs. Empty: nothing.
  std::string compare(const CoreObject& object, const CoreProgram& program, const std::string& types_path, const btf::Btf& host) {
    const Relocated theirs = relocate_by_libbpf(object, program, types_path);
    if (theirs.end == Relocated::End::kOtherwise) {
      if (++tally_.not_comparable == 1) tally_.why_not = object.path + " " + program.name + ": " + theirs.text;
      return "";
    }
    ++tally_.programs;
    std::string said;
    const auto ours = relocate(program, theirs.types, host, said);
    const std::string difference = compare(theirs, ours, program, said, object.path + " " + program.name + " against " + types_path + ": ");
    if (!difference.empty() && forgets_candidates(program, theirs.types, host)) return ++tally_.candidates_forgotten, std::string();
    return difference;
  }
  std::string compare(const Relocated& theirs, const Result<std::vector<isa::RawInsn>>& ours, const CoreProgram& program, const std::string& said,
                      const std::string& what) {
    if (theirs.end == Relocated::End::kCoreFailed) {
      ++tally_.refused;
      if (ours.ok()) return what + "only libbpf refuses\n" + theirs.text;
      const int error = -static_cast<int>(ours.error());
      return error == theirs.error ? "" : what + "libbpf says " + std::to_string(theirs.error) + ", ring3 " + std::to_string(error) + "\n" + theirs.text + said;
    }
    if (!ours.ok()) return what + "only ring3 refuses: " + said;
    ++tally_.relocated;
    return what_differs(program, theirs.insns, *ours, what);
  }

  std::string what_differs(const CoreProgram& program, const std::vector<isa::RawInsn>& theirs, const std::vector<isa::RawInsn>& ours,
                           const std::string& what) {
    std::vector<bool> named(program.insns.size() + 1);
    for (const Record& record : records_of(program)) {
      const std::size_t at = record.insn_off / 8;
      named[at] = true;
      if (program.insns[at].code == 0x18) named[at + 1] = true;
    }
    for (std::size_t i = 0; i < program.insns.size(); ++i) {
      // libbpf has also put in what other relocations say: maps, variables, calls.
      const isa::RawInsn& expected = named[i] ? theirs[i] : program.insns[i];
      if (ours[i] != expected) return what + "instruction " + std::to_string(i) + ": " + text_of(expected) + ", not " + text_of(ours[i]);
      tally_.instructions += named[i] ? 1 : 0;
      tally_.poisoned += named[i] && ours[i].imm == prog::kPoisonedHelper ? 1 : 0;
    }
    return "";
  }

  static std::string text_of(const isa::RawInsn& insn) {
    char text[96];
    std::snprintf(text, sizeof text, "(code %#x dst %u src %u off %d imm %d)", insn.code, insn.dst, insn.src, insn.off, insn.imm);
    return text;
  }

  void compare_all(const CoreObject& object, const std::string& types_path) {
    ASSERT_EQ(object.problem, "") << object.path;
    const Bytes bytes = types_of_file(types_path);
    std::string why;
    const auto host = parsed(bytes, btf::Origin::kHost, &why);
    if (host == nullptr) return no_host_.push_back(types_path + ": " + why);
    for (const CoreProgram& program : object.programs) EXPECT_EQ(compare(object, program, types_path, *host), "");
  }

  /// The same types with a few words changed, as often as asked; those that are no types any more are passed over.
  void compare_changed(const CoreObject& object, const std::string& types_path, std::uint64_t seed, int hosts) {
    std::mt19937_64 random(seed);
    const Bytes whole = types_of_file(types_path);
    ASSERT_FALSE(whole.empty()) << types_path;
    const fs::path changed = fs::path(::testing::TempDir()) / ("core_changed_" + std::to_string(::getpid()) + ".btf");
    for (int made = 0, tries = 0; made < hosts && tries < 400 * hosts; ++tries) {
      Bytes bytes = whole;
      for (std::uint64_t edits = 1 + random() % 3; edits > 0; --edits) change(bytes, random);
      const auto host = parsed(bytes, btf::Origin::kHost);
      if (host == nullptr || has_negative_size(*host)) continue;
      ++made;
      std::ofstream(changed, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      const CoreProgram& program = object.programs[random() % object.programs.size()];
      const std::string difference = compare(object, program, changed, *host);
      if (!difference.empty()) {
        fs::copy_file(changed, changed.string() + ".kept" + std::to_string(made));
        const std::string kept = types_path + " changed, seed " + std::to_string(seed) + ", host " + std::to_string(made);
        ADD_FAILURE() << kept << "\n" << difference;
      }
    }
    fs::remove(changed);
  }

  /// libbpf takes sizes for numbers with a sign.
  static bool has_negative_size(const btf::Btf& host) {
    for (btf::TypeId id = 1; id < host.end_id(); ++id)
      if (host.size_of(id).value_or(0) > INT32_MAX) return true;
    return false;
  }

  /// A word of a type gets near another value, or that of another word.
  static void change(Bytes& bytes, std::mt19937_64& random) {
    constexpr std::size_t kHeadBytes = 24, kTypesBytesAt = 12;
    std::uint32_t types_bytes = 0;
    std::memcpy(&types_bytes, bytes.data() + kTypesBytesAt, sizeof types_bytes);
    const auto place = [&] { return kHeadBytes + random() % (types_bytes / 4) * 4; };
    const std::size_t at = place(), from = place();
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    constexpr std::int32_t kSteps[] = {1, -1, 8, -8, 32, -32, 1 << 24, -(1 << 24), 5 << 24, INT32_MIN, 64, 1 << 16};
    if (random() % 3 == 0) std::memcpy(&value, bytes.data() + from, sizeof value);
    else value += static_cast<std::uint32_t>(kSteps[random() % std::size(kSteps)]);
    std::memcpy(bytes.data() + at, &value, sizeof value);
  }

  void say_tally() const {
    std::printf("%d programs: %d relocated (%d instructions, %d of them poisoned), %d refused by both; %d could not be compared; libbpf had forgotten candidates: %d\n", tally_.programs,
                tally_.relocated, tally_.instructions, tally_.poisoned, tally_.refused, tally_.not_comparable, tally_.candidates_forgotten);
    if (!tally_.why_not.empty()) std::printf("not compared: %s\n", tally_.why_not.c_str());
  }

  ObjectTable objects_;
  Tally tally_;
  std::vector<std::string> no_host_;  // types that no host can have, and why
};

const std::string kOwn = std::string(RING3_CORE_DIR) + "/core_local.bpf.o";
std::string own_host(int number) { return std::string(RING3_CORE_DIR) + "/core_target_" + std::to_string(number) + ".bpf.o"; }
constexpr int kHosts = 5;

TEST_F(CoreTest, EveryKindOfRecordIsAnsweredAsByLibbpf) {
  const CoreObject object = read_core_object(kOwn);
  ASSERT_GE(object.programs.size(), 26u);
  for (int host = 1; host <= kHosts; ++host) compare_all(object, own_host(host));
  say_tally();
  EXPECT_EQ(tally_.not_comparable, 0);
  EXPECT_GT(tally_.poisoned, 10);
  EXPECT_GT(tally_.refused, 3);
}

TEST_F(CoreTest, ChangedHostsAreAnsweredAsByLibbpf) {
  const CoreObject object = read_core_object(kOwn);
  for (int host = 1; host <= kHosts; ++host) compare_changed(object, own_host(host), 100 + static_cast<std::uint64_t>(host), 120);
  say_tally();
  EXPECT_EQ(tally_.not_comparable, 0);
}

/// "arrays" of btf__core_reloc_arrays___fixed_arr.
std::string family_of(const std::string& name, std::string_view prefix) {
  const std::string rest = name.substr(prefix.size());
  return rest.substr(0, rest.find("__") != std::string::npos ? rest.find("__") : rest.find(".bpf.o"));
}

class SelftestsTest : public CoreTest {
 protected:
  static constexpr std::string_view kPrograms = "test_core_reloc_", kTypes = "btf__core_reloc_";
  void SetUp() override {
    if (!fs::exists(folder_)) GTEST_SKIP() << "no compiled selftests: scripts/conformance objects makes " << folder_;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      const std::string name = entry.path().filename();
      if (!name.ends_with(".bpf.o")) continue;
      if (name.starts_with(kPrograms)) programs_.push_back(name);
      if (name.starts_with(kTypes)) types_.push_back(name);
    }
    std::sort(programs_.begin(), programs_.end());
    std::sort(types_.begin(), types_.end());
    if (programs_.empty() || types_.empty()) GTEST_SKIP() << "no programs with CO-RE records in " << folder_;
  }
  /// One object and one of the hosts it was written for.
  template <typename Visit>
  void for_each_pair(const Visit& visit) {
    for (const std::string& name : programs_) {
      std::string family = family_of(name, kPrograms);
      if (family.starts_with("bitfields")) family = "bitfields";
      const CoreObject object = read_core_object(without_targets(folder_ / name, ::testing::TempDir()));
      for (const std::string& types : types_)
        if (family_of(types, kTypes) == family) visit(object, (folder_ / types).string());
    }
  }

  const fs::path folder_ = RING3_CONFORMANCE_OBJECTS;
  std::vector<std::string> programs_, types_;
};

TEST_F(SelftestsTest, AreRelocatedAsByLibbpf) {
  for_each_pair([this](const CoreObject& object, const std::string& types) { compare_all(object, types); });
  say_tally();
  // Thirty arrays of arrays are more than what may be resolved.
  ASSERT_EQ(no_host_.size(), 1u);
  EXPECT_NE(no_host_[0].find("err_too_deep"), std::string::npos) << no_host_[0];
  EXPECT_GT(tally_.relocated, 40);
  EXPECT_GT(tally_.instructions, 400);
}

TEST_F(SelftestsTest, AreRelocatedAsByLibbpfAgainstChangedHosts) {
  std::uint64_t seed = 1000;
  for_each_pair([&](const CoreObject& object, const std::string& types) { compare_changed(object, types, ++seed, 15); });
  say_tally();
}

TEST_F(SelftestsTest, AreRelocatedAsByLibbpfAgainstAKernel) {
  const fs::path kernel = folder_.parent_path() / "host.btf";
  if (!fs::exists(kernel)) GTEST_SKIP() << "no kernel's types at " << kernel;
  for (const char* name : {"core_kern", "core_kern_overflow", "test_core_autosize", "test_core_extern", "test_core_read_macros", "test_core_reloc_kernel", "test_core_retro"}) {
    const fs::path path = folder_ / (std::string(name) + ".bpf.o");
    if (fs::exists(path)) compare_all(read_core_object(without_targets(path, ::testing::TempDir())), kernel);
  }
  say_tally();
}

}  // namespace
}  // namespace ring3::test
