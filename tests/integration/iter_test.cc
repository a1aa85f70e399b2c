// Iterators: what is walked, what a reader gets, what is refused. Programs are written in assembly against the BTF that
// ring3_add_btf() completes: map, prog, link and task are laid out there.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "tests/integration/world.h"

namespace ring3::test {
namespace {

class Iter : public World {
 protected:
  btf::TypeId function(const std::string& target) const { return host_btf_->find("bpf_iter_" + target, btf::Kind::kFunc); }
  std::uint32_t offset(const char* type, const char* member) const {
    return host_btf_->find_member(host_btf_->find(type, btf::Kind::kStruct), member).value().bit_off / 8;
  }

  /// Writes one word of each element; `before` runs with the element in r7 and the meta data in r6.
  std::string words(const char* type, const char* member, std::string_view before = "") const {
    return "r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +8)\nr0 = 0\nif r7 == 0 goto out\n" + std::string(before) + "r2 = *(u32 *)(r7 +" +
           std::to_string(offset(type, member)) +
           ")\n*(u32 *)(r10 -4) = r2\nr1 = *(u64 *)(r6 +0)\nr2 = r10\nr2 += -4\nr3 = 4\ncall bpf_seq_write\nr0 = 0\nout:\nexit";
  }
  /// The end of a program that writes the low word of r8; the meta data in r6.
  static constexpr const char* kWriteR8 =
      "*(u32 *)(r10 -4) = r8\nr1 = *(u64 *)(r6 +0)\nr2 = r10\nr2 += -4\nr3 = 4\ncall bpf_seq_write\nr0 = 0\nout:\nexit";
  /// maps: what map[name:m0] … stand for.
  long load(const std::string& target, const std::string& text, std::vector<std::int32_t> maps = {}, std::uint32_t log_level = 4) {
    return bpf().load({.text = text, .member = uapi::BPF_TRACE_ITER, .prog_type = uapi::BPF_PROG_TYPE_TRACING,
                       .attach_btf_id = function(target), .log_level = log_level, .map_fds = std::move(maps)});
  }
  long link(long program, const void* scope = nullptr, std::uint32_t bytes = 0) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
    attr.link_create.attach_type = uapi::BPF_TRACE_ITER;
    attr.link_create.iter_info = reinterpret_cast<std::uintptr_t>(scope);
    attr.link_create.iter_info_len = bytes;
    return bpf().create_with(uapi::BPF_LINK_CREATE, attr);
  }
  long open(long link, std::uint32_t flags = 0) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.iter_create.link_fd = static_cast<std::uint32_t>(link);
    attr.iter_create.flags = flags;
    return bpf().create_with(uapi::BPF_ITER_CREATE, attr);
  }
  static std::string read_all(long fd, std::size_t portion = 4096) {
    std::string out, piece(portion, '\0');
    for (ssize_t n; (n = ::read(static_cast<int>(fd), piece.data(), portion)) > 0;) out.append(piece.data(), static_cast<std::size_t>(n));
    return out;
  }
  static std::vector<std::uint32_t> numbers(const std::string& bytes) {
    std::vector<std::uint32_t> out(bytes.size() / 4);
    std::memcpy(out.data(), bytes.data(), out.size() * 4);
    return out;
  }
  /// A session over a fresh link; the bytes, or a negated errno.
  std::vector<std::uint32_t> walk(const std::string& target, const std::string& text) {
    const long program = load(target, text);
    EXPECT_GT(program, 0) << bpf().log();
    const long fd = open(link(program));
    EXPECT_GT(fd, 0);
    return numbers(read_all(fd));
  }
  long array(std::uint32_t entries, std::uint32_t type = uapi::BPF_MAP_TYPE_ARRAY) {
    uapi::bpf_attr attr = BpfClient::map_attr(type, 4, 4, entries);
    return bpf().create(attr);
  }
};

TEST_F(Iter, MapsAreWalkedInOrderOfTheirIds) {
  const long a = array(1), b = array(2), c = array(3);
  const std::uint32_t ids[] = {bpf().map_info(a).id, bpf().map_info(b).id, bpf().map_info(c).id};
  EXPECT_EQ(walk("bpf_map", words("bpf_map", "id")), std::vector<std::uint32_t>(std::begin(ids), std::end(ids)));
  EXPECT_EQ(walk("bpf_map", words("bpf_map", "max_entries")), (std::vector<std::uint32_t>{1, 2, 3}));
  bpf().close(b);
  EXPECT_EQ(walk("bpf_map", words("bpf_map", "max_entries")), (std::vector<std::uint32_t>{1, 3}));
}

/// bpf_map_sum_elem_count(): Linux counts the elements of hashes, of other maps it says 0.
TEST_F(Iter, ElementsOfMapsAreCounted) {
  const long hash = array(8, uapi::BPF_MAP_TYPE_HASH), lru = array(4, uapi::BPF_MAP_TYPE_LRU_HASH);
  array(3);
  uapi::bpf_attr attr = BpfClient::map_attr(uapi::BPF_MAP_TYPE_HASH, 4, 4, 8);
  attr.map_flags = uapi::BPF_F_NO_PREALLOC;
  const long on_demand = bpf().create(attr);
  const std::string count = "r1 = r7\ncall bpf_map_sum_elem_count\nr8 = r0\n";
  const std::string text = "r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +8)\nr0 = 0\nif r7 == 0 goto out\n" + count + kWriteR8;
  EXPECT_EQ(walk("bpf_map", text), (std::vector<std::uint32_t>{0, 0, 0, 0}));
  std::uint32_t value = 0;
  for (std::uint32_t key = 0; key < 6; ++key) {
    if (key < 5) {
      ASSERT_EQ(bpf().update(hash, &value, key), 0);
      ASSERT_EQ(bpf().update(hash, &value, key), 0) << "the same key again is no other element";
    }
    ASSERT_EQ(bpf().update(lru, &value, key), 0);
    ASSERT_EQ(bpf().update(on_demand, &value, key), 0);
  }
  ASSERT_EQ(bpf().erase(hash, 3), 0);
  ASSERT_EQ(bpf().erase(on_demand, 0), 0);
  EXPECT_EQ(walk("bpf_map", text), (std::vector<std::uint32_t>{4, 4, 0, 5}));
  for (std::uint32_t key = 5; key < 9; ++key) ASSERT_EQ(bpf().update(hash, &value, key), 0);
  EXPECT_EQ(bpf().update(hash, &value, 20), -E2BIG);
  EXPECT_EQ(walk("bpf_map", text), (std::vector<std::uint32_t>{8, 4, 0, 5}));
}

/// A map that a program names is counted in every kind of program; in an iterator's, beside the map that is shown.
TEST_F(Iter, ElementsOfAMapThatAProgramNamesAreCounted) {
  const long hash = array(8, uapi::BPF_MAP_TYPE_PERCPU_HASH), own = array(8, uapi::BPF_MAP_TYPE_HASH), plain = array(3);
  const std::int32_t maps[] = {static_cast<std::int32_t>(own), static_cast<std::int32_t>(plain)};
  std::uint32_t value = 7;
  for (std::uint32_t key = 0; key < 3; ++key) ASSERT_EQ(bpf().update(own, &value, key), 0);
  std::vector<std::uint64_t> copies(static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_CONF)) + 64);
  ASSERT_EQ(bpf().update(hash, copies.data(), 1), 0);
  const std::string sum = "r1 = map[name:m0]\ncall bpf_map_sum_elem_count\nr6 = r0\nr1 = map[name:m1]\ncall bpf_map_sum_elem_count\nr0 <<= 8\nr0 |= r6\nexit";
  for (const std::uint32_t type : {uapi::BPF_PROG_TYPE_SCHED_CLS, uapi::BPF_PROG_TYPE_XDP, uapi::BPF_PROG_TYPE_SOCKET_FILTER}) {
    const long program = bpf().load({.text = sum, .prog_type = type, .map_fds = {std::begin(maps), std::end(maps)}});
    ASSERT_GT(program, 0) << bpf().log();
    EXPECT_EQ(bpf().run_on_packet(program), 3) << "arrays do not count";
  }
  const std::string both = std::string("r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +8)\nr0 = 0\nif r7 == 0 goto out\nr1 = r7\ncall bpf_map_sum_elem_count\nr8 = r0\nr8 <<= 4\n"
                           "r1 = map[name:m0]\ncall bpf_map_sum_elem_count\nr8 |= r0\n") + kWriteR8;
  EXPECT_EQ(numbers(read_all(open(link(load("bpf_map", both, {maps[0]}))))), (std::vector<std::uint32_t>{0x13, 0x33, 0x03})) << bpf().log();
}

TEST_F(Iter, ElementsAreCountedOfTheMapThatIsShownAndOfNoOther) {
  const long hash = array(8, uapi::BPF_MAP_TYPE_HASH);
  const std::int32_t maps[] = {static_cast<std::int32_t>(hash)};
  const std::string before = "r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +8)\nr0 = 0\n", tested = before + "if r7 == 0 goto out\n",
                    count = std::string("call bpf_map_sum_elem_count\nr8 = r0\n") + kWriteR8;
  const struct {
    std::string text;
    long code;
    const char* words;
  } refused[] = {
      {before + "r1 = r7\n" + count, -EACCES, "Possibly NULL pointer passed to trusted arg0"},
      {tested + "r1 = 0\n" + count, -EACCES, "Possibly NULL pointer passed to trusted arg0"},
      {tested + "r1 = r6\n" + count, -EINVAL,
       "kernel function bpf_map_sum_elem_count args#0 expected pointer to STRUCT bpf_map but R1 has a pointer to STRUCT bpf_iter_meta"},
      {tested + "r1 = r7\nr1 += 8\n" + count, -EINVAL, "kernel function bpf_map_sum_elem_count args#0 expected pointer to STRUCT bpf_map"},
  };
  for (const auto& row : refused) {
    EXPECT_EQ(load("bpf_map", row.text, {}, 1), row.code) << row.text;
    EXPECT_NE(bpf().log().find(row.words), std::string::npos) << bpf().log();
  }
  // One call for both would not know which of them it was given.
  const std::string one_of_them = tested + "r1 = r7\nr2 = *(u32 *)(r7 +" + std::to_string(offset("bpf_map", "id")) +
                                  ")\nif r2 == 77 goto other\ngoto count\nother:\nr1 = map[name:m0]\ncount:\n" + count;
  EXPECT_EQ(load("bpf_map", one_of_them, {maps[0]}, 1), kENotSupp) << bpf().log();
  EXPECT_NE(bpf().log().find("given as one of the host's structs is not provided by this host"), std::string::npos) << bpf().log();
}

TEST_F(Iter, ProgramsLinksAndTasksAreWalkedToo) {
  const std::string by_aux = "r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +8)\nr0 = 0\nif r7 == 0 goto out\nr7 = *(u64 *)(r7 +" +
                             std::to_string(offset("bpf_prog", "aux")) + ")\nr2 = *(u32 *)(r7 +" +
                             std::to_string(offset("bpf_prog_aux", "id")) +
                             ")\n*(u32 *)(r10 -4) = r2\nr1 = *(u64 *)(r6 +0)\nr2 = r10\nr2 += -4\nr3 = 4\ncall bpf_seq_write\nr0 = 0\nout:\nexit";
  const long first = load("bpf_prog", by_aux);
  ASSERT_GT(first, 0) << bpf().log();
  const std::uint32_t id = bpf().prog_info(first).id;
  const long walker = link(first);
  EXPECT_EQ(numbers(read_all(open(walker))), (std::vector<std::uint32_t>{id}));

  const long links = link(load("bpf_link", words("bpf_link", "id")));
  EXPECT_EQ(numbers(read_all(open(links))), (std::vector<std::uint32_t>{bpf().link_info(walker).id, bpf().link_info(links).id}));

  const std::vector<std::uint32_t> tasks = walk("task", words("task_struct", "pid"));
  EXPECT_NE(std::find(tasks.begin(), tasks.end(), static_cast<std::uint32_t>(::gettid())), tasks.end());
  const struct {
    std::uint32_t tid, pid, pid_fd, rest;
  } scope{static_cast<std::uint32_t>(::gettid()), 0, 0, 0};
  const long one = link(load("task", words("task_struct", "pid")), &scope, sizeof scope);
  EXPECT_EQ(numbers(read_all(open(one))), (std::vector<std::uint32_t>{scope.tid}));
  EXPECT_EQ(bpf().link_info(one).iter.task.tid, scope.tid);
}

TEST_F(Iter, TheProgramRunsOnceMoreAtTheEndAndCountsElements) {
  array(1);
  array(1);
  // At the end: the number of elements seen.
  const std::string text = "r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +8)\nif r7 != 0 goto out\nr2 = *(u64 *)(r6 +" +
                           std::to_string(offset("bpf_iter_meta", "seq_num")) +
                           ")\n*(u32 *)(r10 -4) = r2\nr1 = *(u64 *)(r6 +0)\nr2 = r10\nr2 += -4\nr3 = 4\ncall bpf_seq_write\nout:\nr0 = 0\nexit";
  EXPECT_EQ(walk("bpf_map", text), (std::vector<std::uint32_t>{2}));
}

TEST_F(Iter, EverySessionStartsAfreshAndReadsMayBeShort) {
  for (int i = 0; i < 5; ++i) array(1);
  const long iterator = link(load("bpf_map", words("bpf_map", "id")));
  const long first = open(iterator), second = open(iterator);
  const std::string whole = read_all(first);
  EXPECT_EQ(whole.size(), 20u);
  EXPECT_EQ(read_all(second, 3), whole);
  EXPECT_EQ(::lseek(static_cast<int>(first), 0, SEEK_SET), -1);
  EXPECT_EQ(errno, ESPIPE);
  EXPECT_EQ(::send(static_cast<int>(open(iterator)), "x", 1, MSG_NOSIGNAL), -1);
  // The link may go while somebody reads.
  const long third = open(iterator);
  bpf().close(iterator);
  EXPECT_EQ(read_all(third), whole);
}

TEST_F(Iter, ElementsAreReadAndWritten) {
  const long map = array(3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    const std::uint32_t value = 10 * i;
    ASSERT_EQ(bpf().update(map, &value, i), 0);
  }
  const struct {
    std::uint32_t fd, rest[3];
  } scope{static_cast<std::uint32_t>(map), {}};
  const std::string text =
      "r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +16)\nr8 = *(u64 *)(r1 +24)\nif r7 == 0 goto out\nif r8 == 0 goto out\n"
      "r2 = *(u32 *)(r7 +0)\nr3 = *(u32 *)(r8 +0)\nr3 += r2\n*(u32 *)(r8 +0) = r3\n*(u32 *)(r10 -4) = r3\n"
      "r1 = *(u64 *)(r6 +0)\nr2 = r10\nr2 += -4\nr3 = 4\ncall bpf_seq_write\nout:\nr0 = 0\nexit";
  const long program = load("bpf_map_elem", text);
  ASSERT_GT(program, 0) << bpf().log();
  EXPECT_EQ(link(program), -EBADF);
  const long iterator = link(program, &scope, sizeof scope);
  ASSERT_GT(iterator, 0);
  EXPECT_EQ(numbers(read_all(open(iterator))), (std::vector<std::uint32_t>{0, 11, 22}));
  std::uint32_t value = 0;
  ASSERT_EQ(bpf().lookup(map, &value, 2), 0);
  EXPECT_EQ(value, 22u);
  EXPECT_EQ(bpf().link_info(iterator).iter.map.map_id, bpf().map_info(map).id);

  uapi::bpf_attr queue = BpfClient::map_attr(uapi::BPF_MAP_TYPE_QUEUE, 0, 4, 4);
  const long no_keys = bpf().create(queue);
  const struct {
    std::uint32_t fd, rest[3];
  } bad{static_cast<std::uint32_t>(no_keys), {}};
  EXPECT_EQ(link(program, &bad, sizeof bad), -EINVAL);
  // Values are 4 bytes: a program that reads 8 fits no such map.
  const long wide = load("bpf_map_elem", "r8 = *(u64 *)(r1 +24)\nr0 = 0\nif r8 == 0 goto out\nr2 = *(u64 *)(r8 +0)\nout:\nexit");
  ASSERT_GT(wide, 0) << bpf().log();
  EXPECT_EQ(link(wide, &scope, sizeof scope), -EACCES);
}

/// Which maps have elements that are walked, as Linux 6.12 has it. Storage has an iterator of its own there, over sockets.
TEST_F(Iter, ElementsOfWhichKindsOfMaps) {
  const std::string count =
      "r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +16)\nif r7 == 0 goto out\nr2 = *(u32 *)(r7 +0)\n*(u32 *)(r10 -4) = r2\n"
      "r1 = *(u64 *)(r6 +0)\nr2 = r10\nr2 += -4\nr3 = 4\ncall bpf_seq_write\nout:\nr0 = 0\nexit";
  const long program = load("bpf_map_elem", count);
  ASSERT_GT(program, 0) << bpf().log();
  const struct {
    std::uint32_t type, key, value, entries, flags;
    bool walked;
  } kinds[] = {
      {uapi::BPF_MAP_TYPE_HASH, 4, 4, 4, 0, true},
      {uapi::BPF_MAP_TYPE_LRU_HASH, 4, 4, 4, 0, true},
      {uapi::BPF_MAP_TYPE_PERCPU_HASH, 4, 4, 4, 0, true},
      {uapi::BPF_MAP_TYPE_LRU_PERCPU_HASH, 4, 4, 4, 0, true},
      {uapi::BPF_MAP_TYPE_ARRAY, 4, 4, 4, 0, true},
      {uapi::BPF_MAP_TYPE_PERCPU_ARRAY, 4, 4, 4, 0, true},
      {uapi::BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0, false},
      {uapi::BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4, 0, false},
      {uapi::BPF_MAP_TYPE_STACK_TRACE, 4, 8, 4, 0, false},
      {uapi::BPF_MAP_TYPE_CGROUP_ARRAY, 4, 4, 4, 0, false},
      {uapi::BPF_MAP_TYPE_LPM_TRIE, 8, 4, 4, uapi::BPF_F_NO_PREALLOC, false},
      {uapi::BPF_MAP_TYPE_DEVMAP, 4, 4, 4, 0, false},
      {uapi::BPF_MAP_TYPE_SOCKMAP, 4, 4, 4, 0, false},
      {uapi::BPF_MAP_TYPE_CPUMAP, 4, 4, 1, 0, false},
      {uapi::BPF_MAP_TYPE_QUEUE, 0, 4, 4, 0, false},
      {uapi::BPF_MAP_TYPE_STACK, 0, 4, 4, 0, false},
      {uapi::BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0, false},
      {uapi::BPF_MAP_TYPE_BLOOM_FILTER, 0, 4, 4, 0, false},
      {uapi::BPF_MAP_TYPE_ARENA, 0, 0, 1, uapi::BPF_F_MMAPABLE, false},
  };
  for (const auto& kind : kinds) {
    uapi::bpf_attr attr = BpfClient::map_attr(kind.type, kind.key, kind.value, kind.entries);
    attr.map_flags = kind.flags;
    const long map = bpf().create(attr);
    ASSERT_GE(map, 0) << kind.type;
    const struct {
      std::uint32_t fd, rest[3];
    } scope{static_cast<std::uint32_t>(map), {}};
    const long iterator = link(program, &scope, sizeof scope);
    if (!kind.walked) {
      EXPECT_EQ(iterator, -EINVAL) << kind.type;
      continue;
    }
    ASSERT_GT(iterator, 0) << kind.type;
    const bool is_array = kind.type == uapi::BPF_MAP_TYPE_ARRAY || kind.type == uapi::BPF_MAP_TYPE_PERCPU_ARRAY;
    std::vector<std::byte> value(8 * 1024);  // of every CPU
    for (const std::uint32_t key : {3u, 1u}) ASSERT_EQ(bpf().update(map, value.data(), key), 0) << kind.type;
    std::vector<std::uint32_t> keys = numbers(read_all(open(iterator)));
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(keys, is_array ? (std::vector<std::uint32_t>{0, 1, 2, 3}) : (std::vector<std::uint32_t>{1, 3})) << kind.type;
  }
  // A map of maps, and what is no map.
  uapi::bpf_attr outer = BpfClient::map_attr(uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 1);
  outer.inner_map_fd = static_cast<std::uint32_t>(array(1));
  for (const auto& [fd, error] : {std::pair<long, long>{bpf().create(outer), -EINVAL}, {program, -EINVAL}, {1000, -EBADF}}) {
    const struct {
      std::uint32_t fd, rest[3];
    } scope{static_cast<std::uint32_t>(fd), {}};
    EXPECT_EQ(link(program, &scope, sizeof scope), error) << fd;
  }
}

TEST_F(Iter, ValuesAreShownByTheHostsTypes) {
  array(5);
  const std::string type = std::to_string(host_btf_->find("bpf_map", btf::Kind::kStruct));
  const auto show = [&](const std::string& flags, const std::string& bytes = "16", const std::string& type_id = "") {
    return "r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +8)\nr0 = 0\nif r7 == 0 goto out\n*(u64 *)(r10 -16) = r7\nr2 = " +
           (type_id.empty() ? type : type_id) + "\n*(u32 *)(r10 -8) = r2\nr2 = 0\n*(u32 *)(r10 -4) = r2\nr1 = *(u64 *)(r6 +0)\n" +
           "r2 = r10\nr2 += -16\nr3 = " + bytes + "\nr4 = " + flags + "\ncall bpf_seq_printf_btf\nif r0 == 0 goto out\n" +
           "*(u64 *)(r10 -16) = r0\nr1 = *(u64 *)(r6 +0)\nr2 = r10\nr2 += -16\nr3 = 4\ncall bpf_seq_write\nr0 = 0\nout:\nexit";
  };
  const auto text = [&](const std::string& program) {
    const long fd = load("bpf_map", program);
    EXPECT_GT(fd, 0) << bpf().log();
    return read_all(open(link(fd)));
  };
  const std::string named = text(show("1"));
  EXPECT_EQ(named.rfind("(struct bpf_map){", 0), 0u) << named;
  EXPECT_NE(named.find(".max_entries = (unsigned int)5,"), std::string::npos) << named;
  EXPECT_EQ(named.find('\n'), std::string::npos) << named;
  const std::string lines = text(show("0"));
  EXPECT_NE(lines.find("{\n .map_type = (unsigned int)2,\n"), std::string::npos) << lines;
  EXPECT_EQ(numbers(text(show("16"))).at(0), static_cast<std::uint32_t>(-EINVAL)) << "an unknown flag";
  EXPECT_EQ(numbers(text(show("0", "12"))).at(0), static_cast<std::uint32_t>(-EINVAL));
  EXPECT_EQ(numbers(text(show("0", "16", "999999"))).at(0), static_cast<std::uint32_t>(-EINVAL));
}

TEST_F(Iter, AnswersOfTheProgramAreLinuxs) {
  array(1);
  // 1: the same element again, later. Nothing was written before it, so there is nothing to give out.
  const long again = link(load("bpf_map", "r7 = *(u64 *)(r1 +8)\nr0 = 1\nif r7 != 0 goto out\nr0 = 0\nout:\nexit"));
  EXPECT_EQ(open(again), -EAGAIN);
  // 2: refused by the verifier.
  EXPECT_EQ(load("bpf_map", "r0 = 2\nexit"), -EINVAL);
  // One element that fits nowhere.
  const std::string much = "r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +8)\nr0 = 0\nif r7 == 0 goto out\nr8 = 0\n*(u64 *)(r10 -8) = r8\n"
                           "more:\nr1 = *(u64 *)(r6 +0)\nr2 = r10\nr2 += -8\nr3 = 8\ncall bpf_seq_write\nr8 += 1\nif r8 < 5000 goto more\n"
                           "r0 = 0\nout:\nexit";
  const long program = load("bpf_map", much);
  ASSERT_GT(program, 0) << bpf().log();
  EXPECT_EQ(open(link(program)), -E2BIG);
}

TEST_F(Iter, LongOutputsComeAsTheyAreRead) {
  constexpr int kMaps = 200;
  for (int i = 0; i < kMaps; ++i) array(1);
  // 2,048 bytes an element: more than a stream or the buffer holds.
  const std::string text = "r6 = *(u64 *)(r1 +0)\nr7 = *(u64 *)(r1 +8)\nr0 = 0\nif r7 == 0 goto out\nr2 = *(u32 *)(r7 +" +
                           std::to_string(offset("bpf_map", "id")) +
                           ")\n*(u32 *)(r10 -4) = r2\n*(u32 *)(r10 -8) = r2\nr8 = 0\n"
                           "more:\nr1 = *(u64 *)(r6 +0)\nr2 = r10\nr2 += -8\nr3 = 8\ncall bpf_seq_write\nr8 += 1\nif r8 < 256 goto more\n"
                           "r0 = 0\nout:\nexit";
  const long iterator = link(load("bpf_map", text));
  ASSERT_GT(iterator, 0) << bpf().log();
  const std::vector<std::uint32_t> seen = numbers(read_all(open(iterator)));
  EXPECT_EQ(seen.size(), kMaps * 512u);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  // A reader that goes in the middle: nothing is left behind (the world's end checks it).
  const long half = open(iterator);
  char byte[1];
  EXPECT_EQ(::read(static_cast<int>(half), byte, 1), 1);
  bpf().close(half);
}

TEST_F(Iter, LinksAreUpdatedAndDescribed) {
  array(7);
  const long ids = load("bpf_map", words("bpf_map", "id"));
  const long entries = load("bpf_map", words("bpf_map", "max_entries"));
  const long iterator = link(ids);
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_update.link_fd = static_cast<std::uint32_t>(iterator);
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(entries);
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), 0);
  EXPECT_EQ(numbers(read_all(open(iterator))), (std::vector<std::uint32_t>{7}));
  attr.link_update.flags = uapi::BPF_F_REPLACE;
  attr.link_update.old_prog_fd = static_cast<std::uint32_t>(ids);
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), -EPERM);
  attr.link_update.flags = 0;
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), -EINVAL);
  const long other = load("bpf_link", words("bpf_link", "id"));
  attr.link_update.old_prog_fd = 0;
  attr.link_update.new_prog_fd = static_cast<std::uint32_t>(other);
  EXPECT_EQ(bpf().bpf(uapi::BPF_LINK_UPDATE, attr), -EINVAL);
  EXPECT_EQ(bpf().link_detach(iterator), -EOPNOTSUPP);

  uapi::bpf_link_info info{};
  char name[16] = {};
  info.iter.target_name = reinterpret_cast<std::uintptr_t>(name);
  info.iter.target_name_len = sizeof name;
  EXPECT_EQ(bpf().info(iterator, &info, sizeof info), 0);
  EXPECT_EQ(info.type, static_cast<std::uint32_t>(uapi::BPF_LINK_TYPE_ITER));
  EXPECT_STREQ(name, "bpf_map");
  EXPECT_EQ(info.iter.target_name_len, 8u);
  info = {};
  info.iter.target_name = reinterpret_cast<std::uintptr_t>(name);
  info.iter.target_name_len = 4;
  EXPECT_EQ(bpf().info(iterator, &info, sizeof info), -ENOSPC);
  EXPECT_STREQ(name, "bpf");
}

TEST_F(Iter, BadInputIsRefused) {
  const long program = load("bpf_map", words("bpf_map", "id"));
  const long iterator = link(program);
  EXPECT_EQ(open(iterator, 1), -EINVAL);
  EXPECT_EQ(open(program), -EINVAL);
  EXPECT_EQ(open(9999), -EBADF);
  EXPECT_EQ(open(bpf().link(ready_map())), -EINVAL);  // a link, but no iterator
  const std::uint64_t scope[3] = {0, 0, 1};
  EXPECT_EQ(link(program, scope, 0), -EINVAL);
  EXPECT_EQ(link(program, nullptr, 8), -EINVAL);
  EXPECT_EQ(link(program, scope, 24), -E2BIG);
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_create.prog_fd = static_cast<std::uint32_t>(program);
  attr.link_create.attach_type = uapi::BPF_TRACE_ITER;
  attr.link_create.flags = 1;
  EXPECT_EQ(bpf().create_with(uapi::BPF_LINK_CREATE, attr), -EINVAL);
}

}  // namespace
}  // namespace ring3::test
