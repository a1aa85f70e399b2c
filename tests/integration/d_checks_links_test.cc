// The D checks of links at functions of programs: replaced and traced ones really run.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "control/client.h"
#include "object/rcu.h"
#include "runtime/runtime_impl.h"
#include "tests/integration/link_world.h"

namespace ring3::test {
namespace {

class FunctionLinks : public LinkWorld {};

TEST_F(FunctionLinks, D_01_CallsGoToTheReplacements) {
  const long main = target();
  EXPECT_EQ(run(main), kPlain);
  const long number = attach(replacement(main, number_, "r0 = r1\nr0 *= 1000\nexit\n"));
  ASSERT_GT(number, 0);
  EXPECT_EQ(run(main), kPlain - 7 + 7000);
  const long two = attach(replacement(main, two_, "r0 = *(u32 *)(r1 +0)\nr0 += r2\nexit\n"));
  ASSERT_GT(two, 0);
  EXPECT_EQ(run(main), kPlain - 7 + 7000 - 31 + 30 + 64);
  bpf().close(number);
  EXPECT_EQ(run(main), kPlain - 31 + 30 + 64);
  bpf().close(two);
  EXPECT_EQ(run(main), kPlain);
}

TEST_F(FunctionLinks, D_01_MainIsAFunctionLikeOthers) {
  const long main = target();
  const long link = open_raw(replacement(main, main_, "r0 = *(u32 *)(r1 +0)\nexit\n"));
  ASSERT_GT(link, 0);
  EXPECT_EQ(run(main), 64);
  bpf().close(link);
  EXPECT_EQ(run(main), kPlain);
}

/// behaviour.md D.3.3.
TEST_F(FunctionLinks, TracersSeeArgumentsAndResult) {
  const long main = target();
  const long entry = attach_entry(tracer(main, two_, false, keeps_slot(0, 1)));
  ASSERT_GT(entry, 0);
  const long exit = attach_exit(tracer(main, two_, true, keeps_slot(1, 2)));
  ASSERT_GT(exit, 0);
  EXPECT_EQ(run(main), kPlain);
  EXPECT_EQ(seen(0), 30u);
  EXPECT_EQ(seen(1), 31u);
  bpf().close(entry);
  bpf().close(exit);
  const std::uint64_t none = 0;
  for (const std::uint32_t key : {0u, 1u}) ASSERT_EQ(bpf().update(seen_, &none, key), 0);
  EXPECT_EQ(run(main), kPlain);
  EXPECT_EQ(seen(0), 0u);
  EXPECT_EQ(seen(1), 0u);
}


/// 1000 times the argument.
constexpr std::string_view kThousand = "r0 = r1\nr0 *= 1000\nexit\n";

TEST_F(FunctionLinks, D_05_OneReplacementAFunction) {
  const long main = target();
  const long first = attach(replacement(main, number_, std::string(kThousand)));
  ASSERT_GT(first, 0);
  const long second = replacement(main, number_, "r0 = 1\nexit\n");
  EXPECT_EQ(attach(second), -EBUSY);
  EXPECT_EQ(open_raw(second), -EBUSY);
  EXPECT_EQ(attach(second, 0, main, number_), -EBUSY);
  EXPECT_EQ(run(main), kPlain - 7 + 7000);
  // What was refused has not been used up.
  bpf().close(first);
  EXPECT_GT(attach(second), 0);
  EXPECT_EQ(run(main), kPlain - 7 + 1);
}

TEST_F(FunctionLinks, D_06_ReplacedOrTraced) {
  const long main = target();
  const long entry = tracer(main, number_, false, counts(0)), exit = tracer(main, number_, true, counts(1));
  const long other = replacement(main, number_, std::string(kThousand));
  const long replaced = attach(other);
  ASSERT_GT(replaced, 0);
  EXPECT_EQ(attach_entry(entry), -EBUSY);
  EXPECT_EQ(attach_exit(exit), -EBUSY);
  // The replacement is traced instead.
  EXPECT_GT(attach_entry(tracer(other, new_number_, false, keeps_slot(2, 0))), 0);
  EXPECT_GT(attach_exit(tracer(other, new_number_, true, keeps_slot(3, 1))), 0);
  EXPECT_EQ(run(main), kPlain - 7 + 7000);
  EXPECT_EQ(seen(2), 7u);
  EXPECT_EQ(seen(3), 7000u);
  bpf().close(replaced);

  const long traced = attach_entry(entry);
  ASSERT_GT(traced, 0);
  EXPECT_EQ(attach(other, 0, main, number_), -EBUSY);
  EXPECT_GT(attach_exit(exit), 0);
  bpf().close(traced);
  EXPECT_EQ(attach(other, 0, main, number_), -EBUSY);
  // Other functions of the program are others.
  EXPECT_GT(attach(replacement(main, two_, "r0 = 0\nexit\n")), 0);
  EXPECT_EQ(run(main), kPlain - 31);
  EXPECT_EQ(seen(0), 0u);
  EXPECT_EQ(seen(1), 1u);
}

TEST_F(FunctionLinks, D_07_TargetsAtLinkCreation) {
  const long main = target(), other = target();
  const long program = replacement(main, number_, std::string(kThousand));
  EXPECT_EQ(attach(program, 0, main, 0), -EINVAL);
  EXPECT_EQ(attach(program, 0, 0, number_), -EINVAL);
  EXPECT_EQ(attach(program, 0, 9999, number_), -EBADF);
  EXPECT_EQ(attach(program, 0, seen_, number_), -EINVAL);
  uapi::bpf_attr named = BpfClient::zero();
  named.raw_tracepoint.prog_fd = static_cast<std::uint32_t>(program);
  named.raw_tracepoint.name = reinterpret_cast<std::uintptr_t>("name");
  EXPECT_EQ(bpf().bpf(uapi::BPF_RAW_TRACEPOINT_OPEN, named), -EINVAL);
  const long first = attach(program);
  ASSERT_GT(first, 0);
  EXPECT_EQ(attach(program), -EINVAL);
  EXPECT_EQ(open_raw(program), -EINVAL);
  const long second = attach(program, 0, other, number_);
  ASSERT_GT(second, 0) << log_.take();
  EXPECT_EQ(run(main), kPlain - 7 + 7000);
  EXPECT_EQ(run(other), kPlain - 7 + 7000);
  bpf().close(first);
  EXPECT_EQ(run(main), kPlain);
  EXPECT_EQ(run(other), kPlain - 7 + 7000);
  EXPECT_EQ(attach(program), -EINVAL);  // it stays used up
  EXPECT_GT(attach(program, 0, main, number_), 0);
  EXPECT_EQ(run(main), kPlain - 7 + 7000);
  // A tracer stays where it was loaded for, and once.
  const long tracing = tracer(main, two_, false, counts(0));
  EXPECT_EQ(attach(tracing, uapi::BPF_TRACE_FENTRY, main, two_), -EINVAL);
  EXPECT_EQ(attach(tracing, uapi::BPF_TRACE_FEXIT), -EINVAL);
  const long link = attach_entry(tracing);
  ASSERT_GT(link, 0);
  EXPECT_EQ(attach_entry(tracing), -EINVAL);
  bpf().close(link);
  EXPECT_EQ(attach_entry(tracing), -EINVAL);
}

TEST_F(FunctionLinks, D_08_OtherTargetsAreJudged) {
  const long main = target();
  const long program = replacement(main, number_, std::string(kThousand));
  const auto refused = [&](long onto, std::uint32_t function, std::string_view words) {
    log_.take();
    EXPECT_EQ(attach(program, 0, onto, function), -EINVAL);
    const std::string said = log_.take();
    EXPECT_NE(said.find(words), std::string::npos) << words << "\n" << said;
  };
  const long socket = load({{"r1 = 7\ncall number\nexit\n", main_}, {"number:\nr0 = r1\nexit\n", number_}},
                           {.type = uapi::BPF_PROG_TYPE_SOCKET_FILTER});
  ASSERT_GT(socket, 0) << text_;
  refused(socket, number_, "type");
  refused(main, two_, "new_number() has 1 args while two() has 2 args");
  refused(main, quiet_, "quiet");
  refused(main, new_number_, "doesn't exist");
  refused(main, 1, "");
  refused(program, new_number_, "Cannot recursively attach");
  const long untyped = bpf().load({.text = "r0 = 0\nexit", .prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS});
  refused(untyped, number_, "annotated with BTF");
  // What was refused has used up nothing.
  EXPECT_GT(attach(program), 0);
}

TEST_F(FunctionLinks, D_09_ProgramArrays) {
  const long main = target();
  const auto new_array = [&] { return bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 3)); };
  const long array = new_array();
  ASSERT_GT(array, 0);
  const auto put = [&](long into, long program, std::uint32_t slot) {
    const auto fd = static_cast<std::uint32_t>(program);
    return bpf().update(into, &fd, slot);
  };
  const long program = replacement(main, number_, std::string(kThousand));
  EXPECT_EQ(put(array, program, 0), -EINVAL);
  // In two slots; out of one by another program, of the other by its end.
  ASSERT_EQ(put(array, main, 0), 0);
  ASSERT_EQ(put(array, main, 1), 0);
  EXPECT_EQ(attach(program), -EBUSY);
  ASSERT_EQ(put(array, target(), 0), 0);
  EXPECT_EQ(attach(program), -EBUSY);
  ASSERT_EQ(bpf().erase(array, 1), 0);
  const long link = attach(program);
  ASSERT_GT(link, 0);
  EXPECT_EQ(put(array, main, 2), -EBUSY);
  const long second = attach(replacement(main, two_, "r0 = 0\nexit\n"));
  ASSERT_GT(second, 0);
  bpf().close(link);
  EXPECT_EQ(put(array, main, 2), -EBUSY);  // another function still is
  bpf().close(second);
  EXPECT_EQ(put(array, main, 2), 0);
  EXPECT_EQ(attach(program, 0, main, number_), -EBUSY);
  // Tracing does not mind, either way.
  EXPECT_GT(attach_entry(tracer(main, two_, false, counts(0))), 0);
  EXPECT_EQ(put(array, main, 1), 0);
  // An array that goes lets its programs go.
  bpf().close(array);
  EXPECT_GT(attach(program, 0, main, number_), 0);
}

TEST_F(FunctionLinks, D_11_TheLinkHoldsTheTarget) {
  const long main = target();
  const std::uint32_t id = bpf().prog_info(main).id;
  const long program = replacement(main, number_, std::string(kThousand));
  const long link = attach(program);
  ASSERT_GT(link, 0);
  bpf().close(main);
  bpf().close(program);
  rcu::drain();
  const long again = bpf().fd_by_id(uapi::BPF_PROG_GET_FD_BY_ID, id);
  ASSERT_GT(again, 0);
  EXPECT_EQ(run(again), kPlain - 7 + 7000);
  bpf().close(again);
  bpf().close(link);
  rcu::drain();
  EXPECT_EQ(bpf().fd_by_id(uapi::BPF_PROG_GET_FD_BY_ID, id), -ENOENT);
}

TEST_F(FunctionLinks, D_11_ALinkElsewhereLetsTheFirstTargetGo) {
  const long main = target(), other = target();
  const std::uint32_t id = bpf().prog_info(main).id;
  const long program = replacement(main, number_, std::string(kThousand));
  EXPECT_NE(bpf().prog_info(program).attach_btf_obj_id, 0u);
  ASSERT_GT(attach(program, 0, other, number_), 0);
  EXPECT_EQ(bpf().prog_info(program).attach_btf_obj_id, 0u);
  EXPECT_EQ(attach(program), -EINVAL);
  bpf().close(main);
  rcu::drain();
  EXPECT_EQ(bpf().fd_by_id(uapi::BPF_PROG_GET_FD_BY_ID, id), -ENOENT);
}

/// What a client over the socket does: replaces number() by the pinned program, and waits for its end.
[[noreturn]] void replace_and_wait(const std::string& socket, std::uint32_t function) {
  ::alarm(60);
  std::string why;
  const auto host = control::Client::connect(socket, why);
  if (!host.ok()) ::_exit(1);
  const auto open_pin = [&](const char* path) {
    uapi::bpf_attr attr = BpfClient::zero();
    attr.pathname = reinterpret_cast<std::uintptr_t>(path);
    return static_cast<std::uint32_t>((*host)->bpf(uapi::BPF_OBJ_GET, &attr, sizeof attr));
  };
  uapi::bpf_attr attr = BpfClient::zero();
  attr.link_create.prog_fd = open_pin("/sys/fs/bpf/program");
  attr.link_create.target_fd = open_pin("/sys/fs/bpf/target");
  attr.link_create.tracing.target_btf_id = function;
  if ((*host)->bpf(uapi::BPF_LINK_CREATE, &attr, sizeof attr) < 0) ::_exit(2);
  for (;;) ::pause();
}

TEST_F(FunctionLinks, D_12_AKilledClientRestoresThePlaceholder) {
  char folder[] = "/tmp/ring3-test-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string socket = std::string(folder) + "/host.sock";
  ASSERT_TRUE(runtime_->listen({.path = socket, .policy = nullptr}).ok()) << log_.take();
  const long main = target();
  ASSERT_EQ(bpf().pin(main, "/sys/fs/bpf/target"), 0);
  ASSERT_EQ(bpf().pin(replacement(main, number_, std::string(kThousand)), "/sys/fs/bpf/program"), 0);
  const pid_t child = ::fork();
  if (child == 0) replace_and_wait(socket, number_);
  const auto becomes = [&](long wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (run(main) != wanted)
      if (std::chrono::steady_clock::now() > deadline) return false;
    return true;
  };
  EXPECT_TRUE(becomes(kPlain - 7 + 7000)) << log_.take();
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
  EXPECT_TRUE(becomes(kPlain));
  client_ = nullptr;
  runtime_ = nullptr;  // takes its socket away
  EXPECT_EQ(::rmdir(folder), 0);
}

TEST_F(FunctionLinks, D_12_ADeadClientRestoresThePlaceholder) {
  const long main = target();
  ASSERT_EQ(bpf().pin(main, "/sys/fs/bpf/target"), 0);
  ASSERT_GT(attach(replacement(main, number_, std::string(kThousand))), 0);
  ASSERT_GT(attach_entry(tracer(main, two_, false, counts(0))), 0);
  EXPECT_EQ(run(main), kPlain - 7 + 7000);
  bpf().close_all();
  const long again = bpf().get("/sys/fs/bpf/target");
  ASSERT_GT(again, 0);
  EXPECT_EQ(run(again), kPlain);
  EXPECT_EQ(bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0), 0u);
}

TEST_F(FunctionLinks, D_12_APinnedLinkStays) {
  const long main = target();
  ASSERT_EQ(bpf().pin(main, "/sys/fs/bpf/target"), 0);
  const long link = attach(replacement(main, number_, std::string(kThousand)));
  ASSERT_EQ(bpf().pin(link, "/sys/fs/bpf/link"), 0);
  bpf().close_all();
  EXPECT_EQ(run(bpf().get("/sys/fs/bpf/target")), kPlain - 7 + 7000);
}

TEST_F(FunctionLinks, D_13_InfoTellsTheFunction) {
  const long main = target();
  const long program = replacement(main, number_, std::string(kThousand)), tracing = tracer(main, two_, true, counts(0));
  const struct { long program, link; std::uint32_t attach_type, function; std::uint64_t cookie; } rows[] = {
      {program, attach(program), 0, number_, 0}, {tracing, attach_exit(tracing, 77), uapi::BPF_TRACE_FEXIT, two_, 77}};
  for (const auto& row : rows) {
    ASSERT_GT(row.link, 0);
    const uapi::bpf_link_info info = bpf().link_info(row.link);
    EXPECT_EQ(info.type, static_cast<std::uint32_t>(uapi::BPF_LINK_TYPE_TRACING));
    EXPECT_EQ(info.prog_id, bpf().prog_info(row.program).id);
    EXPECT_EQ(info.tracing.attach_type, row.attach_type);
    EXPECT_EQ(info.tracing.target_obj_id, bpf().prog_info(main).id);
    EXPECT_EQ(info.tracing.target_btf_id, row.function);
    EXPECT_EQ(info.tracing.cookie, row.cookie);
  }
}

TEST_F(FunctionLinks, D_14_NeitherUpdatedNorDetached) {
  const long main = target();
  const long link = attach(replacement(main, number_, std::string(kThousand)));
  const long traced = attach_entry(tracer(main, two_, false, counts(0)));
  const long other = replacement(main, number_, "r0 = 0\nexit\n");
  for (const long each : {link, traced}) {
    EXPECT_EQ(bpf().link_update(each, other), -EINVAL);
    EXPECT_EQ(bpf().link_detach(each), -EOPNOTSUPP);
  }
  EXPECT_EQ(run(main), kPlain - 7 + 7000);
}

TEST_F(FunctionLinks, D_26_TracersOfOneFunction) {
  const long main = target();
  std::vector<long> links;
  for (int i = 0; i < 38; ++i) {
    links.push_back(i % 3 == 0 ? attach_exit(tracer(main, two_, true, counts(1))) : attach_entry(tracer(main, two_, false, counts(0))));
    ASSERT_GT(links.back(), 0) << i;
  }
  const long entry = tracer(main, two_, false, counts(0)), exit = tracer(main, two_, true, counts(1));
  EXPECT_EQ(attach_entry(entry), -E2BIG);
  EXPECT_EQ(attach_exit(exit), -E2BIG);
  EXPECT_GT(attach_entry(tracer(main, number_, false, counts(2))), 0);
  EXPECT_EQ(run(main), kPlain);
  EXPECT_EQ(seen(0), 25u);
  EXPECT_EQ(seen(1), 13u);
  EXPECT_EQ(seen(2), 1u);
  bpf().close(links.back());
  EXPECT_GT(attach_exit(exit), 0);
}

/// Counts stop at 33 across what replaces and traces; who goes into a program by a tail call passes its tracers.
TEST_F(FunctionLinks, D_33_TailCalls) {
  const long array = bpf().create(BpfClient::map_attr(uapi::BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 2));
  const auto put = [&](std::uint32_t slot, long program) {
    const auto fd = static_cast<std::uint32_t>(program);
    return bpf().update(array, &fd, slot);
  };
  const std::vector<std::int32_t> maps{static_cast<std::int32_t>(seen_), static_cast<std::int32_t>(array)};
  const auto counting = [](int key, int slot, const std::string& end) {
    return "r6 = r1\n*(u32 *)(r10 -4) = " + std::to_string(key) +
           "\nr2 = r10\nr2 += -4\nr1 = map[name:m0]\ncall bpf_map_lookup_elem\nif r0 == 0 goto over\nr1 = *(u64 *)(r0 +0)\nr1 += 1\n*(u64 *)(r0 +0) = r1\nover:\nr1 = r6\n"
           "r2 = map[name:m1]\nr3 = " + std::to_string(slot) + "\ncall bpf_tail_call\n" + end;
  };
  // A program that tail calls itself.
  const long self = load({{counting(0, 0, "r0 = 44\nexit\n"), main_}}, {.maps = maps});
  ASSERT_GT(self, 0) << text_;
  ASSERT_EQ(put(0, self), 0);
  const long entry = attach_entry(tracer(self, main_, false, counts(1)));
  ASSERT_GT(entry, 0);
  const long exit = attach_exit(tracer(self, main_, true, keeps_slot(2, 1)));
  ASSERT_GT(exit, 0);
  EXPECT_EQ(run(self), 44);
  EXPECT_EQ(seen(0), 34u);  // it, and 33 more
  EXPECT_EQ(seen(1), 1u);
  EXPECT_EQ(seen(2), 44u);
  // A replacement that tail calls it: what it returns is the function's result.
  const long main = load({{"call two\nr0 += 1000\nexit\n", main_}, {"two:\nr2 = 0\ncall bpf_skb_pull_data\nr0 = 5\nexit\n", pulls_}}, {});
  ASSERT_GT(main, 0) << text_;
  EXPECT_EQ(run(main), 1005);
  ASSERT_GT(attach(load({{"r6 = r1\nr2 = map[name:m1]\nr3 = 0\ncall bpf_tail_call\nr0 = 5\nexit\n", main_}},
                        {.type = uapi::BPF_PROG_TYPE_EXT, .onto = main, .function = pulls_, .maps = maps})), 0) << text_;
  EXPECT_EQ(run(main), 1044);
  EXPECT_EQ(seen(0), 34u + 33u);
  EXPECT_EQ(seen(1), 1u);  // past its detour
  // A traced function that tail calls: its result is that of whoever ran last.
  const long calling = load({{"r6 = r1\ncall two\nr7 = r0\nr1 = r6\ncall two\nr0 += r7\nexit\n", main_},
                             {"two:\nr2 = map[name:m1]\nr3 = 0\ncall bpf_tail_call\nr0 = 6\nexit\n", pulls_}}, {.maps = maps});
  ASSERT_GT(calling, 0) << text_;
  EXPECT_EQ(run(calling), 44 + 6);  // none is left for the second call
  const std::string sums = with_seen(3, "r1 = *(u64 *)(r0 +0)\nr2 = *(u64 *)(r6 +8)\nr1 *= 100\nr1 += r2\n*(u64 *)(r0 +0) = r1\n");
  ASSERT_GT(attach_exit(tracer(calling, pulls_, true, sums)), 0);
  EXPECT_EQ(run(calling), 44 + 6);
  EXPECT_EQ(seen(3), 4406u);
}

/// Pinned by a client that is gone; another one opens it, and puts the program into a new target.
TEST_F(FunctionLinks, D_35_APinnedReplacementMovesOn) {
  const long main = target();
  const long program = replacement(main, number_, std::string(kThousand));
  ASSERT_EQ(bpf().pin(main, "/sys/fs/bpf/old"), 0);
  ASSERT_EQ(bpf().pin(program, "/sys/fs/bpf/prog"), 0);
  ASSERT_EQ(bpf().pin(attach(program), "/sys/fs/bpf/link"), 0);
  bpf().close_all();

  BpfClient next(*runtime_, *host_btf_);
  const long link = next.get("/sys/fs/bpf/link");
  ASSERT_GT(link, 0);
  const uapi::bpf_link_info info = next.link_info(link);
  EXPECT_EQ(info.tracing.target_btf_id, number_);
  const long old = next.get("/sys/fs/bpf/old");
  EXPECT_EQ(next.prog_info(old).id, info.tracing.target_obj_id);
  make_types();
  const long fresh = target();
  const long again = next.get("/sys/fs/bpf/prog");
  EXPECT_EQ(attach(again), -EINVAL);
  const long moved = attach(again, 0, fresh, number_);
  ASSERT_GT(moved, 0);
  EXPECT_EQ(run(fresh), kPlain - 7 + 7000);
  EXPECT_EQ(run(old), kPlain - 7 + 7000);
  ASSERT_TRUE(runtime_->impl().kernel().pins().unlink("/sys/fs/bpf/link", {0, 0, {}, true}).ok());
  next.close(link);
  EXPECT_EQ(run(old), kPlain);
  EXPECT_EQ(run(fresh), kPlain - 7 + 7000);
}

TEST_F(FunctionLinks, D_36_StaticFunctions) {
  const long main = target();
  ASSERT_GT(attach_exit(tracer(main, quiet_, true, keeps_slot(0, 1))), 0);
  ASSERT_GT(attach_entry(tracer(main, quiet_, false, keeps_slot(1, 0))), 0);
  EXPECT_EQ(run(main), kPlain);
  EXPECT_EQ(seen(0), 102u);
  EXPECT_EQ(seen(1), 100u);
}

/// Failing attaches leave no link (behaviour.md D-37).
TEST_F(FunctionLinks, D_37_RefusedLinksAreNeverSeen) {
  const long main = target();
  ASSERT_GT(attach(replacement(main, number_, std::string(kThousand))), 0);
  const std::uint32_t last = bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, 0);
  EXPECT_EQ(attach(replacement(main, number_, "r0 = 1\nexit\n")), -EBUSY);
  EXPECT_EQ(bpf().next_id(uapi::BPF_LINK_GET_NEXT_ID, last), 0u);
}

/// behaviour.md D.3.3: the last attached first, at both ends.
TEST_F(FunctionLinks, TracersRunInReverseOrder) {
  const long main = target();
  // Each writes ten times what is there and its own digit.
  const auto digit = [](int key, int n) {
    return with_seen(key, "r1 = *(u64 *)(r0 +0)\nr1 *= 10\nr1 += " + std::to_string(n) + "\n*(u64 *)(r0 +0) = r1\n");
  };
  for (int n = 1; n <= 3; ++n) {
    ASSERT_GT(attach_entry(tracer(main, two_, false, digit(0, n))), 0);
    ASSERT_GT(attach_exit(tracer(main, two_, true, digit(1, n))), 0);
  }
  EXPECT_EQ(run(main), kPlain);
  EXPECT_EQ(seen(0), 321u);
  EXPECT_EQ(seen(1), 321u);
}

TEST_F(FunctionLinks, HelpersTellOfTheCall) {
  const long main = target();
  const auto asks = [](int key, const std::string& call) {
    return "r6 = r1\n" + call + "r7 = r0\n*(u32 *)(r10 -4) = " + std::to_string(key) +
           "\nr2 = r10\nr2 += -4\nr1 = map[name:m0]\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\n*(u64 *)(r0 +0) = r7\nout:\nr0 = 0\nexit\n";
  };
  const std::string arg = "r2 = 1\nr3 = r10\nr3 += -16\ncall bpf_get_func_arg\nr0 = *(u64 *)(r10 -16)\n";
  const std::string no_arg = "r2 = 2\nr3 = r10\nr3 += -16\ncall bpf_get_func_arg\n";
  const std::string ret = "r2 = r10\nr2 += -16\ncall bpf_get_func_ret\n";
  const std::string result = ret + "r0 = *(u64 *)(r10 -16)\n";
  ASSERT_GT(attach_entry(tracer(main, two_, false, asks(0, arg))), 0);
  ASSERT_GT(attach_entry(tracer(main, two_, false, asks(1, no_arg))), 0);
  ASSERT_GT(attach_entry(tracer(main, two_, false, asks(2, ret))), 0);
  ASSERT_GT(attach_exit(tracer(main, two_, true, asks(3, result))), 0);
  ASSERT_GT(attach_entry(tracer(main, two_, false, asks(4, "call bpf_get_func_arg_cnt\n"))), 0);
  ASSERT_GT(attach_entry(tracer(main, two_, false, asks(5, "call bpf_get_attach_cookie\n")), 4711), 0);
  ASSERT_GT(attach_entry(tracer(main, two_, false, asks(6, "call bpf_get_func_ip\n"))), 0);
  EXPECT_EQ(run(main), kPlain);
  EXPECT_EQ(seen(0), 30u);
  EXPECT_EQ(static_cast<std::int64_t>(seen(1)), -EINVAL);
  EXPECT_EQ(static_cast<std::int64_t>(seen(2)), -EOPNOTSUPP);
  EXPECT_EQ(seen(3), 31u);
  EXPECT_EQ(seen(4), 2u);
  EXPECT_EQ(seen(5), 4711u);
  // Where the machine code of the function begins.
  uapi::bpf_prog_info info{};
  std::uint64_t symbols[4] = {};
  info.nr_jited_ksyms = 4;
  info.jited_ksyms = reinterpret_cast<std::uintptr_t>(symbols);
  ASSERT_EQ(bpf().info(main, &info, sizeof info), 0);
  if (info.nr_jited_ksyms == 4) {
    EXPECT_EQ(seen(6), symbols[2]);
  }
}

/// A tracing program is traced itself (behaviour.md D.3.1).
TEST_F(FunctionLinks, TracersAreTraced) {
  const long main = target();
  const long first = load({{keeps_slot(0, 1), main_}}, {.type = uapi::BPF_PROG_TYPE_TRACING, .attach_type = uapi::BPF_TRACE_FENTRY, .onto = main, .function = two_});
  ASSERT_GT(first, 0) << text_;
  ASSERT_GT(attach_entry(first), 0);
  ASSERT_GT(attach_exit(tracer(first, main_, true, counts(1))), 0);
  EXPECT_EQ(run(main), kPlain);
  EXPECT_EQ(seen(0), 30u);
  EXPECT_EQ(seen(1), 1u);
}

/// A member that the host calls while its functions are replaced and traced (behaviour.md F.2): each call sees one of both.
TEST_F(FunctionLinks, MembersChangeWhileTheHostCalls) {
  const long member = load({{"r1 = 7\ncall number\nexit\n", main_}, {"number:\nr0 = r1\nexit\n", number_}},
                           {.type = uapi::BPF_PROG_TYPE_STRUCT_OPS, .attach_type = kAdd, .function = host_btf_->find("calc_ops", btf::Kind::kStruct)});
  ASSERT_GT(member, 0) << text_;
  CalcValue value = both();
  value.add = static_cast<std::uint64_t>(member);
  ASSERT_GT(bpf().link(ready_map(value)), 0) << log_.take();
  EXPECT_EQ(call_add(1, 2), 7);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, plain{0}, replaced{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 2; ++i)
    callers.emplace_back([&] {
      while (!stop.load(std::memory_order_relaxed)) {
        const int got = call_add(1, 2);
        (got == 7 ? plain : got == 7000 ? replaced : wrong).fetch_add(1, std::memory_order_relaxed);
      }
    });
  const long program = replacement(member, number_, std::string(kThousand));
  for (int i = 0; i < 10'000 && wrong.load() == 0; ++i) {
    const long link = attach(program, 0, member, number_);
    ASSERT_GT(link, 0);
    if (i % 100 == 0) {
      EXPECT_EQ(call_add(1, 2), 7000);
    }
    bpf().close(link);
    if (i % 100 == 0) {
      EXPECT_EQ(call_add(1, 2), 7);
    }
  }
  for (int i = 0; i < 300; ++i) {
    const long entry = tracer(member, number_, false, counts(0)), exit = tracer(member, main_, true, counts(1));
    const long in = attach_entry(entry), out = attach_exit(exit);
    ASSERT_GT(in, 0);
    ASSERT_GT(out, 0);
    for (const long fd : {in, out, entry, exit}) bpf().close(fd);
  }
  stop.store(true);
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_GT(plain.load(), 0);
  EXPECT_EQ(call_add(1, 2), 7);
}

}  // namespace
}  // namespace ring3::test
