// `ring3 sign`, and `insmod` of what it makes, into a host that loads signed programs only.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "runtime/runtime_impl.h"
#include "tests/integration/cli/cli_world.h"
#include "tests/integration/signing_world.h"

namespace ring3::test {
namespace {

class SignedModules : public SigningWorld {
 protected:
  SignedModules() : SigningWorld(LoadPolicy::kEnforce) {
    char folder[] = "/tmp/ring3-test-XXXXXX";
    folder_ = ::mkdtemp(folder);
    EXPECT_TRUE(runtime_->listen({.path = folder_ + "/host.sock", .policy = nullptr}).ok()) << log_.take();
    write("release.key", release_.key);
    write("release.pem", release_.certificate);
    write("stranger.key", stranger_.key);
    write("stranger.pem", stranger_.certificate);
  }
  ~SignedModules() override {
    client_.reset();
    runtime_ = nullptr;
    for (const char* name : {"release.key", "release.pem", "stranger.key", "stranger.pem", "light.signed"}) (void)std::remove((folder_ + "/" + name).c_str());
    EXPECT_EQ(::rmdir(folder_.c_str()), 0) << "something stays behind";
  }
  void write(const std::string& name, const std::string& text) { std::ofstream(folder_ + "/" + name, std::ios::binary) << text; }
  std::string read(const std::string& name) {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  }
  Outcome ring3(std::vector<std::string> words) {
    words.insert(words.begin(), {"ring3", "-H", folder_ + "/host.sock"});
    return Command(words, folder_).wait();
  }
  Outcome sign_by(const std::string& who, const std::string& object, std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"sign", RING3_MODULE_DIR "/" + object + ".bpf.o", "-k", folder_ + "/" + who + ".key", "-i",
                                      folder_ + "/" + who + ".pem", "-o", folder_ + "/light.signed"};
    words.insert(words.end(), more.begin(), more.end());
    return ring3(words);
  }

  std::string folder_;
};

TEST_F(SignedModules, E_24_AreMadeLoadedListedAndRemoved) {
  const Outcome plain = ring3({"insmod", RING3_MODULE_DIR "/light.bpf.o"});
  EXPECT_EQ(plain.code, 4) << plain;
  EXPECT_TRUE(plain.says("unsigned program")) << plain;
  const Outcome made = sign_by("release", "light");
  ASSERT_EQ(made.code, 0) << made;
  EXPECT_TRUE(made.says("2 programs, 5 maps, signed by CN = release")) << made;
  const Outcome loaded = ring3({"insmod", folder_ + "/light.signed"});
  ASSERT_EQ(loaded.code, 0) << loaded << log_.take();
  EXPECT_TRUE(loaded.says("module light (id ")) << loaded;
  const Outcome told = ring3({"modinfo", "light"});
  EXPECT_TRUE(told.says("doubles") && told.says("by loader: CN = release")) << told;
  const Outcome json = ring3({"modinfo", "light", "--json"});
  EXPECT_TRUE(json.says("\"verdict\": \"by loader\"") && json.says("\"signer\": \"CN = release\"")) << json;
  EXPECT_FALSE(told.says("__loader")) << "the loader itself is no member\n" << told;
  EXPECT_EQ(ring3({"rmmod", "light"}).code, 0);
  const Outcome replaced = ring3({"insmod", folder_ + "/light.signed", "--name", "again"});
  EXPECT_EQ(replaced.code, 0) << replaced;
  EXPECT_EQ(ring3({"rmmod", "again"}).code, 0);
}

TEST_F(SignedModules, E_24_OfOthersOrDamagedAreDenied) {
  ASSERT_EQ(sign_by("stranger", "light").code, 0);
  const Outcome unknown = ring3({"insmod", folder_ + "/light.signed"});
  EXPECT_EQ(unknown.code, 4) << unknown;
  EXPECT_TRUE(unknown.says("signed loader: ENOKEY")) << unknown;
  ASSERT_EQ(sign_by("release", "light", {"--keyring", "700"}).code, 0);
  const Outcome other_ring = ring3({"insmod", folder_ + "/light.signed"});
  EXPECT_EQ(other_ring.code, 4) << other_ring;
  ASSERT_EQ(sign_by("release", "light").code, 0);
  std::string file = read("light.signed");
  file[file.size() / 2] ^= 1;
  write("light.signed", file);
  const Outcome damaged = ring3({"insmod", folder_ + "/light.signed"});
  EXPECT_EQ(damaged.code, 4) << damaged;
  EXPECT_TRUE(damaged.says("signed loader: EKEYREJECTED")) << damaged;
  write("light.signed", file.substr(0, file.size() / 2));
  EXPECT_EQ(ring3({"insmod", folder_ + "/light.signed"}).code, 1);
  EXPECT_EQ(ring3({"lsmod", "--json"}).out.find("\"name\": \"light\""), std::string::npos);
  EXPECT_EQ(bpf().next_id(uapi::BPF_MAP_GET_NEXT_ID, 0), 0u);
}

TEST_F(SignedModules, WhatCannotBeSignedIsSaidSo) {
  const Outcome ops = sign_by("release", "policy_one");
  EXPECT_EQ(ops.code, 6) << ops;
  EXPECT_TRUE(ops.says("struct_ops")) << ops;
  EXPECT_EQ(sign_by("nobody", "light").code, 3);
  const Outcome mixed = ring3({"sign", RING3_MODULE_DIR "/light.bpf.o", "-k", folder_ + "/stranger.key", "-i", folder_ + "/release.pem", "-o", folder_ + "/light.signed"});
  EXPECT_EQ(mixed.code, 1) << mixed;
  EXPECT_TRUE(mixed.says("of another key")) << mixed;
}

}  // namespace
}  // namespace ring3::test
