#include "control/module_wire.h"

#include <concepts>

namespace ring3::control {
namespace {

// The order here is the order on the wire.
template <typename Visitor>
void fields(Visitor& v, module::ProgramRow& row) {
  v(row.id), v(row.name), v(row.type), v(row.tag), v(row.insns), v(row.runs), v(row.run_time_ns);
  v(row.sampled_runs), v(row.sampled_ns), v(row.memory_bytes), v(row.verdict), v(row.signer), v(row.key);
}
template <typename Visitor>
void fields(Visitor& v, module::MapRow& row) {
  v(row.id), v(row.name), v(row.type), v(row.max_entries), v(row.memory_bytes);
}
template <typename Visitor>
void fields(Visitor& v, module::OpsRow& row) {
  v(row.map_id), v(row.link_id), v(row.name), v(row.type), v(row.users);
}
template <typename Visitor>
void fields(Visitor& v, module::ModuleInfo& info) {
  v(info.id), v(info.name), v(info.state), v(info.lifetime), v(info.uid), v(info.pid), v(info.loaded_ns);
  v(info.source), v(info.digest), v(info.replaced), v(info.used_by), v(info.users), v(info.memory_bytes), v(info.runs);
  v(info.programs), v(info.maps), v(info.ops);
}

struct Put {
  WireWriter& out;
  template <std::integral T>
  void operator()(T& value) {
    out.put(value);
  }
  void operator()(module::Lifetime& value) { out.put(static_cast<std::uint32_t>(value)); }
  void operator()(std::string& text) { out.text(text); }
  template <typename Row>
  void operator()(std::vector<Row>& rows) {
    out.put(static_cast<std::uint32_t>(rows.size()));
    for (Row& row : rows) (*this)(row);
  }
  template <typename Row>
  void operator()(Row& row) {
    fields(*this, row);
  }
};

struct Get {
  WireReader& in;
  template <std::integral T>
  void operator()(T& value) {
    value = in.get<T>();
  }
  void operator()(module::Lifetime& value) {
    const auto number = in.get<std::uint32_t>();
    if (number > static_cast<std::uint32_t>(module::Lifetime::kPinned)) in.fail();
    value = static_cast<module::Lifetime>(number);
  }
  void operator()(std::string& text) { text = in.text(); }
  template <typename Row>
  void operator()(std::vector<Row>& rows) {
    // The count is only believed as far as bytes follow.
    for (auto count = in.get<std::uint32_t>(); count != 0 && in.ok(); --count) (*this)(rows.emplace_back());
  }
  template <typename Row>
  void operator()(Row& row) {
    fields(*this, row);
  }
};

}  // namespace

void put_module(WireWriter& out, const module::ModuleInfo& info) {
  module::ModuleInfo copy = info;  // one list of fields serves both directions, so it wants lvalues
  Put put{out};
  put(copy);
}

module::ModuleInfo get_module(WireReader& in) {
  module::ModuleInfo info;
  Get get{in};
  get(info);
  return info;
}

}  // namespace ring3::control
