#include "fuzz/support/fuzz_world.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>

#include "btf/builder.h"
#include "exec/kfunc_table.h"

namespace ring3::fuzz {
namespace {

struct Row {
  std::string_view name;
  std::uint32_t flags;
};
constexpr std::array<Row, kHostFunctions> kRows{{{"bpf_iter_num_new", model::kKfuncIterNew},
                                                 {"bpf_iter_num_next", model::kKfuncIterNext | model::kKfuncRetNull},
                                                 {"bpf_iter_num_destroy", model::kKfuncIterDestroy},
                                                 {"bpf_iter_bits_new", model::kKfuncIterNew},
                                                 {"bpf_iter_bits_next", model::kKfuncIterNext | model::kKfuncRetNull},
                                                 {"bpf_iter_bits_destroy", model::kKfuncIterDestroy}}};

constexpr std::size_t kMostFunctions = 8;
constexpr btf::TypeId kMainType = 3;  // FUNC records begin here

std::shared_ptr<const btf::Btf> parsed(std::span<const std::byte> bytes) {
  StringSink log;
  auto btf = btf::Btf::parse(bytes, nullptr, log);
  if (btf.ok()) return std::move(btf).value();
  std::fprintf(stderr, "types of the fuzz target: %s\n", log.text().c_str());
  std::abort();
}

World make_world() {
  World out;
  btf::Builder b;
  const btf::TypeId i32 = b.add_int("int", 4, 1), u64 = b.add_int("u64", 8), u32 = b.add_int("u32", 4);
  const btf::TypeId num = b.add_ptr(b.add_struct("bpf_iter_num", 8, {{"opaque", u64, 0}}));
  const btf::TypeId bits = b.add_ptr(b.add_struct("bpf_iter_bits", 16, {{"opaque", b.add_array(u64, u32, 2), 0}}));
  const btf::TypeId number = b.add_ptr(i32), words = b.add_ptr(u64);
  b.add_func(kRows[0].name, b.add_proto(i32, {{"it", num}, {"start", i32}, {"end", i32}}), btf::Linkage::kStatic);
  b.add_func(kRows[1].name, b.add_proto(number, {{"it", num}}), btf::Linkage::kStatic);
  b.add_func(kRows[2].name, b.add_proto(0, {{"it", num}}), btf::Linkage::kStatic);
  b.add_func(kRows[3].name, b.add_proto(i32, {{"it", bits}, {"unsafe_ptr__ign", words}, {"nr_words", u32}}), btf::Linkage::kStatic);
  b.add_func(kRows[4].name, b.add_proto(number, {{"it", bits}}), btf::Linkage::kStatic);
  b.add_func(kRows[5].name, b.add_proto(0, {{"it", bits}}), btf::Linkage::kStatic);
  out.facts.host_btf = parsed(b.finish());
  for (const Row& row : kRows)
    out.facts.kfuncs.push_back({.name = std::string(row.name), .btf = out.facts.host_btf,
                                .func = out.facts.host_btf->find(row.name, btf::Kind::kFunc), .flags = row.flags,
                                .address = reinterpret_cast<void*>(exec::find_own_kfunc(row.name)), .with_run = true});

  btf::Builder p;
  const btf::TypeId proto = p.add_proto(p.add_int("int", 4, 1), {});
  p.add_func("main", proto, btf::Linkage::kGlobal);
  for (const char* name : {"f1", "f2", "f3", "f4", "f5", "f6", "f7"}) p.add_func(name, proto, btf::Linkage::kStatic);
  out.program_btf_bytes = p.finish();
  out.program_btf = parsed(out.program_btf_bytes);
  return out;
}

}  // namespace

std::string_view name_of(HostFunction function) { return kRows[static_cast<std::size_t>(function)].name; }

const World& world() {
  static const World the_world = make_world();
  return the_world;
}

btf::TypeId World::id_of(HostFunction function) const { return facts.kfuncs[static_cast<std::size_t>(function)].func; }

std::optional<HostFunction> World::function_of(std::int64_t imm) const {
  for (std::size_t i = 0; i < facts.kfuncs.size(); ++i)
    if (facts.kfuncs[i].func == static_cast<btf::TypeId>(imm)) return static_cast<HostFunction>(i);
  return std::nullopt;
}

std::vector<verifier::FuncInfo> function_records(std::span<const isa::RawInsn> program) {
  constexpr std::uint8_t kCall = 0x85, kWide = 0x18, kCallsFunction = 1, kNamesFunction = 4;
  std::set<std::uint32_t> starts{0};
  for (std::size_t i = 0; i < program.size(); ++i) {
    const isa::RawInsn& insn = program[i];
    if ((insn.code == kCall && insn.src == kCallsFunction) || (insn.code == kWide && insn.src == kNamesFunction))
      starts.insert(static_cast<std::uint32_t>(static_cast<std::int64_t>(i) + 1 + insn.imm));
    if (insn.code == kWide) ++i;
  }
  std::vector<verifier::FuncInfo> out;
  if (starts.size() > kMostFunctions) return out;
  for (const std::uint32_t start : starts) out.push_back({start, kMainType + static_cast<btf::TypeId>(out.size())});
  return out;
}

}  // namespace ring3::fuzz
