#include "verdict_diff.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <vector>

#include "runtime/runtime_impl.h"
#include "syscall/bpf.h"
#include "syscall/caller.h"
#include "test_host_btf.h"
#include "uapi/bpf.h"

namespace ring3::native {
namespace {

std::uint64_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

uapi::bpf_attr zero() {
  uapi::bpf_attr attr;
  std::memset(static_cast<void*>(&attr), 0, sizeof(attr));
  return attr;
}

/// What a verifier may give up on although nothing is wrong.
bool gave_up(long error) { return error == -E2BIG || error == -ENOMEM; }

std::string hex(const std::uint8_t* bytes, std::size_t n) {
  std::string text;
  char two[4];
  for (std::size_t i = 0; i < n; ++i) {
    std::snprintf(two, sizeof(two), "%02x%s", bytes[i], i % 8 == 7 ? " " : "");
    text += two;
  }
  return text;
}

}  // namespace

VerdictDiff::VerdictDiff() {
  theirs_.bpf = [](int cmd, void* attr, std::uint32_t size) {
    const long result = ::syscall(SYS_bpf, cmd, attr, size);
    return result < 0 ? -static_cast<long>(errno) : result;
  };
  runtime_ = Runtime::create({.name = "diff", .btf = test_host_btf}).value();
  interpreting_ = Runtime::create({.name = "diff-interpreter", .btf = test_host_btf, .execution = Execution::kInterpreter}).value();
  const auto bpf_of = [this](Runtime& runtime) -> Bpf {
    return [this, &runtime](int cmd, void* attr, std::uint32_t size) {
      syscall::OwnCaller caller(rights_);
      return syscall::bpf(runtime.impl().kernel(), caller, cmd, reinterpret_cast<std::uintptr_t>(attr), size);
    };
  };
  ours_.bpf = bpf_of(*runtime_);
  interpreted_.bpf = bpf_of(*interpreting_);
  for (Side* side : {&ours_, &interpreted_, &theirs_}) create_maps(*side);
  if (theirs_.map < 0) problem_ = std::string("bpf(2) makes no map here: ") + std::strerror(static_cast<int>(-theirs_.map));
}

VerdictDiff::~VerdictDiff() {
  for (const Side* side : {&ours_, &interpreted_, &theirs_})
    for (const long fd : {side->map, side->hash})
      if (fd >= 0) ::close(static_cast<int>(fd));
}

void VerdictDiff::create_maps(Side& side) {
  uapi::bpf_attr attr = zero();
  attr.map_type = uapi::BPF_MAP_TYPE_ARRAY;
  attr.key_size = 4;
  attr.value_size = kMapValueBytes;
  attr.max_entries = 1;
  side.map = side.bpf(uapi::BPF_MAP_CREATE, &attr, sizeof(attr));
  attr = zero();
  attr.map_type = uapi::BPF_MAP_TYPE_HASH;
  attr.key_size = attr.value_size = 8;
  attr.max_entries = kHashEntries;
  side.hash = side.bpf(uapi::BPF_MAP_CREATE, &attr, sizeof(attr));
}

/// One element: its command, key and value.
static uapi::bpf_attr element(long map, const void* key, const void* value) {
  uapi::bpf_attr attr = zero();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address(key);
  attr.value = address(value);
  return attr;
}

/// Every other key is there.
long VerdictDiff::fill_hash(Side& side) {
  for (std::uint64_t key = 0; key < kHashEntries; ++key) {
    const std::uint64_t value = key * 0x0123456789abcdef;
    uapi::bpf_attr attr = element(side.hash, &key, &value);
    const long error = side.bpf(key % 2 == 0 ? uapi::BPF_MAP_UPDATE_ELEM : uapi::BPF_MAP_DELETE_ELEM, &attr, sizeof(attr));
    if (error != 0 && error != -ENOENT) return error;
  }
  return 0;
}

void VerdictDiff::read_hash(Side& side, Run& into) {
  for (std::uint64_t key = 0; key < kHashEntries; ++key) {
    uapi::bpf_attr attr = element(side.hash, &key, &into.hash[2 * key + 1]);
    into.hash[2 * key] = side.bpf(uapi::BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) == 0;
  }
}

/// with_log: side.log gets the text. Most time goes into that when a loop is followed for a million instructions.
long VerdictDiff::load(Side& side, RandomProgram program, bool with_log) {
  for (const std::size_t at : program.map_at) program.insns[at].imm = static_cast<std::int32_t>(side.map);
  for (const std::size_t at : program.hash_at) program.insns[at].imm = static_cast<std::int32_t>(side.hash);
  static std::vector<char> text(1 << 20);
  text[0] = '\0';
  uapi::bpf_attr attr = zero();
  attr.prog_type = uapi::BPF_PROG_TYPE_SOCKET_FILTER;
  attr.insn_cnt = static_cast<std::uint32_t>(program.insns.size());
  attr.insns = address(program.insns.data());
  attr.license = address("GPL");
  if (with_log) {
    attr.log_level = 1;
    attr.log_size = static_cast<std::uint32_t>(text.size());
    attr.log_buf = address(text.data());
  }
  const long fd = side.bpf(uapi::BPF_PROG_LOAD, &attr, sizeof(attr));
  side.log = text.data();
  return fd;
}

VerdictDiff::Run VerdictDiff::run(Side& side, long prog) {
  Run result;
  std::uint32_t key = 0;
  for (std::size_t i = 0; i < kMapValueBytes; ++i) result.value[i] = static_cast<std::uint8_t>(i * 37 + 11);
  uapi::bpf_attr attr = element(side.map, &key, result.value);
  result.error = side.bpf(uapi::BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr));
  if (result.error == 0) result.error = fill_hash(side);
  std::uint8_t packet[64];
  for (std::size_t i = 0; i < sizeof(packet); ++i) packet[i] = static_cast<std::uint8_t>(i * 91 + 3);
  attr = zero();
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.data_in = address(packet);
  attr.test.data_size_in = sizeof(packet);
  if (result.error == 0) result.error = side.bpf(uapi::BPF_PROG_TEST_RUN, &attr, sizeof(attr));
  result.retval = attr.test.retval;
  attr = element(side.map, &key, result.value);
  if (result.error == 0) result.error = side.bpf(uapi::BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr));
  read_hash(side, result);
  return result;
}

bool VerdictDiff::may_run_without_leaks(const RandomProgram& program) {
  const model::Rights rights = std::exchange(rights_, {.bpf = true});
  const long prog = load(ours_, program, false);
  rights_ = rights;
  if (prog >= 0) ::close(static_cast<int>(prog));
  return prog >= 0;
}

/// Compiled against the kernel, and interpreted against compiled.
Comparison VerdictDiff::compare_runs(const RandomProgram& program, long ours, long theirs) {
  const auto text = [](const Run& r) {
    std::string out = "error " + std::to_string(r.error) + " r0 " + std::to_string(r.retval) + " array " + hex(r.value, kMapValueBytes) + "hash";
    for (std::uint32_t key = 0; key < kHashEntries; ++key)
      out += r.hash[2 * key] != 0 ? " " + hex(reinterpret_cast<const std::uint8_t*>(&r.hash[2 * key + 1]), 8) : " -";
    return out;
  };
  Comparison c;
  c.accepted = true;
  const long interpreted = load(interpreted_, program, false);
  const Run compiled = run(ours_, ours), reference = run(interpreted_, interpreted);
  const Run kernel = problem_.empty() ? run(theirs_, theirs) : reference;
  if (interpreted >= 0) ::close(static_cast<int>(interpreted));
  if (compiled == kernel && compiled == reference) return c;
  c.difference = Difference::kResult;
  c.ours = "compiled:    " + text(compiled) + "\ninterpreted: " + text(reference);
  c.theirs = text(kernel);
  return c;
}

Comparison VerdictDiff::compare(const RandomProgram& program) {
  Comparison c;
  const long ours = load(ours_, program, false);
  const long theirs = problem_.empty() ? load(theirs_, program, false) : ours >= 0 ? ::dup(static_cast<int>(ours)) : ours;
  if (ours >= 0 && theirs < 0 && !gave_up(theirs)) c.difference = Difference::kOnlyWeAccept;
  if (ours < 0 && theirs >= 0 && !gave_up(ours)) c.difference = Difference::kOnlyWeRefuse;
  if (c.difference != Difference::kNone) {
    for (const long again : {load(ours_, program, true), load(theirs_, program, true)})
      if (again >= 0) ::close(static_cast<int>(again));
    c.ours = std::move(ours_.log);
    c.theirs = std::move(theirs_.log);
  }
  if (ours >= 0 && theirs >= 0) {
    c.accepted = true;
    if (!may_run_without_leaks(program)) {  // addresses differ from one kernel to the next
      ::close(static_cast<int>(ours));
      ::close(static_cast<int>(theirs));
      return c;
    }
    c = compare_runs(program, ours, theirs);
  }
  if (ours >= 0) ::close(static_cast<int>(ours));
  if (theirs >= 0) ::close(static_cast<int>(theirs));
  return c;
}

namespace {

bool is_wide(const isa::RawInsn& i) { return i.code == 0x18; }
bool is_subprog_call(const isa::RawInsn& i) { return i.code == 0x85 && i.src == 1; }
bool is_jump(const isa::RawInsn& i) {
  return ((i.code & 7) == 5 || (i.code & 7) == 6) && (i.code & 0xf0) != 0x80 && (i.code & 0xf0) != 0x90;
}

/// The program without instruction `at`; jumps to it go to the next one.
RandomProgram without(const RandomProgram& program, std::size_t at) {
  RandomProgram out;
  const auto width = is_wide(program.insns[at]) ? 2u : 1u;
  const auto moved = [&](std::ptrdiff_t i) { return i > static_cast<std::ptrdiff_t>(at) ? i - static_cast<std::ptrdiff_t>(width) : i; };
  for (std::size_t i = 0; i < program.insns.size(); ++i) {
    if (i >= at && i < at + width) continue;
    isa::RawInsn insn = program.insns[i];
    const auto from = static_cast<std::ptrdiff_t>(i);
    if (is_jump(insn)) insn.off = static_cast<std::int16_t>(moved(from + 1 + insn.off) - moved(from) - 1);
    if (is_subprog_call(insn)) insn.imm = static_cast<std::int32_t>(moved(from + 1 + insn.imm) - moved(from) - 1);
    out.insns.push_back(insn);
  }
  for (const std::size_t m : program.map_at)
    if (m != at) out.map_at.push_back(static_cast<std::size_t>(moved(static_cast<std::ptrdiff_t>(m))));
  for (const std::size_t m : program.hash_at)
    if (m != at) out.hash_at.push_back(static_cast<std::size_t>(moved(static_cast<std::ptrdiff_t>(m))));
  return out;
}

}  // namespace

RandomProgram VerdictDiff::minimise(RandomProgram program, Difference keep) {
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = program.insns.size(); i-- > 0;) {
      if (program.insns[i].code == 0) continue;  // second half of a wide immediate
      RandomProgram smaller = without(program, i);
      if (smaller.insns.empty() || compare(smaller).difference != keep) continue;
      program = std::move(smaller);
      changed = true;
      i = std::min(i, program.insns.size());
    }
  }
  return program;
}

}  // namespace ring3::native
