// Programs compiled by clang that read variables of the host: registered by the host, found by libbpf in its BTF.
#include <gtest/gtest.h>

#include <vector>

#include "runtime/runtime_impl.h"
#include "test_host_btf.h"
#include "tests/integration/libbpf_door.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

__u64 wrong_size = 0;

class HostVariables : public World {
 protected:
  long run(ObjectFile& object, const char* program) { return bpf().run_on_packet(object.program(program)); }
  std::size_t cpus() { return runtime_->impl().possible_cpus(); }
  void register_all() {
    counts_.assign(cpus(), {5, 2});
    ASSERT_TRUE(runtime_->variable<&test_limits>().ok()) << log_.take();
    ASSERT_TRUE(runtime_->variable<&test_level>().ok()) << log_.take();
    ASSERT_TRUE(runtime_->percpu_variable("test_counts", counts_.data(), counts_.size()).ok()) << log_.take();
  }

  std::vector<struct test_counts> counts_;
  LibbpfDoor door_{*runtime_, test_host_btf};
};

TEST_F(HostVariables, AreReadWhereTheyAre) {
  register_all();
  ObjectFile object(RING3_MODULE_DIR "/variables.bpf.o");
  ASSERT_EQ(object.load(), 0) << door_.take_text() << log_.take();
  EXPECT_EQ(run(object, "sum"), 394);
  test_level = 0;
  EXPECT_EQ(run(object, "sum"), 94);
  test_level = 3;
  EXPECT_EQ(run(object, "count"), static_cast<int>(cpus()) * 200 + 5);
  EXPECT_EQ(run(object, "there"), 2);
  EXPECT_EQ(run(object, "length"), 6);
}

TEST_F(HostVariables, WithoutThemTheProgramIsRefusedByName) {
  ObjectFile object(RING3_MODULE_DIR "/variables.bpf.o");
  EXPECT_EQ(object.load(), -ENOENT);
  const std::string text = door_.take_text() + log_.take();
  EXPECT_NE(text.find("ldimm64 failed to find the address for kernel symbol 'test_"), std::string::npos) << text;
}

TEST_F(HostVariables, RegistrationsThatDoNotFitSayWhy) {
  const auto refused = [&](Result<void> done, Errno code, std::string_view why) {
    const std::string text = log_.take();
    EXPECT_EQ(done.ok() ? Errno{} : done.error(), code) << text;
    EXPECT_NE(text.find(why), std::string::npos) << text;
  };
  const std::vector<struct test_counts> counts(cpus());
  const __u32 number = 0;
  refused(runtime_->variable<&wrong_size>(), Errno::kNoEnt, "variable wrong_size: no such variable in the host's BTF");
  refused(runtime_->percpu_variable("test_level", &number, cpus()), Errno::kInval, "does not declare it RING3_PERCPU");
  refused(runtime_->percpu_variable("test_counts", &number, cpus()), Errno::kInval, "4 bytes in C++ and 16 in the BTF");
  refused(runtime_->percpu_variable("test_counts", counts.data(), 0), Errno::kInval, "declares it RING3_PERCPU");
  if (cpus() > 1) refused(runtime_->percpu_variable("test_counts", counts.data(), cpus() - 1), Errno::kInval, "possible CPUs");
  refused(runtime_->percpu_variable("test_counts", counts.data(), cpus(), 8), Errno::kInval, "its copies overlap");
  ASSERT_TRUE(runtime_->variable<&test_level>().ok());
  refused(runtime_->variable<&test_level>(), Errno::kExist, "registered already");
}

}  // namespace
}  // namespace ring3::test
