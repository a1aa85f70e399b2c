// Every rule of validation, by a blob that breaks it; and the same blobs, and mutations of valid ones,
// given to the machine's own kernel where that is allowed.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <random>

#include "btf/broken_blobs.h"
#include "btf/btf.h"
#include "btf/builder.h"
#include "uapi/bpf.h"

namespace ring3::btf {
namespace {

struct Verdict {
  int error = 0;  // 0: accepted
  std::string log;
};

Verdict ours(std::span<const std::byte> blob) {
  StringSink log;
  auto r = Btf::parse(blob, nullptr, log);
  return {r.ok() ? 0 : static_cast<int>(r.error()), log.take()};
}

Verdict kernels(std::span<const std::byte> blob) {
  std::vector<char> log(1 << 16);
  uapi::bpf_attr attr;
  std::memset(&attr, 0, sizeof attr);
  attr.btf = reinterpret_cast<std::uint64_t>(blob.data());
  attr.btf_size = static_cast<std::uint32_t>(blob.size());
  attr.btf_log_buf = reinterpret_cast<std::uint64_t>(log.data());
  attr.btf_log_size = static_cast<std::uint32_t>(log.size());
  attr.btf_log_level = 1;
  constexpr std::size_t kUpToLogLevel = 28;
  const long fd = syscall(SYS_bpf, uapi::BPF_BTF_LOAD, &attr, kUpToLogLevel);
  const int error = fd < 0 ? errno : 0;
  if (fd >= 0) close(static_cast<int>(fd));
  return {error, log.data()};
}

bool kernel_answers() { return kernels(valid_blobs()[0]).error == 0; }

TEST(ValidateTest, C30C31EachRuleHasItsErrnoAndWords) {
  for (const BrokenBlob& b : broken_blobs()) {
    const Verdict v = ours(b.blob);
    EXPECT_EQ(v.error, static_cast<int>(b.error)) << b.what << ": " << v.log;
    EXPECT_NE(v.log.find(b.words), std::string::npos) << b.what << ": " << v.log;
  }
}

TEST(ValidateTest, C30BlobsAbove16MiBAreTooBig) {
  EXPECT_EQ(ours(std::vector<std::byte>((16u << 20) + 1)).error, static_cast<int>(Errno::kTooBig));
}

TEST(ValidateTest, AcceptsWhatIsJustWithinTheRules) {
  for (const auto& blob : valid_blobs()) EXPECT_EQ(ours(blob).error, 0) << ours(blob).log;
  Builder b;
  const TypeId u32 = b.add_int("u32", 4);
  for (std::uint32_t i = 1; i < 32; ++i) b.add_ptr(b.next_id() + 1);
  b.add_ptr(u32);
  b.add_type_tag("t", b.add_ref(Kind::kConst, u32));
  b.add_datasec("?odd name, printable", 4, {});
  b.add_typedef("nothing", kVoid);
  b.add_struct(".name", 0, {});
  EXPECT_EQ(ours(b.finish()).error, 0) << ours(b.finish()).log;
}

TEST(ValidateTest, LogNamesTheRecord) {
  Builder b;
  const TypeId u32 = b.add_int("u32", 4);
  b.add_typedef("t", u32);
  b.add_struct("s", 4, {{"a", u32, 0}});
  b.add_ptr(77);
  EXPECT_EQ(ours(b.finish()).log, "[4] PTR (anon) type_id=77 Invalid type_id\n");
  Builder c;
  c.add_int("u32", 4);
  c.add_struct("s", 4, {{"a", 1, 0}, {"b", 1, 32}});
  EXPECT_EQ(ours(c.finish()).log, "[2] STRUCT s size=4 vlen=2\n\tb type_id=1 bits_offset=32 Member exceeds struct_size\n");
}

TEST(NativeBtfTest, KernelRefusesTheSameForTheSameReason) {
  if (!kernel_answers()) GTEST_SKIP() << "this machine does not let us load BTF";
  for (const BrokenBlob& b : broken_blobs()) {
    const Verdict k = kernels(b.blob);
    EXPECT_EQ(k.error, static_cast<int>(b.error)) << b.what << ": " << k.log;
    EXPECT_NE(k.log.find(b.words), std::string::npos) << b.what << ": " << k.log;
  }
}

// Verdicts agree on random single-word damage to valid blobs.
TEST(NativeBtfTest, KernelAgreesOnDamagedBlobs) {
  if (!kernel_answers()) GTEST_SKIP() << "this machine does not let us load BTF";
  constexpr unsigned kSeed = 20261;
  constexpr int kRounds = 4000;
  std::mt19937 random(kSeed);
  for (int round = 0; round < kRounds; ++round) {
    auto blob = valid_blobs()[0];
    std::uint32_t header[6];
    std::memcpy(header, blob.data(), sizeof header);
    const std::size_t word = 24 + 4 * (random() % (header[3] / 4));
    std::uint32_t value;
    std::memcpy(&value, blob.data() + word, 4);
    switch (random() % 4) {
      case 0: value ^= 1u << (random() % 32); break;
      case 1: value = static_cast<std::uint32_t>(random() % 40); break;
      case 2: value += 1; break;
      default: value = static_cast<std::uint32_t>(random()); break;
    }
    std::memcpy(blob.data() + word, &value, 4);
    const Verdict a = ours(blob), k = kernels(blob);
    // Kernels after 6.12 allow the flag on tags.
    const bool newer_rule = a.log.find("_TAG ") != std::string::npos && a.log.find("kind_flag") != std::string::npos;
    if (a.error != k.error && !newer_rule) {
      ADD_FAILURE() << "round " << round << " word " << word << " value " << value << "\nours " << a.error << ": " << a.log
                    << "\nkernel " << k.error << ": " << k.log.substr(k.log.size() > 300 ? k.log.size() - 300 : 0);
    }
  }
}

}  // namespace
}  // namespace ring3::btf
