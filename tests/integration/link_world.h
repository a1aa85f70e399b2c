// A target with functions to replace and to trace, and what attaches to them, in text: shared by the D checks of links.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "btf/builder.h"
#include "tests/integration/world.h"

namespace ring3::test {

/// The functions of all programs here, in one BTF blob: a function's id is the same whoever uses it.
class LinkWorld : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    make_types();
  }
  /// Also for a client that has closed everything.
  void make_types() {
    btf::Builder b;
    const auto i32 = b.add_int("int", 4, 1);
    const auto ctx = b.add_ptr(b.add_struct("__sk_buff", 4, {{"len", i32, 0}}));
    const auto main_proto = b.add_proto(i32, {{"skb", ctx}});
    const auto number_proto = b.add_proto(i32, {{"a", i32}}), two_proto = b.add_proto(i32, {{"skb", ctx}, {"a", i32}});
    main_ = b.add_func("main", main_proto, btf::Linkage::kGlobal);
    number_ = b.add_func("number", number_proto, btf::Linkage::kGlobal);
    two_ = b.add_func("two", two_proto, btf::Linkage::kGlobal);
    quiet_ = b.add_func("quiet", number_proto, btf::Linkage::kStatic);
    new_number_ = b.add_func("new_number", number_proto, btf::Linkage::kGlobal);
    new_two_ = b.add_func("new_two", two_proto, btf::Linkage::kGlobal);
    pulls_ = b.add_func("pulls", main_proto, btf::Linkage::kGlobal);
    btf_ = bpf().load_btf(b.finish());
    ASSERT_GT(btf_, 0) << bpf().log();
    seen_ = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, 8));
    ASSERT_GT(seen_, 0);
  }

  /// Functions in text and the FUNC of each, main first. Returns the descriptor or a negative errno; text_ has the log.
  struct Part {
    std::string text;
    std::uint32_t func = 0;  // 0: without a record
  };
  struct Load {
    std::uint32_t type = uapi::BPF_PROG_TYPE_SCHED_CLS;
    std::uint32_t attach_type = 0;
    long onto = 0;
    std::uint32_t function = 0;
    std::vector<std::int32_t> maps = {};
  };
  long load(const std::vector<Part>& parts, const Load& as) {
    std::string text;
    std::vector<std::uint32_t> records;
    std::uint32_t at = 0;
    for (const Part& part : parts) {
      if (part.func != 0) records.insert(records.end(), {at, part.func});
      text += part.text;
      at += slots_of(part.text);
    }
    std::vector<std::int32_t> maps = as.maps;
    if (maps.empty()) maps = {static_cast<std::int32_t>(seen_)};
    PreparedLoad prepared =
        bpf().prepare({.text = text, .member = as.attach_type, .prog_type = as.type, .attach_btf_id = as.function, .map_fds = maps});
    prepared.attr.attach_prog_fd = static_cast<std::uint32_t>(as.onto);
    if (!records.empty()) {
      prepared.attr.prog_btf_fd = static_cast<std::uint32_t>(btf_);
      prepared.attr.func_info = reinterpret_cast<std::uintptr_t>(records.data());
      prepared.attr.func_info_rec_size = 8;
      prepared.attr.func_info_cnt = static_cast<std::uint32_t>(records.size() / 2);
    }
    const long fd = bpf().create_with(uapi::BPF_PROG_LOAD, prepared.attr);
    text_ = prepared.log.data();
    return fd;
  }
  static std::uint32_t slots_of(const std::string& text) {
    std::uint32_t slots = 0;
    for (std::size_t start = 0; start < text.size();) {
      const std::size_t end = text.find('\n', start);
      const std::string line = text.substr(start, end - start);
      if (!line.empty() && line.back() != ':') slots += line.find("map[") != std::string::npos ? 2 : 1;
      start = end == std::string::npos ? text.size() : end + 1;
    }
    return slots;
  }

  /// main: number(7) + two(skb, 30) + quiet(100), where number gives its argument, two one more, quiet two more.
  long target() {
    const long fd = load({{"r6 = r1\nr1 = 7\ncall number\nr7 = r0\nr1 = r6\nr2 = 30\ncall two\nr7 += r0\nr1 = 100\ncall quiet\nr0 += r7\nexit\n", main_},
                          {"number:\nr0 = r1\nexit\n", number_},
                          {"two:\nr0 = r2\nr0 += 1\nexit\n", two_},
                          {"quiet:\nr0 = r1\nr0 += 2\nexit\n", quiet_}}, {});
    EXPECT_GT(fd, 0) << text_;
    return fd;
  }
  static constexpr long kPlain = 7 + 31 + 102;

  long replacement(long onto, std::uint32_t function, const std::string& text, std::vector<std::int32_t> maps = {}) {
    const long fd = load({{text, function == two_ ? new_two_ : function == main_ ? main_ : new_number_}},
                         {.type = uapi::BPF_PROG_TYPE_EXT, .onto = onto, .function = function, .maps = std::move(maps)});
    EXPECT_GT(fd, 0) << text_;
    return fd;
  }
  long tracer(long onto, std::uint32_t function, bool exit, const std::string& text) {
    const std::uint32_t at = exit ? uapi::BPF_TRACE_FEXIT : uapi::BPF_TRACE_FENTRY;
    const long fd = load({{text, 0}}, {.type = uapi::BPF_PROG_TYPE_TRACING, .attach_type = at, .onto = onto, .function = function});
    EXPECT_GT(fd, 0) << text_;
    return fd;
  }
  /// Text that runs with the address of seen_[key] in r0 and the context in r6.
  static std::string with_seen(int key, const std::string& body) {
    return "r6 = r1\n*(u32 *)(r10 -4) = " + std::to_string(key) +
           "\nr2 = r10\nr2 += -4\nr1 = map[name:m0]\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\n" + body + "out:\nr0 = 0\nexit\n";
  }
  /// Puts slot `slot` of the context into seen_[key].
  static std::string keeps_slot(int key, int slot) {
    return with_seen(key, "r1 = *(u64 *)(r6 +" + std::to_string(8 * slot) + ")\n*(u64 *)(r0 +0) = r1\n");
  }
  /// Adds one to seen_[key].
  static std::string counts(int key) { return with_seen(key, "r1 = *(u64 *)(r0 +0)\nr1 += 1\n*(u64 *)(r0 +0) = r1\n"); }
  std::uint64_t seen(std::uint32_t key) {
    std::uint64_t value = 0;
    EXPECT_EQ(bpf().lookup(seen_, &value, key), 0);
    return value;
  }

  /// LINK_CREATE; onto, function: 0 where they were given at load.
  long attach(long program, std::uint32_t attach_type = 0, long onto = 0, std::uint32_t function = 0, std::uint64_t cookie = 0) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.target_fd = static_cast<std::uint32_t>(onto);
    attr.link_create.attach_type = attach_type;
    attr.link_create.tracing.target_btf_id = function;
    attr.link_create.tracing.cookie = cookie;
    return bpf().create_with(uapi::BPF_LINK_CREATE, attr);
  }
  long attach_entry(long program, std::uint64_t cookie = 0) { return attach(program, uapi::BPF_TRACE_FENTRY, 0, 0, cookie); }
  long attach_exit(long program, std::uint64_t cookie = 0) { return attach(program, uapi::BPF_TRACE_FEXIT, 0, 0, cookie); }
  /// RAW_TRACEPOINT_OPEN without a name.
  long open_raw(long program) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.raw_tracepoint.prog_fd = static_cast<std::uint32_t>(program);
    return bpf().create_with(uapi::BPF_RAW_TRACEPOINT_OPEN, attr);
  }
  long run(long program) { return bpf().run_on_packet(program); }

  long btf_ = 0, seen_ = 0;
  std::uint32_t main_ = 0, number_ = 0, two_ = 0, quiet_ = 0, new_number_ = 0, new_two_ = 0, pulls_ = 0;
  std::string text_;
};

}  // namespace ring3::test
