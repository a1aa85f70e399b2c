// A runtime that knows some keys, with one client in this process.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "btf/btf.h"
#include "sign/signature.h"
#include "tests/integration/world.h"
#include "tests/support/test_key.h"

namespace ring3::test {

/// Keeps what was decided.
class Decisions final : public LoadAuditor {
 public:
  struct Decision {
    std::string program, digest;
    Provenance provenance;
    std::uint32_t type = 0, uid = 0;
    std::int32_t pid = 0;
    LoadPolicy policy{};
    Errno error{};
  };
  void decided(const LoadDecision& d) noexcept override {
    MutexLock lock(mutex_);
    all_.push_back({std::string(d.program), std::string(d.digest), d.provenance, d.type, d.uid, d.pid, d.policy, d.error});
  }
  std::vector<Decision> take() {
    MutexLock lock(mutex_);
    return std::exchange(all_, {});
  }

 private:
  Mutex mutex_;
  std::vector<Decision> all_ RING3_GUARDED_BY(mutex_);
};

class SigningWorld : public ::testing::Test {
 protected:
  static constexpr std::int32_t kTeamRing = 700, kEmptyRing = 701;

  explicit SigningWorld(LoadPolicy policy = LoadPolicy::kOff) {
    RuntimeOptions options{.name = "signing", .btf = test_host_btf_blob(), .log = &log_};
    options.signing = {.keyrings = {{.id = kBuiltinRing, .name = "", .certificates = {release_.certificate}},
                                    {.id = kTeamRing, .name = "team", .certificates = {team_.certificate}},
                                    {.id = kEmptyRing, .name = "empty", .certificates = {}}},
                       .policy = policy,
                       .auditor = &decisions_};
    runtime_ = Runtime::create(options).value();
    StringSink text;
    const BtfBlob blob = test_host_btf_blob();
    host_btf_ = btf::Btf::parse({static_cast<const std::byte*>(blob.data), blob.size}, nullptr, text, btf::Origin::kHost).value();
    client_.emplace(*runtime_, *host_btf_);
  }
  BpfClient& bpf() { return *client_; }

  /// A program as it would be sent, and what its signature is over.
  struct Load {
    PreparedLoad sent;
    std::vector<std::int32_t> fds;
    std::vector<std::byte> signature;
    bool counted = true;
    std::int32_t ring = kBuiltinRing;

    sign::Bytes insns() const { return std::as_bytes(std::span(sent.insns)); }
    sign::Sha256 digest() const { return sign::sha256(insns()).value(); }
  };
  Load prepare(std::string_view text, std::uint32_t type = uapi::BPF_PROG_TYPE_SYSCALL) {
    const std::uint32_t flags = type == uapi::BPF_PROG_TYPE_SYSCALL ? uint32_t{uapi::BPF_F_SLEEPABLE} : 0u;
    return {.sent = bpf().prepare({.text = text, .flags = flags, .prog_type = type}), .fds = {}, .signature = {}};
  }
  /// A one-element array with these bytes, frozen, that only this program may use.
  std::int32_t exclusive_map(const sign::Sha256& digest, std::string_view content, bool frozen = true,
                             std::uint32_t type = uapi::BPF_MAP_TYPE_ARRAY, std::uint32_t entries = 1) {
    uapi::bpf_attr attr = BpfClient::map_attr(type, 4, static_cast<std::uint32_t>(content.size()), entries);
    attr.excl_prog_hash = reinterpret_cast<std::uintptr_t>(digest.data());
    attr.excl_prog_hash_size = sizeof digest;
    const long map = bpf().create(attr);
    EXPECT_GT(map, 0);
    EXPECT_EQ(bpf().update(map, content.data()), 0);
    if (frozen) {
      EXPECT_EQ(bpf().freeze(map), 0);
    }
    return static_cast<std::int32_t>(map);
  }
  static void sign(Load& load, const TestKey& key, std::initializer_list<std::string_view> maps = {}) {
    std::vector<sign::Bytes> parts = {load.insns()};
    for (const std::string_view map : maps) parts.push_back(std::as_bytes(std::span(map)));
    StringSink log;
    load.signature = sign::make_signature(parts, key.key, key.certificate, log).value();
  }
  long send(Load& load) {
    load.sent.attr.insns = reinterpret_cast<std::uintptr_t>(load.sent.insns.data());
    load.sent.attr.fd_array = load.fds.empty() ? 0 : reinterpret_cast<std::uintptr_t>(load.fds.data());
    load.sent.attr.fd_array_cnt = load.counted ? static_cast<std::uint32_t>(load.fds.size()) : 0;
    load.sent.attr.signature = load.signature.empty() ? 0 : reinterpret_cast<std::uintptr_t>(load.signature.data());
    load.sent.attr.signature_size = static_cast<std::uint32_t>(load.signature.size());
    load.sent.attr.keyring_id = load.ring;
    std::strcpy(load.sent.attr.prog_name, "wanted");
    const long fd = bpf().create_with(uapi::BPF_PROG_LOAD, load.sent.attr);
    text_ = load.sent.log.data();
    return fd;
  }
  /// What a run of a syscall program returns.
  long run(long program) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    const long done = bpf().bpf(uapi::BPF_PROG_TEST_RUN, attr);
    return done < 0 ? done : static_cast<std::int32_t>(attr.test.retval);
  }

  const TestKey release_ = make_test_key("release"), team_ = make_test_key("team"), stranger_ = make_test_key("stranger");
  LogLines log_;
  Decisions decisions_;
  std::unique_ptr<Runtime> runtime_;
  std::shared_ptr<const btf::Btf> host_btf_;
  std::optional<BpfClient> client_;
  std::string text_;  // the log of the last load
};

}  // namespace ring3::test
