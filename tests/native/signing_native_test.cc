// Signed programs, exclusive maps, map hashes and counted fd_arrays: the same calls on the machine's kernel and on a runtime, errno by errno. Linux 6.18
// has them; skipped on older ones and where the machine allows no bpf(2). Signatures themselves are compared where the kernel
// was built to verify any, with a key in a session keyring of this process's own.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/keyctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstring>
#include <string>
#include <vector>

#include "isa/assemble.h"
#include "ring3/runtime.h"
#include "sign/signature.h"
#include "test_host_btf.h"
#include "tests/support/kernel_load.h"
#include "tests/support/test_key.h"

namespace ring3::native {
namespace {

using Insns = std::vector<isa::RawInsn>;
constexpr std::uint32_t kArray = uapi::BPF_MAP_TYPE_ARRAY;
constexpr std::int32_t kSessionRing = KEY_SPEC_SESSION_KEYRING;

sign::Sha256 digest_of(const Insns& insns) { return sign::sha256(std::as_bytes(std::span(insns))).value(); }

/// One bpf(2) and what was opened by it.
class Side {
 public:
  explicit Side(Bpf bpf) : bpf_(std::move(bpf)) {}
  ~Side() {
    for (const int fd : fds_) ::close(fd);
  }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  long command(int number, uapi::bpf_attr& attr) { return bpf_(number, &attr, sizeof attr); }
  long opened(long fd) {
    if (fd > 0) fds_.push_back(static_cast<int>(fd));
    return fd;
  }
  long map(std::uint32_t type, std::uint32_t key, std::uint32_t value, std::uint32_t entries, std::uint64_t digest = 0,
           std::uint32_t digest_bytes = 0, long inner = 0) {
    uapi::bpf_attr attr = zero_attr();
    attr.map_type = type;
    attr.key_size = key;
    attr.value_size = value;
    attr.max_entries = entries;
    attr.excl_prog_hash = digest;
    attr.excl_prog_hash_size = digest_bytes;
    attr.inner_map_fd = static_cast<std::uint32_t>(inner);
    return opened(command(uapi::BPF_MAP_CREATE, attr));
  }
  long exclusive(const sign::Sha256& digest, std::uint32_t type = kArray) { return map(type, 4, 8, 1, address_of(digest.data()), 32); }
  long update(long map, const void* value, std::uint32_t key = 0) {
    uapi::bpf_attr attr = zero_attr();
    attr.map_fd = static_cast<std::uint32_t>(map);
    attr.key = address_of(&key);
    attr.value = address_of(value);
    return command(uapi::BPF_MAP_UPDATE_ELEM, attr);
  }
  long freeze(long map) {
    uapi::bpf_attr attr = zero_attr();
    attr.map_fd = static_cast<std::uint32_t>(map);
    return command(uapi::BPF_MAP_FREEZE, attr);
  }
  long hash(long map, std::uint64_t into, std::uint32_t bytes) {
    uapi::bpf_map_info info{};
    info.hash = into;
    info.hash_size = bytes;
    uapi::bpf_attr attr = zero_attr();
    attr.info.bpf_fd = static_cast<std::uint32_t>(map);
    attr.info.info_len = sizeof info;
    attr.info.info = address_of(&info);
    return command(uapi::BPF_OBJ_GET_INFO_BY_FD, attr);
  }
  struct Extra {
    std::uint64_t fd_array = 0;
    std::uint32_t fd_array_cnt = 0;
    std::uint64_t signature = 0;
    std::uint32_t signature_size = 0;
    std::int32_t keyring = 0;
  };
  long load(const Insns& insns, const Extra& extra) {
    uapi::bpf_attr attr = zero_attr();
    attr.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
    attr.insns = address_of(insns.data());
    attr.insn_cnt = static_cast<std::uint32_t>(insns.size());
    attr.license = address_of("GPL");
    attr.fd_array = extra.fd_array;
    attr.fd_array_cnt = extra.fd_array_cnt;
    attr.signature = extra.signature;
    attr.signature_size = extra.signature_size;
    attr.keyring_id = extra.keyring;
    return opened(command(uapi::BPF_PROG_LOAD, attr));
  }

 private:
  Bpf bpf_;
  std::vector<int> fds_;
};

class SigningNative : public ::testing::Test {
 protected:
  void SetUp() override {
    RuntimeOptions options{.name = "native", .btf = test_host_btf};
    options.signing.keyrings = {{.id = kSessionRing, .name = "session", .certificates = {key_.certificate}}};
    runtime_ = Runtime::create(options).value();
    ours_ = std::make_unique<Side>([this](int cmd, void* attr, std::uint32_t size) { return runtime_->bpf(cmd, attr, size); });
    theirs_ = std::make_unique<Side>(kernel_bpf());
    const sign::Sha256 any{1};
    if (theirs_->exclusive(any) < 0) GTEST_SKIP() << "the machine's kernel has no exclusive maps, or allows no bpf(2)";
  }
  /// The same on both; descriptors are alike.
  template <typename Call>
  void same(const char* what, Call call) {
    const long kernel = call(*theirs_), here = call(*ours_);
    EXPECT_EQ(std::min(here, 0L), std::min(kernel, 0L)) << what;
    ++compared_;
  }

  const test::TestKey key_ = test::make_test_key("native");
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<Side> ours_, theirs_;
  int compared_ = 0;
  const Insns plain_ = isa::assemble("r0 = 0\nexit").value();
  const Insns by_index_ = isa::assemble(".raw 18 1 5 0 0\n.raw 00 0 0 0 0\nr0 = 0\nexit").value();
};

TEST_F(SigningNative, ExclusiveMaps) {
  const sign::Sha256 any{1}, right = digest_of(by_index_);
  const std::uint64_t at = address_of(any.data());
  for (const std::uint32_t bytes : {0u, 31u, 32u, 33u, 64u}) {
    same("digest", [&](Side& s) { return s.map(kArray, 4, 8, 1, at, bytes); });
    same("no digest", [&](Side& s) { return s.map(kArray, 4, 8, 1, 0, bytes); });
  }
  same("unreadable", [&](Side& s) { return s.map(kArray, 4, 8, 1, 16, 32); });
  same("hash", [&](Side& s) { return s.exclusive(any, uapi::BPF_MAP_TYPE_HASH); });
  same("per CPU", [&](Side& s) { return s.exclusive(any, uapi::BPF_MAP_TYPE_PERCPU_ARRAY); });
  same("ring", [&](Side& s) { return s.map(uapi::BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, at, 32); });
  same("inner", [&](Side& s) { return s.map(uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0, 0, s.exclusive(any)); });
  same("inner, later", [&](Side& s) {
    const long outer = s.map(uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1, 0, 0, s.map(kArray, 4, 8, 1));
    const auto inner = static_cast<int>(s.exclusive(any));
    return s.update(outer, &inner);
  });
  const auto use = [&](const sign::Sha256& digest) {
    return [&, digest](Side& s) {
      const auto map = static_cast<int>(s.exclusive(digest));
      return s.load(by_index_, {.fd_array = address_of(&map)});
    };
  };
  same("its program", use(right));
  same("another program", use(any));
  same("bound only", [&](Side& s) {
    const auto map = static_cast<int>(s.exclusive(any));
    return s.load(plain_, {.fd_array = address_of(&map), .fd_array_cnt = 1});
  });
  // Descriptors are no part of the digest.
  Insns by_fd = isa::assemble(".raw 18 1 1 0 0\n.raw 00 0 0 0 0\nr0 = 0\nexit").value();
  const sign::Sha256 without = digest_of(by_fd);
  same("by descriptor", [&](Side& s) {
    by_fd[0].imm = static_cast<std::int32_t>(s.exclusive(without));
    return s.load(by_fd, {});
  });
  RecordProperty("compared", compared_);
}

TEST_F(SigningNative, MapHashes) {
  sign::Sha256 kernel{}, here{};
  for (const std::uint32_t value_bytes : {1u, 8u, 12u, 4096u})
    for (const std::uint32_t entries : {1u, 3u}) {
      const auto hashed = [&](Side& s, sign::Sha256& out) {
        const long map = s.map(kArray, 4, value_bytes, entries);
        std::vector<char> value(value_bytes);
        for (std::uint32_t key = 0; key < entries; ++key) {
          std::fill(value.begin(), value.end(), static_cast<char>('a' + key));
          EXPECT_EQ(s.update(map, value.data(), key), 0);
        }
        EXPECT_EQ(s.hash(map, address_of(out.data()), 32), -EPERM) << "not frozen";
        EXPECT_EQ(s.freeze(map), 0);
        return s.hash(map, address_of(out.data()), 32);
      };
      EXPECT_EQ(hashed(*theirs_, kernel), 0);
      EXPECT_EQ(hashed(*ours_, here), 0);
      EXPECT_EQ(sign::hex(here), sign::hex(kernel)) << value_bytes << " bytes, " << entries << " elements";
    }
  for (const bool frozen : {false, true})
    for (const std::uint32_t type : {std::uint32_t{kArray}, std::uint32_t{uapi::BPF_MAP_TYPE_HASH}, std::uint32_t{uapi::BPF_MAP_TYPE_PERCPU_ARRAY},
                                     std::uint32_t{uapi::BPF_MAP_TYPE_PROG_ARRAY}})
      for (const std::uint64_t into : {std::uint64_t{0}, std::uint64_t{16}, address_of(here.data())})
        for (const std::uint32_t bytes : {0u, 16u, 32u, 33u})
          same("hash", [&](Side& s) {
            const long map = s.map(type, 4, type == uapi::BPF_MAP_TYPE_PROG_ARRAY ? 4 : 8, 1);
            if (frozen) s.freeze(map);
            return s.hash(map, into, bytes);
          });
}

TEST_F(SigningNative, CountedArrays) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto with = [&](const char* what, auto fds_of, std::uint32_t count = UINT32_MAX) {
    same(what, [&](Side& s) {
      std::vector<int> fds = fds_of(s);
      return s.load(plain_, {.fd_array = address_of(fds.data()), .fd_array_cnt = count == UINT32_MAX ? static_cast<std::uint32_t>(fds.size()) : count});
    });
  };
  const auto array = [](Side& s) { return static_cast<int>(s.map(kArray, 4, 8, 1)); };
  with("one", [&](Side& s) { return std::vector{array(s)}; });
  with("a gap", [&](Side& s) { return std::vector{array(s), -1}; });
  with("closed", [&](Side& s) { return std::vector{array(s), 99'999}; });
  with("a socket", [&](Side& s) { return std::vector{array(s), socket}; });
  with("a program", [&](Side& s) { return std::vector{array(s), static_cast<int>(s.load(plain_, {}))}; });
  with("twice", [&](Side& s) { const int map = array(s); return std::vector{map, map}; });
  for (const int maps : {64, 65})
    with("many", [&](Side& s) {
      std::vector<int> fds;
      for (int i = 0; i < maps; ++i) fds.push_back(array(s));
      return fds;
    });
  with("far too many", [&](Side& s) { return std::vector{array(s)}; }, 1u << 30);
  with("just too many", [&](Side& s) { return std::vector{array(s)}; }, (1u << 30) - 1);
  same("no array", [&](Side& s) { return s.load(plain_, {.fd_array = 0, .fd_array_cnt = 1}); });
  same("unreadable", [&](Side& s) { return s.load(plain_, {.fd_array = 16, .fd_array_cnt = 1}); });
  ::close(socket);
  // Differs, and is right here: 6.18 compares the digest of an exclusive map in a counted array before it has computed the program's.
  const auto own = [&](Side& s) {
    const auto map = static_cast<int>(s.exclusive(digest_of(by_index_)));
    return s.load(by_index_, {.fd_array = address_of(&map), .fd_array_cnt = 1});
  };
  EXPECT_GT(own(*ours_), 0);
}

TEST_F(SigningNative, SignatureAttributes) {
  const std::vector<char> junk(10'000, 'x');
  const std::uint64_t at = address_of(junk.data());
  for (const std::uint64_t signature : {std::uint64_t{0}, at, std::uint64_t{16}})
    for (const std::uint32_t bytes : {1u, 10u, 8193u, 1u << 26})
      for (const std::int32_t ring : {3, 99, INT_MAX, INT_MIN}) 
        same("no such keyring", [&](Side& s) { return s.load(plain_, {.signature = signature, .signature_size = bytes, .keyring = ring}); });
  for (const std::int32_t ring : {0, 1, 2}) {
    same("unreadable", [&](Side& s) { return s.load(plain_, {.signature = 16, .signature_size = 10, .keyring = ring}); });
    same("too large", [&](Side& s) { return s.load(plain_, {.signature = at, .signature_size = 8193, .keyring = ring}); });
  }
  EXPECT_GT(compared_, 50);
}

TEST_F(SigningNative, Signatures) {
  if (::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr) < 0) GTEST_SKIP() << "no keyrings";
  unsigned char* der = nullptr;
  const int der_bytes = i2d_X509(key_.x509.get(), &der);
  const long added = ::syscall(SYS_add_key, "asymmetric", "ring3", der, der_bytes, KEY_SPEC_SESSION_KEYRING);
  OPENSSL_free(der);
  if (added < 0) GTEST_SKIP() << "the machine's kernel takes no X.509 keys";
  StringSink log;
  const sign::Bytes part = std::as_bytes(std::span(plain_));
  const std::vector<std::byte> good = sign::make_signature({&part, 1}, key_.key, key_.certificate, log).value();
  const auto load = [&](Side& s, const std::vector<std::byte>& signature, const Insns& insns) {
    return s.load(insns, {.signature = address_of(signature.data()), .signature_size = static_cast<std::uint32_t>(signature.size()), .keyring = kSessionRing});
  };
  if (load(*theirs_, good, plain_) == -EOPNOTSUPP) GTEST_SKIP() << "the machine's kernel verifies no signatures";
  same("good", [&](Side& s) { return load(s, good, plain_); });
  same("other instructions", [&](Side& s) { return load(s, good, by_index_); });
  const test::TestKey stranger = test::make_test_key("stranger");
  const std::vector<std::byte> unknown = sign::make_signature({&part, 1}, stranger.key, stranger.certificate, log).value();
  same("unknown key", [&](Side& s) { return load(s, unknown, plain_); });
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{20}, good.size() / 2, good.size() - 1})
    same("truncated", [&](Side& s) { return load(s, {good.begin(), good.begin() + static_cast<std::ptrdiff_t>(bytes)}, plain_); });
}

}  // namespace
}  // namespace ring3::native
