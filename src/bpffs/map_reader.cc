#include "bpffs/map_reader.h"

#include <fmt/format.h>

#include "base/text_sink.h"
#include "base/try.h"
#include "maps/client_access.h"
#include "maps/map_text.h"

namespace ring3::bpffs {
namespace {

constexpr std::size_t kPieceBytes = 16 * 1024;

class MapText final : public TextSource {
 public:
  MapText(Ref<maps::Map> map, bool json) : map_(std::move(map)), walk_(*map_), json_(json) {}

  Result<void> more(std::string& out) override {
    StringSink text;
    if (!json_ && !begun_) maps::print_warning(text);
    begun_ = true;
    while (!ended_ && text.text().size() < kPieceBytes) {
      ended_ = !RING3_TRY(walk_.step());
      if (ended_) break;
      if (json_)
        print_json(text);
      else
        maps::print_element(*map_, walk_.key(), walk_.value(), text);
    }
    out += text.text();
    return {};
  }

 private:
  void print_json(TextSink& text) {
    const maps::MapSpec& spec = map_->spec();
    text.write("{\"key\":");
    if (spec.key_type != 0)
      btf::print_value(*spec.btf, spec.key_type, walk_.key(), btf::ValueStyle::kJson, text);
    else
      text.write("0");  // global data
    text.write(",\"value\":");
    maps::print_map_value(*map_, walk_.key(), walk_.value(), btf::ValueStyle::kJson, text);
    text.write("}\n");
  }

  const Ref<maps::Map> map_;
  maps::ElementWalk walk_;
  const bool json_;
  bool begun_ = false, ended_ = false;
};

bool is_ops(const maps::Map& map) { return map.spec().type == uapi::BPF_MAP_TYPE_STRUCT_OPS; }

/// A struct_ops map as one line; its value type is the host's.
Result<std::string> ops_value(maps::Map& map, const btf::Btf& host_btf, btf::ValueStyle style) {
  const std::uint32_t key = 0;
  std::vector<std::byte> value(map.value_size());
  RING3_TRY(maps::lookup_elem(map, std::as_bytes(std::span(&key, 1)), value, 0));
  StringSink text;
  btf::print_value(host_btf, map.spec().kernel_value_type, value, style, text);
  text.write("\n");
  return text.take();
}

std::string hex(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte b : bytes) out += fmt::format("{:02x}", static_cast<unsigned>(b));
  return out;
}

}  // namespace

bool prints(const maps::Map& map) { return is_ops(map) || maps::is_printable(map); }

Result<std::unique_ptr<TextSource>> map_text(Ref<maps::Map> map, std::shared_ptr<const btf::Btf> host_btf) {
  if (is_ops(*map)) {
    StringSink text;
    maps::print_warning(text);
    text.write(RING3_TRY(ops_value(*map, *host_btf, btf::ValueStyle::kBpffs)));
    return std::unique_ptr<TextSource>(new WholeText(text.take()));
  }
  if (!maps::is_printable(*map)) return Errno::kIo;
  return std::unique_ptr<TextSource>(new MapText(std::move(map), false));
}

Result<std::unique_ptr<TextSource>> map_json(Ref<maps::Map> map, std::shared_ptr<const btf::Btf> host_btf) {
  if (is_ops(*map)) {
    std::string line = "{\"key\":0,\"value\":" + RING3_TRY(ops_value(*map, *host_btf, btf::ValueStyle::kJson));
    line.back() = '}';
    return std::unique_ptr<TextSource>(new WholeText(line + "\n"));
  }
  if (!maps::is_printable(*map)) return Errno::kIo;
  return std::unique_ptr<TextSource>(new MapText(std::move(map), true));
}

Result<std::string> value_text(maps::Map& map, std::span<const std::byte> key, btf::ValueStyle style) {
  std::vector<std::byte> value(map.value_bytes());
  RING3_TRY(maps::lookup_elem(map, key, value, 0));
  StringSink text;
  if (map.spec().btf && map.spec().value_type != 0)
    maps::print_map_value(map, key, value, style, text);
  else
    text.write(style == btf::ValueStyle::kJson ? "{\"hex\":\"" + hex(value) + "\"}" : hex(value));
  text.write("\n");
  return text.take();
}

}  // namespace ring3::bpffs
