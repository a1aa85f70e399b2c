// The D checks of programs that replace or trace functions of loaded programs, compiled by clang, loaded and attached by
// libbpf. Verdicts and lines are those of a 6.12 kernel for the same objects, but where a test says why not.
#include <gtest/gtest.h>

#include <vector>

#include "object/rcu.h"
#include "test_host_btf.h"
#include "tests/integration/libbpf_door.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

class ProgramFunctions : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    door_ = std::make_unique<LibbpfDoor>(*runtime_, test_host_btf);
  }
  void TearDown() override {
    objects_.clear();
    door_.reset();
    World::TearDown();
  }
  /// The descriptor of a program of targets.bpf.c.
  int target(const char* program) {
    ObjectFile& object = *objects_.emplace_back(std::make_unique<ObjectFile>(RING3_MODULE_DIR "/targets.bpf.o"));
    EXPECT_EQ(object.load_only(program), 0) << program << "\n" << door_->take_text();
    return object.program(program);
  }
  /// A program of attachers.bpf.c onto a function of a loaded one: its descriptor, or libbpf's error.
  int load(const char* program, int onto, const char* function) {
    ObjectFile& object = *objects_.emplace_back(std::make_unique<ObjectFile>(RING3_MODULE_DIR "/attachers.bpf.o"));
    door_->take_text();
    const int result = object.load_onto(program, onto, function);
    text_ = door_->take_text();
    return result < 0 ? result : object.program(program);
  }
  int accepts(const char* program, int onto, const char* function) {
    const int fd = load(program, onto, function);
    EXPECT_GT(fd, 0) << program << " onto " << function << "\n" << text_;
    return fd;
  }
  void refuses(const char* program, int onto, const char* function, int error, std::string_view words) {
    EXPECT_EQ(load(program, onto, function), error) << program << " onto " << function << "\n" << text_;
    EXPECT_NE(text_.find(words), std::string::npos) << program << " onto " << function << ": " << words << "\n" << text_;
  }

  std::unique_ptr<LibbpfDoor> door_;
  std::vector<std::unique_ptr<ObjectFile>> objects_;
  std::string text_;
};

TEST_F(ProgramFunctions, D_02_WhatCanBeReplaced) {
  const int tc = target("tc_main");
  accepts("r_two", tc, "two");
  refuses("r_number", tc, "static_number", -EINVAL, "static_number() is not a global function");
  refuses("r_context", tc, "static_context", -EINVAL, "static_context() is not a global function");
  refuses("r_int", tc, "static_pointer", -EINVAL, "Cannot replace static functions");
  refuses("r_number", tc, "static_void", -EINVAL, "Cannot replace static functions");
  refuses("r_number", tc, "callback", -EINVAL, "Cannot replace static functions");
  refuses("r_context", target("tc_untyped"), "tc_untyped", -EINVAL, "Cannot replace static functions");
  const auto raw = [&](int onto, std::uint32_t id) {
    PreparedLoad load = bpf().prepare({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_EXT});
    load.attr.attach_prog_fd = static_cast<std::uint32_t>(onto);
    load.attr.attach_btf_id = id;
    const long result = bpf().bpf(uapi::BPF_PROG_LOAD, load.attr);
    text_.assign(load.log.data());
    return result;
  };
  EXPECT_EQ(raw(0, 0), -EINVAL);
  EXPECT_EQ(raw(0, 1), -EINVAL);
  EXPECT_NE(text_.find("Cannot replace kernel functions"), std::string::npos) << text_;
  EXPECT_EQ(raw(tc, 0), -EINVAL);
  EXPECT_NE(text_.find("Tracing programs must provide btf_id"), std::string::npos) << text_;
  EXPECT_EQ(raw(tc, 1), -EINVAL);
  EXPECT_NE(text_.find("doesn't"), std::string::npos) << text_;  // no name, or no function
  EXPECT_EQ(raw(9999, 1), -EINVAL);
  // Main is a function like others.
  accepts("r_context", tc, "tc_main");
  accepts("r_xdp", target("xdp_main"), "xdp_main");
}

TEST_F(ProgramFunctions, D_03_PrototypesAgree) {
  const int tc = target("tc_main");
  accepts("r_two_unsigned", tc, "two");
  refuses("r_three", tc, "two", -EINVAL, "r_three() has 3 args while two() has 2 args");
  refuses("r_context", tc, "two", -EINVAL, "r_context() has 1 args while two() has 2 args");
  refuses("r_long", tc, "two", -EINVAL, "arg1 in r_long() has size 8 while two() has 4");
  refuses("r_enum", tc, "two", -EINVAL, "arg1 in r_enum() is ENUM while two() has INT");
  refuses("r_pointer", tc, "two", -EINVAL, "arg1 in r_pointer() is PTR while two() has INT");
  refuses("r_other_context", tc, "two", -EINVAL, "arg0 r_other_context(struct xdp_md *) doesn't match two(struct __sk_buff *)");
  refuses("r_returns_enum", tc, "two", -EINVAL, "Return type ENUM of r_returns_enum() doesn't match type INT of two()");
  refuses("r_returns_nothing", tc, "two", -EINVAL, "Return type UNKNOWN of r_returns_nothing() doesn't match type INT of two()");
  accepts("r_returns_long", tc, "two");  // of kinds alike only arguments are compared further
  accepts("r_number", tc, "gives_long");
  accepts("r_colour", tc, "takes_colour");
  accepts("r_size", tc, "takes_colour");
  refuses("r_number", tc, "takes_colour", -EINVAL, "arg0 in r_number() is INT while takes_colour() has ENUM");
  refuses("r_int", tc, "takes_int", -EINVAL, "arg0 in r_int() is not a pointer to context");
  accepts("r_pair", tc, "takes_pair");
  refuses("r_other_pair", tc, "takes_pair", -EINVAL, "arg0 r_other_pair(struct other_pair *) doesn't match takes_pair(struct pair *)");
}

/// Beyond Linux, which compares names of structs only: what the original's callers promise is all that holds.
TEST_F(ProgramFunctions, D_03_PromisesAgree) {
  const int tc = target("tc_main");
  refuses("r_forgets_null", tc, "takes_pair", -EACCES, "R1 invalid mem access 'mem_or_null'");
  refuses("r_sure_pair", tc, "takes_pair", -EINVAL, "arg0 of r_sure_pair() relies on more than takes_pair() is entered with");
  accepts("r_sure_pair", tc, "takes_sure_pair");
  accepts("r_pair", tc, "takes_sure_pair");
  const int service = target("syscall_main");
  accepts("r_serves", service, "serves");
  refuses("r_reaches", service, "serves", -EINVAL, "Extension program reaches 12 bytes into its context, the original program 4");
}

TEST_F(ProgramFunctions, D_04_Nesting) {
  const int tc = target("tc_main");
  const int replacement = accepts("r_calls", tc, "two");
  refuses("r_two", replacement, "r_calls", -EINVAL, "Cannot recursively attach");
  refuses("r_two", replacement, "own_global", -EINVAL, "Cannot recursively attach");
  accepts("e_arg1", replacement, "r_calls");
  accepts("e_arg1", replacement, "own_global");
  const int tracer = accepts("e_calls", tc, "two");
  refuses("r_context", tracer, "e_calls", -EINVAL, "Cannot replace static functions");
  refuses("r_number", tracer, "inside", -EINVAL, "Cannot extend fentry/fexit");
  const int second = accepts("e_calls", tracer, "e_calls");
  accepts("e_arg0", tracer, "inside");
  refuses("e_nothing", second, "e_calls", -EINVAL, "Cannot nest tracing program attach more than once");
  refuses("e_nothing", second, "inside", -EINVAL, "Cannot nest tracing program attach more than once");
}

/// What loading shows of D-09.
TEST_F(ProgramFunctions, ArraysTakeNoReplacements) {
  const int tc = target("tc_main");
  uapi::bpf_attr attr = BpfClient::zero();
  attr.map_type = uapi::BPF_MAP_TYPE_PROG_ARRAY;
  attr.key_size = attr.value_size = 4;
  attr.max_entries = 2;
  const long array = bpf().create(attr);
  ASSERT_GT(array, 0);
  const auto put = [&](int program) {
    const auto fd = static_cast<std::uint32_t>(program);
    return bpf().update(array, &fd);
  };
  EXPECT_EQ(put(accepts("r_two", tc, "two")), -EINVAL);
  EXPECT_EQ(put(tc), 0);
  EXPECT_EQ(put(target("xdp_main")), -EINVAL);
}

/// behaviour.md D.2.8: an array that a replacement uses is for programs of its target's kind.
TEST_F(ProgramFunctions, ArraysOfReplacements) {
  const int tc = target("tc_main"), xdp = target("xdp_main");
  accepts("r_tail", tc, "pulls");
  const long array = objects_.back()->map("calls");
  const auto put = [&](int program) {
    const auto fd = static_cast<std::uint32_t>(program);
    return bpf().update(array, &fd);
  };
  EXPECT_EQ(put(xdp), -EINVAL);
  EXPECT_EQ(put(tc), 0);
}

TEST_F(ProgramFunctions, D_10_ThePacketStays) {
  const int tc = target("tc_main");
  accepts("r_pulls", tc, "pulls");
  accepts("r_context", tc, "pulls");
  accepts("r_tail", tc, "pulls");
  refuses("r_pulls", tc, "looks", -EINVAL, "Extension program changes packet data, while original does not");
  refuses("r_tail", tc, "looks", -EINVAL, "Extension program changes packet data, while original does not");
  const int xdp = target("xdp_main");
  accepts("r_moves", xdp, "moves");
  refuses("r_moves", xdp, "component", -EINVAL, "Extension program changes packet data, while original does not");
}

/// behaviour.md D.2.4.
TEST_F(ProgramFunctions, JudgedAsTheTarget) {
  const int tc = target("tc_main");
  accepts("r_writes", tc, "two");
  accepts("r_calls", tc, "two");
  accepts("r_xdp", target("xdp_main"), "component");
  const int egress = target("egress_main");
  accepts("r_zero", egress, "filters");
  refuses("r_seven", egress, "filters", -EINVAL, "At program exit the register R0 has smin=7 smax=7 should have been in [0, 3]");
  refuses("r_pulls", egress, "filters", -EINVAL, "");
  const int connect = target("connect_main");
  accepts("r_connects", connect, "connects");
  refuses("r_sends", connect, "connects", -EACCES, "invalid bpf_context access off=40 size=4");
}

/// What loading shows of D-13.
TEST_F(ProgramFunctions, InfoTellsTheTarget) {
  const int tc = target("tc_main");
  const uapi::bpf_prog_info of_target = bpf().prog_info(tc);
  ASSERT_NE(of_target.btf_id, 0u);
  for (const int fd : {accepts("r_two", tc, "two"), accepts("e_nothing", tc, "two")}) {
    const uapi::bpf_prog_info info = bpf().prog_info(fd);
    EXPECT_EQ(info.attach_btf_obj_id, of_target.btf_id);
    EXPECT_NE(info.attach_btf_id, 0u);
    EXPECT_NE(info.xlated_prog_len, 0u);
    EXPECT_NE(info.id, 0u);
  }
}

/// behaviour.md D.2.7, before there is a link.
TEST_F(ProgramFunctions, TheReplacementHoldsItsTarget) {
  const int tc = target("tc_main");
  const std::uint32_t id = bpf().prog_info(tc).id;
  accepts("r_two", tc, "two");
  objects_.erase(objects_.begin());
  const long again = bpf().fd_by_id(uapi::BPF_PROG_GET_FD_BY_ID, id);
  EXPECT_GT(again, 0);
  bpf().close(again);
  objects_.clear();
  (void)bpf().next_id(uapi::BPF_PROG_GET_NEXT_ID, 0);  // any command notices what was closed
  rcu::drain();
  EXPECT_EQ(bpf().fd_by_id(uapi::BPF_PROG_GET_FD_BY_ID, id), -ENOENT);
}

/// What loading shows of D-36.
TEST_F(ProgramFunctions, TracersOfEveryFunction) {
  const int tc = target("tc_main");
  accepts("e_arg0", tc, "two");
  accepts("e_arg1", tc, "two");
  refuses("e_arg2", tc, "two", -EACCES, "func 'two' doesn't have 3-th argument");
  accepts("x_arg2", tc, "two");  // the result
  refuses("x_arg3", tc, "two", -EACCES, "func 'two' doesn't have 4-th argument");
  accepts("e_arg4", tc, "five");
  refuses("e_arg5", tc, "five", -EACCES, "func 'five' doesn't have 6-th argument");
  accepts("x_arg5", tc, "five");
  refuses("x_arg6", tc, "five", -EACCES, "func 'five' doesn't have 7-th argument");
  accepts("e_arg0", tc, "takes_int");
  refuses("e_arg0", tc, "takes_pair", -EACCES, "invalid bpf_context access off=0 size=8");
  accepts("e_arg0", tc, "tc_main");
  refuses("e_arg1", tc, "tc_main", -EACCES, "func 'tc_main' doesn't have 2-th argument");
  // Static functions: typed while every call was seen to keep the prototype, else five numbers.
  accepts("e_arg0", tc, "static_number");
  refuses("e_arg1", tc, "static_number", -EACCES, "func 'static_number' doesn't have 2-th argument");
  accepts("x_arg1", tc, "static_number");
  refuses("e_arg1", tc, "static_context", -EACCES, "func 'static_context' doesn't have 2-th argument");
  for (const char* untyped : {"static_pointer", "static_void", "callback"}) {
    accepts("e_arg0", tc, untyped);
    accepts("e_arg4", tc, untyped);
    accepts("x_arg5", tc, untyped);
    refuses("e_arg5", tc, untyped, -EACCES, "doesn't have 6-th argument");
    refuses("x_arg6", tc, untyped, -EACCES, "doesn't have 7-th argument");
  }
  accepts("e_arg4", target("tc_untyped"), "tc_untyped");
}

TEST_F(ProgramFunctions, TracersOfPrograms) {
  const int tc = target("tc_main");
  accepts("e_helpers", tc, "two");
  accepts("x_helpers", tc, "two");
  refuses("e_returns", tc, "two", -EINVAL, "should have been in [0, 0]");
  refuses("e_writes", tc, "two", -EACCES, "invalid bpf_context access off=0 size=8");
  refuses("e_byte", tc, "two", -EACCES, "func 'two' size 1 must be 8");
  refuses("e_sleeps", tc, "two", -EINVAL, "two is not sleepable");
  refuses("m_nothing", tc, "two", -EINVAL, "can't modify return codes of BPF programs");
  refuses("t_nothing", tc, "two", -EINVAL, "Only FENTRY/FEXIT progs are attachable to another BPF prog");
  refuses("i_nothing", tc, "two", -EINVAL, "");
}

/// behaviour.md D.2.5 through libbpf: bpf_program__attach_freplace with another target than at load, and bpf_program__attach.
TEST_F(ProgramFunctions, D_01_ReplacedByLibbpf) {
  const int tc = target("tc_main"), other = target("tc_main");
  const long plain = bpf().run_on_packet(tc);
  constexpr long kTwo = 3 + 64, kReplaced = 3 - 64;
  accepts("r_two", tc, "two");
  ObjectFile& object = *objects_.back();
  LibbpfLink first = object.attach_program("r_two");
  ASSERT_NE(first, nullptr) << door_->take_text();
  EXPECT_EQ(bpf().run_on_packet(tc), plain - kTwo + kReplaced);
  EXPECT_EQ(bpf().run_on_packet(other), plain);
  LibbpfLink second = object.replace("r_two", other, "two");
  ASSERT_NE(second, nullptr) << door_->take_text();
  EXPECT_EQ(bpf().run_on_packet(other), plain - kTwo + kReplaced);
  EXPECT_EQ(object.replace("r_two", other, "two"), nullptr);
  EXPECT_EQ(errno, EBUSY);
  EXPECT_EQ(object.replace("r_two", other, "number"), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(object.replace("r_two", target("xdp_main"), "component"), nullptr);
  EXPECT_EQ(errno, EINVAL);
  first.reset();
  EXPECT_EQ(bpf().run_on_packet(tc), plain);
  second.reset();
  EXPECT_EQ(bpf().run_on_packet(other), plain);
}

TEST_F(ProgramFunctions, D_08_AnotherTargetPromisesAsMuch) {
  const int tc = target("tc_main"), other = target("tc_main");
  accepts("r_sure_pair", tc, "takes_sure_pair");
  ObjectFile& object = *objects_.back();
  EXPECT_EQ(object.replace("r_sure_pair", other, "takes_pair"), nullptr);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_NE(log_.take().find("arg0 of r_sure_pair() relies on more than takes_pair() is entered with"), std::string::npos);
  EXPECT_NE(object.replace("r_sure_pair", other, "takes_sure_pair"), nullptr);
  accepts("r_pulls", tc, "pulls");
  EXPECT_EQ(objects_.back()->replace("r_pulls", other, "looks"), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(ProgramFunctions, TracedByLibbpf) {
  const int tc = target("tc_main");
  const long plain = bpf().run_on_packet(tc);
  struct { std::uint64_t entries = 0, arg = 0, result = 0, cookie = 0; } seen;
  accepts("e_counts", tc, "two");
  ObjectFile& entry = *objects_.back();
  LibbpfLink in = entry.attach_program("e_counts");
  ASSERT_NE(in, nullptr) << door_->take_text();
  accepts("x_counts", tc, "two");
  ObjectFile& exit = *objects_.back();
  LibbpfLink out = exit.attach_program("x_counts");
  ASSERT_NE(out, nullptr) << door_->take_text();
  EXPECT_EQ(bpf().run_on_packet(tc), plain);
  ASSERT_EQ(bpf().lookup(entry.bss(), &seen), 0);
  EXPECT_EQ(seen.entries, 1u);
  EXPECT_EQ(seen.arg, 3u);
  ASSERT_EQ(bpf().lookup(exit.bss(), &seen), 0);
  EXPECT_EQ(seen.entries, 100u);
  EXPECT_EQ(seen.result, 67u);
  in.reset();
  out.reset();
  EXPECT_EQ(bpf().run_on_packet(tc), plain);
  ASSERT_EQ(bpf().lookup(entry.bss(), &seen), 0);
  EXPECT_EQ(seen.entries, 1u);
}

}  // namespace
}  // namespace ring3::test
