// The E checks of signed programs, exclusive maps, map hashes and the policy about them (behaviour.md E.6).
#include <sys/socket.h>

#include <climits>

#include "tests/integration/signing_world.h"

namespace ring3::test {
namespace {

constexpr std::string_view kReturnsSeven = "r0 = 7\nexit";
constexpr std::string_view kReadsItsMap = ".raw 18 1 6 0 0\n.raw 00 0 0 0 0\nr0 = *(u32 *)(r1 +0)\nexit";
constexpr std::string_view kNamesItsMap = ".raw 18 1 5 0 0\n.raw 00 0 0 0 0\nr0 = 0\nexit";
constexpr std::string_view kContent("\x2a\0\0\0data", 8);

class SignedPrograms : public SigningWorld {
 protected:
  /// Signed by `key` over its instructions and its map, which is as it should be.
  Load signed_load(const TestKey& key, std::string_view text = kReadsItsMap) {
    Load load = prepare(text);
    load.fds = {exclusive_map(load.digest(), kContent)};
    sign(load, key, {kContent});
    return load;
  }
};

TEST_F(SignedPrograms, E_24_WhatWasSignedLoadsAndRuns) {
  Load load = signed_load(release_);
  const long program = send(load);
  ASSERT_GT(program, 0) << text_;
  EXPECT_EQ(run(program), 42);
  // Loads over nothing but instructions, and by other rings.
  Load alone = prepare(kReturnsSeven);
  sign(alone, release_);
  EXPECT_GT(send(alone), 0) << text_;
  alone.ring = kSecondaryRing;
  EXPECT_GT(send(alone), 0) << text_;
  alone.ring = kTeamRing;
  EXPECT_EQ(send(alone), -ENOKEY);
  sign(alone, team_);
  EXPECT_GT(send(alone), 0) << text_;
  const auto said = decisions_.take();
  ASSERT_EQ(said.size(), 5u);
  EXPECT_EQ(said[0].provenance.verdict, Provenance::Verdict::kVerified);
  EXPECT_EQ(said[0].provenance.ring_name, "builtin");
  EXPECT_EQ(said[0].provenance.signer, "CN = release");
  EXPECT_EQ(said[0].digest, sign::hex(load.digest()));
  EXPECT_EQ(said[3].error, Errno::kNoKey);
  EXPECT_EQ(said[3].provenance.verdict, Provenance::Verdict::kUnsigned);
  EXPECT_EQ(said[4].provenance.ring, kTeamRing);
}

TEST_F(SignedPrograms, E_24_OtherInstructionsOrDataAreRejected) {
  Load load = prepare(kReadsItsMap);
  sign(load, release_, {kContent});
  load.sent.insns[2].off = 4;
  load.fds = {exclusive_map(load.digest(), kContent)};  // as whoever tampers with it would do
  EXPECT_EQ(send(load), -EKEYREJECTED);
  EXPECT_NE(text_.find("signature verification failed"), std::string::npos) << text_;
  load.sent.insns[2].code = 0xff;
  load.fds = {exclusive_map(load.digest(), kContent)};
  EXPECT_EQ(send(load), -EKEYREJECTED) << "before anybody looks at the instructions";

  Load other = prepare(kReadsItsMap);
  sign(other, release_, {kContent});
  std::string content(kContent);
  content[5] ^= 1;
  other.fds = {exclusive_map(other.digest(), content)};
  EXPECT_EQ(send(other), -EKEYREJECTED);
  other.fds = {exclusive_map(other.digest(), kContent)};
  EXPECT_GT(send(other), 0) << text_;
  other.fds.push_back(exclusive_map(other.digest(), kContent));
  EXPECT_EQ(send(other), -EKEYREJECTED) << "a map more than was signed";
}

TEST_F(SignedPrograms, E_24_MalformedOrByNobodyKnown) {
  Load load = signed_load(release_);
  const std::vector<std::byte> good = load.signature;
  load.signature.pop_back();
  EXPECT_EQ(send(load), -EBADMSG);
  EXPECT_NE(text_.find("signature verification failed"), std::string::npos) << text_;
  load.signature.assign(64, std::byte{0x30});
  EXPECT_EQ(send(load), -EBADMSG);
  sign(load, stranger_, {kContent});
  EXPECT_EQ(send(load), -ENOKEY);
  load.signature = good;
  EXPECT_GT(send(load), 0) << text_;
}

TEST_F(SignedPrograms, E_24_TheRingIsLookedForFirst) {
  Load load = signed_load(release_);
  for (const std::int32_t ring : {3, 99, INT_MAX, -3, -1, INT_MIN}) {
    load.ring = ring;
    EXPECT_EQ(send(load), -EINVAL) << ring;
    EXPECT_NE(text_.find("keyring"), std::string::npos) << text_;
  }
  for (const std::int32_t ring : {std::int32_t{kPlatformRing}, kEmptyRing, kTeamRing}) {
    load.ring = ring;
    EXPECT_EQ(send(load), -ENOKEY) << ring;
  }
  const auto with = [&](std::uint64_t at, std::uint32_t bytes, std::int32_t ring) {
    Load plain = prepare(kReturnsSeven);
    plain.sent.attr.signature = at;
    plain.sent.attr.signature_size = bytes;
    plain.sent.attr.keyring_id = ring;
    return bpf().create_with(uapi::BPF_PROG_LOAD, plain.sent.attr);
  };
  const std::vector<std::byte> large(8193, std::byte{1});
  const auto at = reinterpret_cast<std::uintptr_t>(large.data());
  EXPECT_EQ(with(at, 0, 0), -EINVAL);
  EXPECT_EQ(with(at, 8193, 0), -EINVAL);
  EXPECT_EQ(with(16, 8193, 99), -EINVAL);
  EXPECT_EQ(with(16, 10, 99), -EINVAL);
  EXPECT_EQ(with(at, 8192, 0), -EBADMSG);
  EXPECT_EQ(with(16, 10, 0), -ENOMEM) << "as Linux says it";
  EXPECT_GT(with(0, 10, 99), 0) << "without a buffer there is no signature";
}

TEST_F(SignedPrograms, E_25_WhatASignatureCannotCoverIsRefused) {
  Load load = prepare(kReadsItsMap);
  sign(load, release_, {kContent});
  const auto with_map = [&](std::int32_t map) {
    load.fds = {map};
    return send(load);
  };
  EXPECT_EQ(with_map(exclusive_map(load.digest(), kContent, false)), -EPERM);
  EXPECT_NE(text_.find("not frozen"), std::string::npos) << text_;
  const long open_to_all = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 1));
  EXPECT_EQ(bpf().update(open_to_all, kContent.data()), 0);
  EXPECT_EQ(bpf().freeze(open_to_all), 0);
  EXPECT_EQ(with_map(static_cast<std::int32_t>(open_to_all)), -EPERM);
  EXPECT_NE(text_.find("not exclusive"), std::string::npos) << text_;
  EXPECT_EQ(with_map(exclusive_map(load.digest(), kContent, false, uapi::BPF_MAP_TYPE_HASH)), -EINVAL);
  EXPECT_EQ(with_map(exclusive_map(load.digest(), kContent, true, uapi::BPF_MAP_TYPE_ARRAY, 2)), -EINVAL);
  EXPECT_EQ(with_map(exclusive_map(sign::Sha256{1}, kContent)), -EACCES) << "of another program";
  const auto btf = static_cast<std::int32_t>(bpf().user_btf());
  load.fds = {exclusive_map(load.digest(), kContent), btf};
  EXPECT_EQ(send(load), -EACCES);
  load.fds.pop_back();
  EXPECT_GT(send(load), 0) << text_;
}

TEST_F(SignedPrograms, E_25_MapsAreReachedThroughACountedArray) {
  Load sparse = prepare(kReadsItsMap);
  sparse.fds = {exclusive_map(sparse.digest(), kContent)};
  sparse.counted = false;
  sign(sparse, release_);
  EXPECT_EQ(send(sparse), -EACCES) << "the signature is good, but the map is not under it";
  sign(sparse, release_, {kContent});
  EXPECT_EQ(send(sparse), -EKEYREJECTED);

  Load beyond = prepare(".raw 18 1 5 0 1\n.raw 00 0 0 0 0\nr0 = 0\nexit");
  const std::int32_t covered = exclusive_map(beyond.digest(), kContent);
  beyond.fds = {covered, covered};
  sign(beyond, release_, {kContent});
  EXPECT_GT(send(beyond), 0) << "a map that is there twice is signed once: " << text_;
  beyond.fds = {covered};
  EXPECT_EQ(send(beyond), -EACCES);

  const long map = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 1));
  Load by_fd = {.sent = bpf().prepare({.text = "r1 = map[name:m0]\nr0 = 0\nexit", .flags = uapi::BPF_F_SLEEPABLE,
                                       .prog_type = uapi::BPF_PROG_TYPE_SYSCALL, .map_fds = {static_cast<std::int32_t>(map)}}),
                .fds = {}, .signature = {}};
  sign(by_fd, release_);
  EXPECT_EQ(send(by_fd), -EINVAL);
  Load relocated = prepare(kReturnsSeven);
  sign(relocated, release_);
  const uapi::bpf_core_relo record{};
  relocated.sent.attr.prog_btf_fd = static_cast<std::uint32_t>(bpf().user_btf());
  relocated.sent.attr.core_relos = reinterpret_cast<std::uintptr_t>(&record);
  relocated.sent.attr.core_relo_cnt = 1;
  relocated.sent.attr.core_relo_rec_size = sizeof record;
  EXPECT_EQ(send(relocated), -EACCES);
  EXPECT_NE(text_.find("would change what was signed"), std::string::npos) << text_;
  Load module_function = prepare(".raw 85 0 2 1 1\nr0 = 0\nexit");
  sign(module_function, release_);
  EXPECT_EQ(send(module_function), -EACCES);
}

class ExclusiveMaps : public SigningWorld {
 protected:
  long create(std::uint64_t hash, std::uint32_t bytes) {
    uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 1);
    attr.excl_prog_hash = hash;
    attr.excl_prog_hash_size = bytes;
    return bpf().create(attr);
  }
  long map_hash(long map, void* into, std::uint32_t bytes) {
    uapi::bpf_map_info info{};
    info.hash = reinterpret_cast<std::uintptr_t>(into);
    info.hash_size = bytes;
    const long done = bpf().info(map, &info, sizeof info);
    if (done == 0) {
      EXPECT_EQ(info.hash_size, bytes);
    }
    return done;
  }
};

TEST_F(ExclusiveMaps, E_26_TheDigestHas32Bytes) {
  const sign::Sha256 digest{1};
  const auto at = reinterpret_cast<std::uintptr_t>(digest.data());
  EXPECT_GT(create(at, 32), 0);
  EXPECT_EQ(create(at, 31), -EINVAL);
  EXPECT_EQ(create(at, 33), -EINVAL);
  EXPECT_EQ(create(at, 0), -EINVAL);
  EXPECT_EQ(create(0, 32), -EINVAL);
  EXPECT_EQ(create(16, 32), -EFAULT);
}

TEST_F(ExclusiveMaps, E_26_OnlyTheProgramOfThatDigestUsesIt) {
  Load own = prepare(kNamesItsMap, uapi::BPF_PROG_TYPE_SOCKET_FILTER);
  const std::int32_t map = exclusive_map(own.digest(), kContent, false);
  for (const bool counted : {false, true}) {
    own.fds = {map};
    own.counted = counted;
    EXPECT_GT(send(own), 0) << text_;
    Load other = prepare(".raw 18 1 5 0 0\n.raw 00 0 0 0 0\nr0 = 1\nexit", uapi::BPF_PROG_TYPE_SOCKET_FILTER);
    other.fds = {map};
    other.counted = counted;
    EXPECT_EQ(send(other), -EACCES);
    EXPECT_NE(text_.find("program's hash doesn't match map's excl_prog_hash"), std::string::npos) << text_;
  }
  Load bound = prepare(kReturnsSeven, uapi::BPF_PROG_TYPE_SOCKET_FILTER);
  bound.fds = {map};
  EXPECT_EQ(send(bound), -EACCES) << "named by the array alone";
  // Clients are not kept out of it.
  std::uint64_t value = 0;
  EXPECT_EQ(bpf().lookup(map, &value), 0);
}

/// Descriptors differ from load to load and are no part of the digest.
TEST_F(ExclusiveMaps, E_26_TheDigestLeavesDescriptorsOut) {
  const auto by_fd = [&](std::int32_t map) {
    return Load{.sent = bpf().prepare({.text = "r1 = map[name:m0]\nr0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER, .map_fds = {map}}),
                .fds = {}, .signature = {}};
  };
  const sign::Sha256 digest = by_fd(0).digest();
  Load load = by_fd(exclusive_map(digest, kContent));
  EXPECT_NE(load.digest(), digest);
  EXPECT_GT(send(load), 0) << text_;
}

TEST_F(ExclusiveMaps, E_26_NeverAnInnerMapNorIterated) {
  const sign::Sha256 digest{1};
  const std::int32_t map = exclusive_map(digest, kContent);
  const long plain = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 1));
  for (const auto type : {uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS, uapi::BPF_MAP_TYPE_HASH_OF_MAPS}) {
    uapi::bpf_attr attr = BpfClient::map_attr(type, 4, 4, 2);
    attr.inner_map_fd = static_cast<std::uint32_t>(map);
    EXPECT_EQ(bpf().create(attr), kENotSupp);
    attr.inner_map_fd = static_cast<std::uint32_t>(plain);
    const long outer = bpf().create(attr);
    ASSERT_GT(outer, 0);
    EXPECT_EQ(bpf().update(outer, &map), kENotSupp);
    const auto inner = static_cast<std::int32_t>(plain);
    EXPECT_EQ(bpf().update(outer, &inner), 0);
  }
  const long iterator = bpf().load({.text = "r0 = 0\nexit", .member = uapi::BPF_TRACE_ITER, .prog_type = uapi::BPF_PROG_TYPE_TRACING,
                                    .attach_btf_id = host_btf_->find("bpf_iter_bpf_map_elem", btf::Kind::kFunc)});
  ASSERT_GT(iterator, 0) << bpf().log();
  for (const long walked : {long{map}, plain}) {
    const auto scope = static_cast<std::uint32_t>(walked);
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(iterator);
    attr.link_create.attach_type = uapi::BPF_TRACE_ITER;
    attr.link_create.iter_info = reinterpret_cast<std::uintptr_t>(&scope);
    attr.link_create.iter_info_len = sizeof scope;
    EXPECT_EQ(std::min(bpf().create_with(uapi::BPF_LINK_CREATE, attr), 0L), walked == map ? -EPERM : 0);
  }
}

TEST_F(ExclusiveMaps, E_27_TheHashIsOverAllElements) {
  const long map = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 12, 3));
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(bpf().update(map, "abcdefghijkl", i), 0);
  sign::Sha256 hash{};
  EXPECT_EQ(map_hash(map, hash.data(), 32), -EPERM) << "it could change";
  EXPECT_EQ(bpf().freeze(map), 0);
  ASSERT_EQ(map_hash(map, hash.data(), 32), 0);
  // sha256sum of three times "abcdefghijkl" and four zeros, which round an element up.
  EXPECT_EQ(sign::hex(hash), "690a837d5b0f53bc68a80828817b822933714aec9068ee04412376f8a6324637");
  EXPECT_EQ(map_hash(map, hash.data(), 16), -EINVAL);
  EXPECT_EQ(map_hash(map, hash.data(), 33), -EINVAL);
  EXPECT_EQ(map_hash(map, hash.data(), 0), -EINVAL);
  EXPECT_EQ(map_hash(map, nullptr, 32), -EINVAL);
  EXPECT_EQ(map_hash(map, reinterpret_cast<void*>(std::uintptr_t{16}), 32), -EFAULT);
  EXPECT_EQ(map_hash(map, nullptr, 0), 0);
  const long other = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 8, 1));
  EXPECT_EQ(map_hash(other, hash.data(), 32), -EINVAL);
  const long percpu = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 1));
  EXPECT_EQ(map_hash(percpu, hash.data(), 32), -EINVAL);
  const std::int32_t exclusive = exclusive_map(sign::Sha256{1}, kContent, false);
  EXPECT_EQ(map_hash(exclusive, hash.data(), 32), -EPERM);
  EXPECT_EQ(bpf().freeze(exclusive), 0);
  EXPECT_EQ(map_hash(exclusive, hash.data(), 32), 0);
  EXPECT_EQ(hash, sign::sha256(std::as_bytes(std::span(kContent))).value());
}

class OnlySigned : public SigningWorld {
 protected:
  OnlySigned() : SigningWorld(LoadPolicy::kEnforce) {}

  /// A program that loads another one, which stands in its map: an attribute, two instructions, a licence.
  Load loader() {
    Load load = prepare(
        ".raw 18 6 6 0 0\n.raw 00 0 0 0 0\n"
        "r1 = r6\nr1 += 128\n*(u64 *)(r6 +8) = r1\n"
        "r1 = r6\nr1 += 160\n*(u64 *)(r6 +16) = r1\n"
        "r1 = 5\nr2 = r6\nr3 = 120\ncall bpf_sys_bpf\nexit");
    content_.assign(168, '\0');
    content_[0] = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
    content_[4] = 2;
    content_.replace(128, 16, std::string_view("\xb7\0\0\0\x07\0\0\0\x95\0\0\0\0\0\0\0", 16));
    content_.replace(160, 4, std::string_view("GPL\0", 4));
    return load;
  }
  std::string content_;
};

TEST_F(OnlySigned, E_28_UnsignedProgramsAreRefusedAndRecorded) {
  Load load = prepare(kReturnsSeven);
  EXPECT_EQ(send(load), -EPERM);
  EXPECT_NE(text_.find("signed programs only"), std::string::npos) << text_;
  const std::string line = log_.take();
  EXPECT_NE(line.find("unsigned program 'wanted' (SYSCALL, sha256 " + sign::hex(load.digest()) + ")"), std::string::npos) << line;
  EXPECT_NE(line.find("refused"), std::string::npos) << line;
  auto said = decisions_.take();
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].program, "wanted");
  EXPECT_EQ(said[0].digest, sign::hex(load.digest()));
  EXPECT_EQ(said[0].provenance.verdict, Provenance::Verdict::kUnsigned);
  EXPECT_EQ(said[0].policy, LoadPolicy::kEnforce);
  EXPECT_EQ(said[0].error, Errno::kPerm);
  EXPECT_EQ(said[0].pid, ::getpid());
  EXPECT_EQ(said[0].uid, ::getuid());
  EXPECT_EQ(bpf().next_id(uapi::BPF_PROG_GET_NEXT_ID, 0), 0u);
  // No kind of program is let off.
  EXPECT_EQ(bpf().load({.text = kReturnsSeven, .prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER}), -EPERM);
  sign(load, release_);
  EXPECT_GT(send(load), 0) << text_;
}

TEST_F(OnlySigned, E_28_WhatASignedLoaderLoadsIsVouchedFor) {
  Load load = loader();
  load.fds = {exclusive_map(load.digest(), content_)};
  EXPECT_EQ(send(load), -EPERM);
  sign(load, release_, {content_});
  const long program = send(load);
  ASSERT_GT(program, 0) << text_;
  decisions_.take();
  const long loaded = run(program);
  ASSERT_GT(loaded, 0);
  EXPECT_EQ(bpf().run_on_packet(loaded), 7);
  const auto said = decisions_.take();
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(said[0].provenance.verdict, Provenance::Verdict::kLoader);
  EXPECT_EQ(said[0].provenance.signer, "CN = release");
  EXPECT_EQ(said[0].error, Errno{});
  bpf().close(loaded);
}

class Audited : public SigningWorld {
 protected:
  Audited() : SigningWorld(LoadPolicy::kAudit) {}
};

TEST_F(Audited, E_28_AuditLetsPassWhatItRecords) {
  Load load = prepare(kReturnsSeven);
  EXPECT_GT(send(load), 0) << text_;
  const std::string line = log_.take();
  EXPECT_NE(line.find("unsigned program 'wanted'"), std::string::npos) << line;
  EXPECT_NE(line.find("would be refused"), std::string::npos) << line;
  sign(load, stranger_);
  EXPECT_EQ(send(load), -ENOKEY) << "a bad signature is refused by every policy";
  EXPECT_NE(log_.take().find("badly signed"), std::string::npos);
  sign(load, release_);
  EXPECT_GT(send(load), 0) << text_;
  EXPECT_EQ(log_.take(), "");
  const auto said = decisions_.take();
  ASSERT_EQ(said.size(), 3u);
  EXPECT_EQ(said[0].error, Errno{});
  EXPECT_EQ(said[0].policy, LoadPolicy::kAudit);
  EXPECT_EQ(said[1].error, Errno::kNoKey);
  EXPECT_EQ(said[2].provenance.verdict, Provenance::Verdict::kVerified);
}

TEST(SigningOptionsTest, KeyringsThatCannotBeReadAreNoRuntime) {
  LogLines log;
  RuntimeOptions options{.name = "signing", .btf = test_host_btf_blob(), .log = &log};
  options.signing.keyrings = {{.id = kBuiltinRing, .name = "", .certificates = {"no certificate"}}};
  EXPECT_EQ(Runtime::create(options).error(), Errno::kBadMsg);
  EXPECT_NE(log.take().find("no X.509 certificate"), std::string::npos);
}

}  // namespace
}  // namespace ring3::test
