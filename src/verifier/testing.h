// For tests of the verifier only: a log that is kept, BTF made by hand, functions of a host by name.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/text_sink.h"
#include "btf/builder.h"
#include "isa/assemble.h"
#include "model/facts.h"
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

}  // namespace ring3::verifier::testing
