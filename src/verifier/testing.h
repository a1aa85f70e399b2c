// For tests of the verifier only: a log that is kept, BTF made by hand, functions of a host by name.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text_sink.h"
#include "btf/builder.h"
#include "isa/assemble.h"
#include "isa/decode.h"
#include "isa/insn.h"
#include "model/facts.h"
#include "uapi/bpf.h"
#include "verifier/verifier.h"

namespace ring3::verifier::testing {

class TextLog final : public LogSink {
 public:
  explicit TextLog(std::uint32_t log_level = 0) { level = log_level; }
  void write(std::string_view more) override { text += more; }
  void rejected(const Rejection& why) override { rejection = why; }

  std::string text;
  Rejection rejection;
};

inline std::shared_ptr<const btf::Btf> parsed(const btf::Builder& builder) {
  StringSink log;
  auto btf = btf::Btf::parse(builder.finish(), nullptr, log);
  EXPECT_TRUE(btf.ok()) << log.text();
  return std::move(btf).value();
}

/// What programs under test may name: the functions of facts.host_btf; no map.
class HostNames : public isa::Symbols {
 public:
  bool kfunc(std::string_view name, std::int32_t& id, std::int16_t& off) const override {
    id = static_cast<std::int32_t>(facts.host_btf->find(name, btf::Kind::kFunc));
    off = 0;
    return id != 0;
  }
  bool map(std::string_view, std::int32_t&) const override { return false; }

  model::Facts facts;
};

/// How many slots the text takes.
inline std::size_t slots_of(const std::string& text, const isa::Symbols* names = nullptr) {
  return text.empty() ? 0 : isa::assemble(text, nullptr, names).value().size();
}

/// A program in text as verify() takes it, by a caller with all rights; the rest of `input` is the test's to set.
class TestProgram {
 public:
  /// behind: functions that follow; subprog[+0] names the first of them.
  explicit TestProgram(const std::string& main, const isa::Symbols* names = nullptr, const std::string& behind = "") {
    isa::AssembleError wrong;
    auto slots = isa::assemble(main + behind, &wrong, names);
    if (!slots.ok()) {
      ADD_FAILURE() << wrong.message << "\n" << main << behind;
      return;
    }
    raw_ = std::move(slots).value();
    main_slots = raw_.size() - slots_of(behind, names);
    constexpr std::uint8_t kWide = 0x18, kPseudoFunc = 4;
    for (std::size_t i = 0; i < raw_.size(); ++i)
      if (raw_[i].code == kWide && raw_[i].src == kPseudoFunc)
        raw_[i].imm = static_cast<std::int32_t>(main_slots) - static_cast<std::int32_t>(i) - 1;
    isa::FieldError field;
    auto insns = isa::decode(raw_, &field);
    if (!insns.ok()) {
      ADD_FAILURE() << field.message << "\n" << main << behind;
      return;
    }
    insns_ = std::move(insns).value();
    for (std::uint32_t i = 0; i < insns_.size(); ++i) {
      const isa::Insn& insn = insns_[i];
      if (insn.op != isa::Op::kLdImm64 || insn.pseudo() == isa::Pseudo::kImm || insn.pseudo() == isa::Pseudo::kFunc) continue;
      wide_.push_back({i, insn.pseudo(), static_cast<std::uint32_t>(insn.imm),
                       static_cast<std::uint32_t>(static_cast<std::uint64_t>(insn.imm) >> 32)});
    }
    input.prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS;
    input.gpl_compatible = true;
    input.insns = insns_;
    input.raw = raw_;
    input.wide = wide_;
    input.rights = model::Rights::all();
  }
  TestProgram(const TestProgram&) = delete;
  TestProgram& operator=(const TestProgram&) = delete;

  /// "accepted", or the log.
  std::string judge(const model::Facts& facts = {}, VerifiedProgram* verified = nullptr) const {
    TextLog log(1);
    auto verdict = verify(input, facts, Limits{}, log);
    if (!verdict.ok()) return log.text;
    if (verified != nullptr) *verified = std::move(verdict).value();
    return "accepted";
  }

  ProgramInput input;
  std::size_t main_slots = 0;

 private:
  std::vector<isa::RawInsn> raw_;
  std::vector<isa::Insn> insns_;
  std::vector<WideImmediate> wide_;
};

}  // namespace ring3::verifier::testing
