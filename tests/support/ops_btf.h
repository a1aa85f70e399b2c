// Builds the BTF of a small host by hand, record by record, for tests that need types no C compiler would
// emit. Tests with an ordinary host use test_host.h.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/text_sink.h"
#include "btf/btf.h"
#include "btf/builder.h"

namespace ring3::test {

class OpsBtf {
 public:
  OpsBtf() {
    int_ = b.add_int("int", 4, 1);
    u32_ = b.add_int("unsigned int", 4);
    u64_ = b.add_int("unsigned long long", 8);
    s64_ = b.add_int("long long", 8, 1);
    char_ = b.add_int("char", 1, 1);
    object_ = b.add_struct("object", 16, {{"id", u64_, 0}, {"note", u64_, 64}});
    object_ptr_ = b.add_ptr(object_);
    const btf::Builder::NewEnumerator states[] = {{"INIT", 0}, {"INUSE", 1}, {"TOBEFREE", 2}, {"READY", 3}};
    const btf::TypeId state = b.add_enum("bpf_struct_ops_state", 4, states);
    common_ = b.add_struct("bpf_struct_ops_common_value", 8, {{"refcnt", u32_, 0}, {"state", state, 32}});
  }

  /// A pointer to a function.
  btf::TypeId fn(btf::TypeId ret, std::vector<btf::TypeId> args) {
    std::vector<btf::Builder::NewParam> params;
    for (const btf::TypeId arg : args) params.push_back({"", arg});
    return b.add_ptr(b.add_proto(ret, params));
  }

  /// The ops struct and its wrapper (ops at byte 64).
  btf::TypeId ops(std::string_view name, std::uint32_t bytes, std::vector<btf::Builder::NewMember> members) {
    const btf::TypeId type = b.add_struct(name, bytes, members);
    wrapper_ = b.add_struct("bpf_struct_ops_" + std::string(name), 64 + bytes,
                            {{"common", common_, 0}, {"data", type, 64 * 8}});
    return type;
  }

  std::shared_ptr<const btf::Btf> finish() {
    const std::vector<std::byte> blob = b.finish();
    StringSink log;
    auto parsed = btf::Btf::parse(blob, nullptr, log, btf::Origin::kHost);
    if (!parsed.ok()) {
      text_ = log.take();
      return nullptr;
    }
    return parsed.value();
  }

  btf::Builder b;
  btf::TypeId int_, u32_, u64_, s64_, char_, object_, object_ptr_, common_;
  btf::TypeId wrapper_ = 0;  // of the last ops()
  std::string text_;         // why finish() failed
};

}  // namespace ring3::test
