#include "tests/support/case_program.h"

#include <algorithm>
#include <array>

#include "isa/text_cursor.h"
#include "uapi/bpf.h"

namespace ring3::test {
namespace {

struct NamedValue {
  std::string_view name;   // of the enumerator, behind its prefix
  std::uint32_t value;
};

constexpr NamedValue kProgTypes[] = {
#define T(name) {#name, uapi::BPF_PROG_TYPE_##name},
    T(SOCKET_FILTER) T(KPROBE) T(SCHED_CLS) T(SCHED_ACT) T(TRACEPOINT) T(XDP) T(PERF_EVENT) T(CGROUP_SKB)
    T(CGROUP_SOCK) T(LWT_IN) T(LWT_OUT) T(LWT_XMIT) T(SOCK_OPS) T(SK_SKB) T(CGROUP_DEVICE) T(SK_MSG)
    T(RAW_TRACEPOINT) T(CGROUP_SOCK_ADDR) T(LWT_SEG6LOCAL) T(LIRC_MODE2) T(SK_REUSEPORT) T(FLOW_DISSECTOR)
    T(CGROUP_SYSCTL) T(RAW_TRACEPOINT_WRITABLE) T(CGROUP_SOCKOPT) T(TRACING) T(STRUCT_OPS) T(EXT) T(LSM)
    T(SK_LOOKUP) T(SYSCALL) T(NETFILTER)
#undef T
};

constexpr NamedValue kMapTypes[] = {
#define T(name) {#name, uapi::BPF_MAP_TYPE_##name},
    T(HASH) T(ARRAY) T(PROG_ARRAY) T(PERF_EVENT_ARRAY) T(PERCPU_HASH) T(PERCPU_ARRAY) T(STACK_TRACE)
    T(CGROUP_ARRAY) T(LRU_HASH) T(LRU_PERCPU_HASH) T(LPM_TRIE) T(ARRAY_OF_MAPS) T(HASH_OF_MAPS) T(DEVMAP)
    T(SOCKMAP) T(CPUMAP) T(XSKMAP) T(SOCKHASH) T(CGROUP_STORAGE) T(REUSEPORT_SOCKARRAY) T(PERCPU_CGROUP_STORAGE)
    T(QUEUE) T(STACK) T(SK_STORAGE) T(DEVMAP_HASH) T(STRUCT_OPS) T(RINGBUF) T(INODE_STORAGE) T(TASK_STORAGE)
    T(BLOOM_FILTER) T(USER_RINGBUF) T(CGRP_STORAGE) T(ARENA)
#undef T
};

constexpr NamedValue kProgFlags[] = {
#define T(name) {#name, uapi::BPF_F_##name},
    T(STRICT_ALIGNMENT) T(ANY_ALIGNMENT) T(TEST_RND_HI32) T(TEST_STATE_FREQ) T(SLEEPABLE) T(XDP_HAS_FRAGS)
    T(XDP_DEV_BOUND_ONLY) T(TEST_REG_INVARIANTS)
#undef T
};

/// Case files write names in lower case, flags with hyphens.
bool same_name(std::string_view written, std::string_view enumerator) {
  return std::equal(written.begin(), written.end(), enumerator.begin(), enumerator.end(), [](char a, char b) {
    if (a == '-') a = '_';
    return a == b || (a >= 'a' && a <= 'z' && a - 'a' + 'A' == b);
  });
}

template <std::size_t N>
bool look_up(const NamedValue (&table)[N], std::string_view name, std::uint32_t& out) {
  for (const NamedValue& row : table) {
    if (!same_name(name, row.name)) continue;
    out = row.value;
    return true;
  }
  return false;
}

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t start = text.find_first_not_of(" \t,", at);
    if (start == std::string_view::npos) break;
    at = std::min(text.find_first_of(" \t,", start), text.size());
    out.push_back(text.substr(start, at - start));
  }
  return out;
}

bool parse_u32(std::string_view text, std::uint32_t& out) {
  isa::TextCursor at(text);
  isa::ParsedNumber number;
  if (!at.number(number) || !at.at_end() || number.negative || number.magnitude > UINT32_MAX) return false;
  out = static_cast<std::uint32_t>(number.magnitude);
  return true;
}

class CaseSymbols final : public isa::Symbols {
 public:
  explicit CaseSymbols(const std::vector<model::MapFacts>& maps) : maps_(maps) {}
  bool map(std::string_view name, std::int32_t& fd) const override {
    for (std::size_t i = 0; i < maps_.size(); ++i) {
      if (maps_[i].name != name) continue;
      fd = static_cast<std::int32_t>(i);
      return true;
    }
    return false;
  }

 private:
  const std::vector<model::MapFacts>& maps_;
};

class Maker {
 public:
  Maker(CaseProgram& out, std::string& error) : out_(out), error_(error) {}

  bool run(const Case& c) {
    for (const CaseKey& key : c.keys)
      if (!take(key)) return false;
    return assemble(*c.section("asm"));
  }

 private:
  bool fail(std::string what) {
    error_ = std::move(what);
    return false;
  }

  bool take(const CaseKey& key) {
    if (key.name == "prog-type") return prog_type(key.value);
    if (key.name == "attach-type")
      return parse_u32(key.value, out_.attach_type) || fail("attach-type is a number, not " + key.value);
    if (key.name == "flags") return flags(key.value);
    if (key.name == "rights") return rights(key.value);
    if (key.name == "license") {
      out_.gpl_compatible = key.value.find("GPL") != std::string::npos;
      return true;
    }
    if (key.name == "log-level")
      return parse_u32(key.value, out_.log_level) || fail("log-level is a number, not " + key.value);
    if (key.name == "map") return map(key.value);
    if (key.name == "changed-after" || key.name == "kernel-accepts") return true;  // for tests/native
    return fail("no such key: " + key.name);
  }

  bool prog_type(std::string_view name) {
    out_.verified = name != "none";
    return !out_.verified || look_up(kProgTypes, name, out_.prog_type) ||
           fail("no such program type: " + std::string(name));
  }

  bool flags(std::string_view names) {
    out_.flags = 0;
    for (std::string_view name : words(names)) {
      std::uint32_t flag = 0;
      if (!look_up(kProgFlags, name, flag)) return fail("no such flag: " + std::string(name));
      out_.flags |= flag;
    }
    return true;
  }

  bool rights(std::string_view names) {
    out_.rights = {};
    for (std::string_view name : words(names)) {
      if (name == "all") out_.rights = model::Rights::all();
      else if (name == "bpf") out_.rights.bpf = true;
      else if (name == "perfmon") out_.rights.perfmon = true;
      else if (name == "net_admin") out_.rights.net_admin = true;
      else if (name == "sys_admin") out_.rights.sys_admin = true;
      else if (name != "none") return fail("no such right: " + std::string(name));
    }
    return true;
  }

  /// NAME TYPE key=N value=N entries=N flags=N inner=NAME
  bool map(std::string_view text) {
    const std::vector<std::string_view> all = words(text);
    model::MapFacts map;
    if (all.size() < 2 || !look_up(kMapTypes, all[1], map.type))
      return fail("a map is: NAME TYPE key=N value=N entries=N [flags=N] [inner=NAME], not " + std::string(text));
    map.name = all[0];
    map.id = static_cast<std::uint32_t>(out_.maps.size()) + 1;
    for (std::size_t i = 2; i < all.size(); ++i) {
      const std::size_t equals = all[i].find('=');
      const std::string_view field = all[i].substr(0, equals);
      if (field == "inner" && equals != std::string_view::npos) {
        if (!inner_map(all[i].substr(equals + 1), map)) return false;
        continue;
      }
      std::uint32_t* const to = field == "key" ? &map.key_size : field == "value" ? &map.value_size
                                : field == "entries" ? &map.max_entries : field == "flags" ? &map.flags : nullptr;
      if (to == nullptr || equals == std::string_view::npos || !parse_u32(all[i].substr(equals + 1), *to))
        return fail("a map has no such property: " + std::string(all[i]));
    }
    out_.maps.push_back(std::move(map));
    return true;
  }

  /// What maps are like that `outer` holds: as one made before it.
  bool inner_map(std::string_view name, model::MapFacts& outer) {
    const auto made = std::find_if(out_.maps.begin(), out_.maps.end(), [name](const model::MapFacts& m) { return m.name == name; });
    if (made == out_.maps.end()) return fail("no map before this one is called " + std::string(name));
    auto inner = std::make_shared<model::MapFacts>(*made);
    inner->name.clear();
    outer.inner = std::move(inner);
    return true;
  }

  bool assemble(const CaseSection& section) {
    std::string text;
    for (const std::string& line : section.body) text += line + "\n";
    isa::AssembleError wrong;
    const CaseSymbols symbols(out_.maps);
    auto slots = isa::assemble(text, &wrong, &symbols);
    // Line 1 of the section is the one below its heading; files count from 1.
    if (!slots) return fail("line " + std::to_string(section.heading + 1 + wrong.line) + ": " + wrong.message);
    out_.slots = std::move(slots).value();
    return true;
  }

  CaseProgram& out_;
  std::string& error_;
};

}  // namespace

bool make_case_program(const Case& c, CaseProgram& out, std::string& error) {
  out = {};
  return Maker(out, error).run(c);
}

}  // namespace ring3::test
