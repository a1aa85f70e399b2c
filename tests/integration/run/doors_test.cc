// The same attributes through every door: the entry in the process, the socket, and a seccomp listener in front of it. Made up by the rows of the
// command table: sizes at every border, bytes behind the last field, each word as every kind of descriptor and address, and mixtures with
// a fixed seed. Whatever comes gets an answer, the same at each door, and leaves nothing.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <vector>

#include "attr_calls.h"
#include "syscall/command_table.h"
#include "test_host_btf.h"
#include "tests/integration/run/run_world.h"

namespace ring3::test {
namespace {

// A sanitizer has memory where other processes have none, from 2 GiB on: nothing may lead there that is the entry's to read and write.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

class CallWriter {
 public:
  std::vector<attr_call> all() {
    for (const syscall::Command& row : syscall::commands())
      if (row.number != uapi::BPF_MAP_FREEZE) all_of(row);
    all_of(*syscall::find_command(uapi::BPF_MAP_FREEZE));  // nothing is written after it
    for (const int unknown : {37, 38, 100, 0x7000, 1 << 20}) add(empty(unknown, sizeof(uapi::bpf_attr)));
    return std::move(calls_);
  }

 private:
  static constexpr int kMixtures = 24;

  void all_of(const syscall::Command& row) {
    sizes(row);
    places(row);
    if (deletes(row)) {  // something to delete
      attr_call put = sensible(*syscall::find_command(uapi::BPF_MAP_UPDATE_ELEM));
      put.slots[offsetof(uapi::bpf_attr, map_fd) / 4] = kFdHash;
      add(put);
    }
    words(row);
    add(sensible(row));
    for (int i = 0; i < kMixtures; ++i) mixture(row);
  }
  static attr_call empty(int command, std::uint32_t size) {
    attr_call call{};
    call.command = command;
    call.size = size;
    return call;
  }
  void add(const attr_call& call) { calls_.push_back(call); }
  static void put(attr_call& call, std::size_t at, std::uint32_t value) { std::memcpy(call.bytes + at, &value, sizeof value); }

  void sizes(const syscall::Command& row) {
    const std::uint32_t end = row.last.end(), most = sizeof(uapi::bpf_attr);
    for (const std::uint32_t size : {0u, 1u, 4u, end - 1, end, end + 1, most, most + 8, 4096u, 4097u, 8192u, UINT32_MAX}) add(empty(row.number, size));
    // Bytes behind the last field, within the record and behind it.
    for (const std::uint32_t at : {end, end + 3, most - 1})
      if (at < most && at >= end) {
        attr_call call = empty(row.number, most);
        call.bytes[at] = 1;
        add(call);
        call.size = at;  // not part of what was given
        add(call);
      }
    attr_call behind = empty(row.number, kCallAttrBytes + 8);
    behind.tail = 1;
    add(behind);
  }
  void places(const syscall::Command& row) {
    for (const std::uint8_t place : {kAtNull, kAtNothing, kAtEnd}) {
      attr_call call = empty(row.number, row.last.end());
      call.place = place;
      add(call);
    }
  }
  /// One word at a time.
  void words(const syscall::Command& row) {
    const std::size_t count = row.last.end() / 4u;
    for (std::size_t word = 0; word < count; ++word) {
      for (std::uint8_t slot = kFdHash; slot < kCallSlots; ++slot) {
        if (slot >= kFirstPointer && (word % 2 != 0 || word + 1 >= count || counts(row, word) || counts(row, word + 1))) continue;
        attr_call call = sensible(row);
        if (is_upper_half(call, word) || (kSanitized && word % 2 != 0)) continue;
        call.slots[word] = slot;
        add(call);
      }
      if (kSanitized) continue;
      for (const std::uint32_t value : {1u, 2u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
        attr_call call = empty(row.number, row.last.end());
        put(call, word * 4, value);
        add(call);
      }
    }
  }
  /// A number that says how much: how often a program runs, how large a map is. As much as a client likes, but not here.
  static bool counts(const syscall::Command& row, std::size_t word) {
    if (row.number == uapi::BPF_PROG_TEST_RUN) return word == offsetof(uapi::bpf_attr, test.repeat) / 4;
    return row.number == uapi::BPF_MAP_CREATE && word >= offsetof(uapi::bpf_attr, key_size) / 4 && word <= offsetof(uapi::bpf_attr, max_entries) / 4;
  }
  static bool deletes(const syscall::Command& row) {
    return row.number == uapi::BPF_MAP_DELETE_ELEM || row.number == uapi::BPF_MAP_LOOKUP_AND_DELETE_ELEM;
  }
  /// Of an address. With another one it may lead to memory that one process has and another has not (a sanitizer's).
  static bool is_upper_half(const attr_call& call, std::size_t word) { return word % 2 != 0 && call.slots[word - 1] >= kFirstPointer; }
  /// What the command could do something with; zeros for the rest.
  attr_call sensible(const syscall::Command& row) {
    attr_call call = empty(row.number, sizeof(uapi::bpf_attr));
    uapi::bpf_attr attr{};
    const std::string_view member = row.member;
    if (row.number == uapi::BPF_MAP_CREATE) {
      attr.map_type = 1 + static_cast<std::uint32_t>(random_() % 33);
      attr.key_size = 4;
      attr.value_size = 8;
      attr.max_entries = 4;
    } else if (row.number == uapi::BPF_PROG_LOAD) {
      attr.prog_type = 1 + static_cast<std::uint32_t>(random_() % 32);
      attr.insn_cnt = 2;
      call.slots[offsetof(uapi::bpf_attr, insns) / 4] = kToProgram;
      call.slots[offsetof(uapi::bpf_attr, license) / 4] = kToLicense;
    } else if (member == "elem") {
      call.slots[offsetof(uapi::bpf_attr, map_fd) / 4] = deletes(row) ? kFdHash : kFdArray;
      for (const std::size_t at : {offsetof(uapi::bpf_attr, key), offsetof(uapi::bpf_attr, value)})
        if (at < row.last.end()) call.slots[at / 4] = kToZeros;
    } else if (member == "obj") {
      call.slots[offsetof(uapi::bpf_attr, pathname) / 4] = kToPath;
      if (row.number == uapi::BPF_OBJ_PIN) call.slots[offsetof(uapi::bpf_attr, bpf_fd) / 4] = kFdHash;
    } else if (member == "batch") {
      call.slots[offsetof(uapi::bpf_attr, batch.map_fd) / 4] = kFdHash;
      attr.batch.count = 1;
      for (const std::size_t at : {offsetof(uapi::bpf_attr, batch.out_batch), offsetof(uapi::bpf_attr, batch.keys), offsetof(uapi::bpf_attr, batch.values)})
        call.slots[at / 4] = kToZeros;
    } else if (member == "test") {
      call.slots[offsetof(uapi::bpf_attr, test.prog_fd) / 4] = kFdProgram;
      call.slots[offsetof(uapi::bpf_attr, test.data_in) / 4] = kToZeros;
      attr.test.data_size_in = 64;
    } else if (member == "info") {
      call.slots[offsetof(uapi::bpf_attr, info.bpf_fd) / 4] = kFdProgram;
      call.slots[offsetof(uapi::bpf_attr, info.info) / 4] = kToZeros;
      attr.info.info_len = 64;
    } else if (member == "btf") {
      call.slots[offsetof(uapi::bpf_attr, btf) / 4] = kToTypes;
      attr.btf_size = kCallTypesBytes;
    } else if (member == "id") {
      attr.start_id = row.last.end() == 8 ? 0 : 1;  // what there is, by its number; or the first
    } else if (member == "prog_bind_map") {
      call.slots[offsetof(uapi::bpf_attr, prog_bind_map.prog_fd) / 4] = kFdProgram;
      call.slots[offsetof(uapi::bpf_attr, prog_bind_map.map_fd) / 4] = kFdHash;
    }
    std::memcpy(call.bytes, &attr, sizeof attr);
    return call;
  }
  void mixture(const syscall::Command& row) {
    attr_call call = sensible(row);
    const std::size_t count = row.last.end() / 4u;
    for (std::uint64_t changes = 1 + random_() % 4; changes > 0; --changes) {
      const std::size_t word = random_() % count;
      if (counts(row, word) || is_upper_half(call, word) || (kSanitized && word % 2 != 0)) continue;
      call.slots[word] = kAsIs;
      switch (random_() % 4) {
        case 0: call.slots[word] = static_cast<std::uint8_t>(kFdHash + random_() % (kFirstPointer - kFdHash)); break;
        case 1:
          if (word % 2 != 0 || word + 1 >= count || counts(row, word + 1)) break;
          call.slots[word] = static_cast<std::uint8_t>(kFirstPointer + random_() % (kCallSlots - kFirstPointer));
          call.slots[word + 1] = kAsIs;
          break;
        case 2:
          if (kSanitized) break;
          put(call, word * 4, random_() % 2 != 0 ? 0xffffffffu : 1u << random_() % 2);
          break;
        default: put(call, word * 4, 0);
      }
    }
    if (random_() % 6 == 0) call.size = static_cast<std::uint32_t>(random_() % (kCallAttrBytes + 1));
    add(call);
  }

  std::mt19937_64 random_{20'260'613};
  std::vector<attr_call> calls_;
};

class Doors : public RunWorld {
 protected:
  struct Host {
    std::unique_ptr<Runtime> runtime;
    std::string path;
    std::size_t before = 0;
  };
  /// Fresh, so that ids are the same at every door.
  Host start(const std::string& name) {
    Host host;
    auto created = Runtime::create({.name = name, .btf = test_host_btf, .log = &log_});
    EXPECT_TRUE(created.ok());
    host.runtime = std::move(*created);
    host.path = folder_ + "/" + name + ".sock";
    EXPECT_TRUE(host.runtime->listen({.path = host.path, .policy = nullptr}).ok());
    host.before = host.runtime->impl().objects().live_count();
    return host;
  }
  static std::size_t descriptors() {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator()));
  }
  static std::vector<long> play(const std::vector<attr_call>& calls, call_door door, void* context) {
    std::vector<long> results;
    call_stage stage;
    EXPECT_EQ(open_stage(&stage, door, context), 0);
    for (const attr_call& call : calls) results.push_back(play_call(&stage, &call, door, context));
    close_stage(&stage);
    return results;
  }
  /// The host is as it was, but for what was pinned.
  static void expect_nothing_left(Host& host) {
    host.runtime->impl().kernel().pins().clear();
    EXPECT_TRUE(eventually([&] {
      uapi::bpf_attr attr{};
      (void)host.runtime->bpf(uapi::BPF_MAP_GET_NEXT_ID, &attr, sizeof attr);
      rcu::drain();
      return host.runtime->impl().objects().live_count() == host.before;
    })) << host.runtime->impl().objects().live_count();
  }
  static void expect_same(const std::vector<attr_call>& calls, const std::vector<long>& entry, const std::vector<long>& door) {
    ASSERT_EQ(entry.size(), calls.size());
    ASSERT_EQ(door.size(), calls.size());
    int shown = 0;
    for (std::size_t i = 0; i < calls.size() && shown < 60; ++i) {
      if (entry[i] == door[i]) continue;
      ++shown;
      const syscall::Command* row = syscall::find_command(calls[i].command);
      std::string slots;
      for (std::size_t w = 0; w < sizeof calls[i].slots; ++w)
        if (calls[i].slots[w] != 0) slots += " word " + std::to_string(w) + " kind " + std::to_string(calls[i].slots[w]);
      ADD_FAILURE() << "call " << i << " " << (row != nullptr ? row->name : "unknown") << " size " << calls[i].size << " place " << int{calls[i].place} << slots
                    << ": the entry says " << entry[i] << ", the door " << door[i];
    }
  }
};

TEST_F(Doors, TheSameAttributesHaveTheSameAnswersAtEveryDoor) {
  const std::vector<attr_call> calls = CallWriter().all();
  ASSERT_GT(calls.size(), 3000u);
  const std::size_t open = descriptors();
  std::vector<long> entry, socket, listener;
  {
    Host host = start("entry");
    entry = play(calls, [](void* context, int command, void* attr, unsigned size) {
      return static_cast<Runtime*>(context)->bpf(command, attr, size);
    }, host.runtime.get());
    expect_nothing_left(host);
  }
  {
    Host host = start("socket");
    std::string why;
    auto client = control::Client::connect(host.path, why);
    ASSERT_TRUE(client.ok()) << why;
    socket = play(calls, [](void* context, int command, void* attr, unsigned size) {
      return static_cast<control::Client*>(context)->bpf(command, attr, size);
    }, client->get());
    client->reset();
    expect_nothing_left(host);
  }
  {
    Host host = start("listener");
    const std::string file = folder_ + "/calls";
    std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(calls.data()), static_cast<std::streamsize>(calls.size() * sizeof(attr_call)));
    Command run({"ring3", "-H", host.path, "run", "--no-namespaces", "--", RING3_RUN_CLIENT, "attr-calls", file}, folder_);
    const Outcome done = run.wait();
    ::unlink(file.c_str());
    EXPECT_EQ(done.code, 0) << done.err;
    std::istringstream numbers(done.out);
    for (long number; numbers >> number;) listener.push_back(number);
    expect_nothing_left(host);
  }
  expect_same(calls, entry, socket);
  expect_same(calls, entry, listener);
  std::set<std::string_view> failed, worked;
  for (std::size_t i = 0; i < entry.size(); ++i)
    if (const syscall::Command* row = syscall::find_command(calls[i].command)) (entry[i] == 0 ? worked : failed).insert(row->name);
  for (const std::string_view name : worked) failed.erase(name);
  // Links need what this host has not, tracepoints and tasks' events are nobody's, a token is a mount's: other tests' commands.
  EXPECT_EQ(failed, (std::set<std::string_view>{"PROG_ATTACH", "PROG_DETACH", "PROG_QUERY", "RAW_TRACEPOINT_OPEN", "TASK_FD_QUERY", "LINK_CREATE", "LINK_UPDATE",
                                                "LINK_GET_FD_BY_ID", "LINK_GET_NEXT_ID", "ITER_CREATE", "LINK_DETACH", "TOKEN_CREATE"}));
  EXPECT_GT(std::count(entry.begin(), entry.end(), 0), static_cast<long>(entry.size() / 100)) << "some of it means something";
  EXPECT_TRUE(eventually([&] { return descriptors() == open; })) << descriptors() << " descriptors, " << open << " before";
}

}  // namespace
}  // namespace ring3::test
