// Loaders that libbpf generates of compiled objects, unsigned and signed (behaviour.md E.5, E.6, F.4 step 6).
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "cli/signed_loader.h"
#include "test_host_btf.h"
#include "tests/integration/libbpf_door.h"
#include "tests/integration/signing_world.h"

namespace ring3::test {
namespace {

// What a loader takes and fills in.
struct MapEntry {
  std::int32_t fd = 0;
  std::uint32_t max_entries = 0;
  std::uint64_t initial_value = 0;
};
struct LightContext {
  std::uint32_t size = sizeof(LightContext), flags = 0, log_level = 0, log_size = 0;
  std::uint64_t log = 0;
  MapEntry maps[5];
  std::int32_t count = 0, doubles = 0;

  MapEntry& of(const cli::SignedLoader& loader, std::string_view name) {
    for (std::size_t i = 0; i < loader.maps.size(); ++i)
      if (loader.maps[i] == name) return maps[i];
    ADD_FAILURE() << "no map " << name;
    return maps[0];
  }
};

std::vector<std::byte> file_bytes(const std::string& name) {
  std::ifstream file(std::string(RING3_MODULE_DIR "/") + name + ".bpf.o", std::ios::binary);
  const std::vector<char> raw((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto* first = reinterpret_cast<const std::byte*>(raw.data());
  return {first, first + raw.size()};
}

class Generated : public SigningWorld {
 protected:
  explicit Generated(LoadPolicy policy = LoadPolicy::kOff) : SigningWorld(policy) {}

  cli::SignedLoader generate(const std::string& object) {
    std::string why;
    Result<cli::SignedLoader> loader = cli::generate_loader(file_bytes(object), object, why);
    EXPECT_TRUE(loader.ok()) << why;
    return loader.ok() ? std::move(loader).value() : cli::SignedLoader{};
  }
  /// Ready to be sent: the map is made, filled and frozen. Unsigned.
  Load loader_load(const cli::SignedLoader& loader) {
    Load load = prepare("r0 = 0\nexit");
    load.sent.insns.resize(loader.insns.size() / sizeof(isa::RawInsn));
    std::memcpy(load.sent.insns.data(), loader.insns.data(), loader.insns.size());
    load.sent.attr.log_level = 4;  // what the verifier says of many steps does not fit
    load.sent.attr.insn_cnt = static_cast<std::uint32_t>(load.sent.insns.size());
    content_.assign(reinterpret_cast<const char*>(loader.data.data()), loader.data.size());
    load.fds = {exclusive_map(load.digest(), content_)};
    return load;
  }
  /// What the loader returns.
  template <typename Context>
  long run_loader(long program, Context& context) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.test.prog_fd = static_cast<std::uint32_t>(program);
    attr.test.ctx_in = reinterpret_cast<std::uintptr_t>(&context);
    attr.test.ctx_size_in = sizeof context;
    const long done = bpf().bpf(uapi::BPF_PROG_TEST_RUN, attr);
    return done < 0 ? done : static_cast<std::int32_t>(attr.test.retval);
  }
  void close_all(LightContext& c) {
    for (const MapEntry& map : c.maps) ::close(map.fd);
    for (const int fd : {c.count, c.doubles}) ::close(fd);
    c = {};
  }
  template <typename T>
  T value(const MapEntry& map) {
    T value{};
    EXPECT_EQ(bpf().lookup(map.fd, &value), 0);
    return value;
  }

  std::string content_;
};

TEST_F(Generated, E_22_ALoaderHasAtMost64Maps) {
  const cli::SignedLoader loader = generate("maps_64");
  EXPECT_EQ(loader.maps.size(), 64u);
  struct {
    LightContext head;
    char rest[64 * sizeof(MapEntry) + 64] = {};
  } context;
  context.head.size = 24 + 64 * sizeof(MapEntry) + sizeof(std::int32_t);
  Load load = loader_load(loader);
  const long program = send(load);
  ASSERT_GT(program, 0) << text_;
  EXPECT_EQ(run_loader(program, context), 0);
  auto* maps = reinterpret_cast<MapEntry*>(reinterpret_cast<char*>(&context) + 24);
  for (int i = 0; i < 64; ++i) {
    EXPECT_GT(maps[i].fd, 0) << i;
    ::close(maps[i].fd);
  }
  ::close(*reinterpret_cast<std::int32_t*>(maps + 64));
  std::string why;
  EXPECT_FALSE(cli::generate_loader(file_bytes("maps_65"), "maps_65", why).ok());
  EXPECT_NE(why.find("Total maps exceeds 64"), std::string::npos) << why;
}

TEST_F(Generated, E_23_AnUnsignedLoadersRunnerChooses) {
  const cli::SignedLoader loader = generate("light");
  Load load = loader_load(loader);
  const long program = send(load);
  ASSERT_GT(program, 0) << text_;
  LightContext context;
  ASSERT_EQ(run_loader(program, context), 0);
  EXPECT_EQ(bpf().map_info(context.of(loader, "lengths").fd).max_entries, 1u);
  EXPECT_EQ(value<std::uint64_t>(context.of(loader, "light.data")), 5u);
  close_all(context);

  const std::uint64_t chosen = 8;
  context.of(loader, "lengths").max_entries = 2;
  context.of(loader, "light.data").initial_value = reinterpret_cast<std::uintptr_t>(&chosen);
  ASSERT_EQ(run_loader(program, context), 0);
  EXPECT_EQ(bpf().map_info(context.of(loader, "lengths").fd).max_entries, 2u);
  EXPECT_EQ(value<std::uint64_t>(context.of(loader, "light.data")), 8u);
  close_all(context);
}

class GeneratedAndSigned : public Generated {
 protected:
  GeneratedAndSigned() : Generated(LoadPolicy::kEnforce) {}
};

/// F.4 step 6: what `ring3 sign` makes of an object, where nothing else loads.
TEST_F(GeneratedAndSigned, E_24_ASignedLoaderIsTheOnlyWayIn) {
  {
    LibbpfDoor door(*runtime_, test_host_btf);
    ObjectFile object(RING3_MODULE_DIR "/light.bpf.o");
    EXPECT_EQ(object.load(), -EPERM) << door.take_text();
  }
  cli::SignedLoader loader = generate("light");
  EXPECT_EQ(loader.programs, (std::vector<std::string>{"count", "doubles"}));
  ASSERT_TRUE(cli::settle_choices(loader));
  Load load = loader_load(loader);
  EXPECT_EQ(send(load), -EPERM);
  sign(load, stranger_, {content_});
  EXPECT_EQ(send(load), -ENOKEY);
  sign(load, release_, {content_});
  const long program = send(load);
  ASSERT_GT(program, 0) << text_;
  decisions_.take();
  LightContext context;
  ASSERT_EQ(run_loader(program, context), 0);
  const auto said = decisions_.take();
  ASSERT_EQ(said.size(), 2u);
  for (const auto& each : said) {
    EXPECT_EQ(each.provenance.verdict, Provenance::Verdict::kLoader) << each.program;
    EXPECT_EQ(each.provenance.signer, "CN = release");
    EXPECT_EQ(each.error, Errno{});
  }
  EXPECT_EQ(bpf().run_on_packet(context.count), 64 - 14) << "what follows the Ethernet header";
  close_all(context);
}

TEST_F(GeneratedAndSigned, E_24_ItsRunnerHasNoChoice) {
  cli::SignedLoader loader = generate("light");
  ASSERT_TRUE(cli::settle_choices(loader));
  Load load = loader_load(loader);
  sign(load, release_, {content_});
  const long program = send(load);
  ASSERT_GT(program, 0) << text_;
  const std::uint64_t chosen = 8;
  LightContext context;
  for (MapEntry& entry : context.maps) {
    entry.max_entries = 4096 * 16;
    entry.initial_value = reinterpret_cast<std::uintptr_t>(&chosen);
  }
  ASSERT_EQ(run_loader(program, context), 0);
  EXPECT_EQ(bpf().map_info(context.of(loader, "lengths").fd).max_entries, 1u);
  EXPECT_EQ(bpf().map_info(context.of(loader, "records").fd).max_entries, 4096u);
  EXPECT_EQ(value<std::uint64_t>(context.of(loader, "light.data")), 5u);
  EXPECT_EQ(value<std::uint32_t>(context.of(loader, "light.rodata")), 1u);
  close_all(context);
}

TEST_F(GeneratedAndSigned, E_24_AnyByteOfTheLoaderCounts) {
  cli::SignedLoader loader = generate("light");
  ASSERT_TRUE(cli::settle_choices(loader));
  Load good = loader_load(loader);
  sign(good, release_, {content_});
  for (std::size_t at = 0; at < loader.data.size(); at += 97) {
    cli::SignedLoader other = loader;
    other.data[at] ^= std::byte{1};
    Load load = loader_load(other);
    load.signature = good.signature;
    EXPECT_EQ(send(load), -EKEYREJECTED) << at;
    for (const std::int32_t fd : load.fds) bpf().close(fd);
  }
  for (std::size_t at = 0; at < loader.insns.size(); at += 211) {
    cli::SignedLoader other = loader;
    other.insns[at] ^= std::byte{1};
    Load load = loader_load(other);
    load.signature = good.signature;
    const long refused = send(load);
    EXPECT_TRUE(refused == -EKEYREJECTED || refused == -EACCES) << at << ": " << refused;
    for (const std::int32_t fd : load.fds) bpf().close(fd);
  }
}

TEST(SignedLoaderFile, IsReadAsItWasWritten) {
  const cli::SignedLoader loader{.insns = std::vector<std::byte>(16), .data = {std::byte{1}}, .signature = {std::byte{2}},
                                 .ring = -3, .maps = {"a", ""}, .programs = {"b"}};
  const std::vector<std::byte> file = cli::pack(loader);
  const cli::SignedLoader back = cli::unpack(file).value();
  EXPECT_EQ(back.insns, loader.insns);
  EXPECT_EQ(back.data, loader.data);
  EXPECT_EQ(back.signature, loader.signature);
  EXPECT_EQ(back.ring, -3);
  EXPECT_EQ(back.maps, loader.maps);
  EXPECT_EQ(back.programs, loader.programs);
  for (std::size_t bytes = 0; bytes < file.size(); ++bytes) EXPECT_FALSE(cli::unpack(std::span(file).first(bytes)).ok()) << bytes;
  std::vector<std::byte> longer = file;
  longer.push_back(std::byte{});
  EXPECT_FALSE(cli::unpack(longer).ok());
}

TEST_F(Generated, TablesOfStructOpsHaveNoLoader) {
  std::string why;
  EXPECT_EQ(cli::generate_loader(file_bytes("calc"), "calc", why).error(), Errno::kOpNotSupp);
  EXPECT_NE(why.find("struct_ops"), std::string::npos);
}

}  // namespace
}  // namespace ring3::test
