// What BPF_BTF_LOAD and BPF_MAP_CREATE make of types: broken blobs, rings, owners of owners, ids that do not go together.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>

#include "tests/integration/kptr_world.h"

namespace ring3::test {
namespace {

using namespace uapi;
using btf::Builder;
using btf::Kind;
using btf::TypeId;

constexpr int kNotSupported = -524;  // ENOTSUPP

class Types : public KptrWorld {
 protected:
  /// A struct that owns a list of structs `element`.
  static void add_owner(ValueTypes& t, const std::string& name, const std::string& element) {
    const TypeId id = t.b.add_struct(name, 48, {{"node", t.list_node, 0}, {"lock", t.lock, 192}, {"head", t.list_head, 256}});
    t.b.add_decl_tag("contains:" + element + ":node", id, 2);
  }
  long load_chain(int length) {
    ValueTypes t;
    for (int i = 1; i < length; ++i) add_owner(t, "t" + std::to_string(i), "t" + std::to_string(i + 1));
    t.b.add_struct("t" + std::to_string(length), 24, {{"node", t.list_node, 0}});
    return load_btf(t);
  }
  /// A good blob with one thing changed.
  template <typename Change>
  long load_changed(Change change) {
    Builder b;
    b.add_int("int", 4, 1);
    std::vector<std::byte> blob = b.finish();
    change(blob);
    return bpf().load_btf(blob);
  }
  static std::uint32_t word(const std::vector<std::byte>& blob, std::size_t at) {
    std::uint32_t value;
    std::memcpy(&value, blob.data() + at, sizeof value);
    return value;
  }
  static void set_word(std::vector<std::byte>& blob, std::size_t at, std::uint32_t value) {
    std::memcpy(blob.data() + at, &value, sizeof value);
  }
};

// struct btf_header
constexpr std::size_t kVersion = 2, kHeaderBytes = 4, kTypeBytes = 12, kStringsAt = 16;

TEST_F(Types, C_25_OwnersOfOwners) {
  {
    ValueTypes t;
    add_owner(t, "a", "a");
    EXPECT_EQ(load_btf(t), -ELOOP);
  }
  {
    ValueTypes t;
    add_owner(t, "a", "b");
    add_owner(t, "b", "a");
    EXPECT_EQ(load_btf(t), -ELOOP);
  }
  EXPECT_GE(load_chain(8), 0);
  EXPECT_EQ(load_chain(9), -ELOOP);
  ValueTypes t;
  const TypeId self = t.b.next_id() + 2;
  const TypeId pointer = t.b.add_ptr(t.b.next_id() + 1);
  t.b.add_type_tag("kptr_untrusted", self);
  t.b.add_struct("self", 32, {{"node", t.list_node, 0}, {"p", pointer, 192}});
  EXPECT_GE(load_btf(t), 0) << "an untrusted pointer to itself owns nothing";
}

TEST_F(Types, C_30_BrokenBlobs) {
  EXPECT_GE(load_changed([](auto&) {}), 0);
  EXPECT_EQ(load_changed([](auto& blob) { blob[0] = std::byte{0}; }), -EINVAL) << "magic";
  EXPECT_EQ(load_changed([](auto& blob) { blob[kVersion] = std::byte{2}; }), kNotSupported) << "version";
  EXPECT_EQ(load_changed([](auto& blob) { set_word(blob, kTypeBytes, word(blob, kTypeBytes) - 4); }), -EINVAL) << "a gap";
  EXPECT_EQ(load_changed([](auto& blob) { set_word(blob, kStringsAt, word(blob, kStringsAt) - 4); }), -EINVAL) << "an overlap";
  EXPECT_EQ(load_changed([](auto& blob) { blob.back() = std::byte{'x'}; }), -EINVAL) << "strings without an end";
  EXPECT_EQ(load_changed([](auto& blob) { blob.resize((16u << 20) + 1); }), -E2BIG) << "17 MB";
  EXPECT_EQ(load_changed([](auto& blob) {
              const std::byte tail[4] = {std::byte{1}};
              blob.insert(blob.begin() + 24, tail, tail + 4);
              set_word(blob, kHeaderBytes, 28);
            }),
            -E2BIG)
      << "a header that goes on";
}

TEST_F(Types, C_31_RingsAndDepth) {
  {
    Builder b;
    const TypeId number = b.add_int("int", 4, 1);
    for (int i = 1; i < 33; ++i) b.add_ptr(b.next_id() + 1);
    b.add_ptr(number);
    EXPECT_EQ(bpf().load_btf(b.finish()), -E2BIG);
  }
  {
    Builder b;
    b.add_struct("self", 8, {{"inner", b.next_id(), 0}});
    EXPECT_EQ(bpf().load_btf(b.finish()), -EEXIST);
  }
  Builder b;
  b.add_ref(Kind::kConst, b.next_id());
  EXPECT_EQ(bpf().load_btf(b.finish()), -EEXIST) << "as Linux 6.12 and the machine's kernel say it";
}

TEST_F(Types, C_32_IdsOfKeyAndValue) {
  ValueTypes types;
  const TypeId var = types.b.add_var("number", types.u64, btf::Linkage::kGlobal);
  const btf::SecVar vars[] = {{var, 0, 8}};
  const TypeId section = types.b.add_datasec(".data", 8, vars);
  const TypeId value = types.b.add_struct("value", 8, {{"number", types.u64, 0}});
  const long btf = load_btf(types);
  ASSERT_GE(btf, 0);
  EXPECT_GE(bpf().create(map_attr(btf, BPF_MAP_TYPE_ARRAY, 0, section, 8, 0, 1)), 0) << "global data has no key";
  EXPECT_EQ(bpf().create(map_attr(btf, BPF_MAP_TYPE_HASH, 0, value, 8)), -EINVAL);
  EXPECT_EQ(bpf().create(map_attr(btf, BPF_MAP_TYPE_HASH, types.u32, value, 9)), -EINVAL);
  EXPECT_GE(bpf().create(map_attr(btf, BPF_MAP_TYPE_HASH, types.u32, value, 8)), 0);
}

}  // namespace
}  // namespace ring3::test
