#include "maps/map_text.h"

#include <fmt/format.h>

#include <cstring>
#include <vector>

#include "base/try.h"
#include "btf/print.h"
#include "maps/client_access.h"
#include "object/rcu.h"

namespace ring3::maps {
namespace {

bool is_percpu(const Map& map) { return map.value_bytes() != map.value_size(); }

std::uint32_t cpus_of(const Map& map) { return map.host().possible_cpus(); }

/// One copy of a value; per-CPU values stand one after the other, rounded up to 8.
std::span<const std::byte> copy_of(const Map& map, std::span<const std::byte> value, std::uint32_t cpu) {
  return value.subspan(is_percpu(map) ? cpu * (value.size() / cpus_of(map)) : 0, map.value_size());
}

void print_key(const Map& map, std::span<const std::byte> key, btf::ValueStyle style, TextSink& out) {
  const MapSpec& spec = map.spec();
  if (spec.key_type != 0) return btf::print_value(*spec.btf, spec.key_type, key, style, out);
  std::uint32_t index = 0;
  std::memcpy(&index, key.data(), key.size() < sizeof index ? key.size() : sizeof index);
  out.write(fmt::format("{}", index));
}

constexpr model::FieldSet kOwned = model::field_bit(model::FieldKind::kKptrRef) | model::field_bit(model::FieldKind::kKptrPercpu) |
                                  model::field_bit(model::FieldKind::kKptrWeak);

/// What the owned pointers of an element refer to, now: clients and readers of a pinned map see zeros there, as on Linux; whoever reads names
/// or JSON sees "type #id".
std::vector<btf::PointerText> references(const Map& map, std::span<const std::byte> key, std::uint32_t cpu, btf::ValueStyle style) {
  std::vector<btf::PointerText> texts;
  if (style == btf::ValueStyle::kBpffs || (map.spec().fields.kinds() & kOwned) == 0) return texts;
  rcu::ReadSection readers;
  Map& live = const_cast<Map&>(map);  // a lookup changes nothing here
  const DataOps& data = map.ops().data;
  const void* value = nullptr;
  if (data.lookup_percpu != nullptr) value = data.lookup_percpu(live, key.data(), cpu);
  else if (data.lookup != nullptr) value = data.lookup(live, key.data());
  for (const model::Field& field : map.spec().fields.fields) {
    if (value == nullptr || (model::field_bit(field.kind) & kOwned) == 0) continue;
    const auto* slot = reinterpret_cast<const std::uint64_t*>(static_cast<const std::byte*>(value) + field.off);
    if (const std::uint64_t object = __atomic_load_n(slot, __ATOMIC_ACQUIRE))
      texts.push_back({field.off, map.host().object_text(field, reinterpret_cast<const void*>(object))});
  }
  return texts;
}

void print_one(const Map& map, std::span<const std::byte> key, std::span<const std::byte> value, std::uint32_t cpu,
               btf::ValueStyle style, TextSink& out) {
  btf::print_value(*map.spec().btf, map.spec().value_type, value, style, out, references(map, key, cpu, style));
}

void print_object(const Map& map, std::span<const std::byte> key, std::span<const std::byte> value, TextSink& out) {
  constexpr auto kStyle = btf::ValueStyle::kJson;
  out.write("{\"key\":");
  print_key(map, key, kStyle, out);
  if (!is_percpu(map)) {
    out.write(",\"value\":");
    print_one(map, key, value, 0, kStyle, out);
  } else {
    out.write(",\"values\":[");
    for (std::uint32_t cpu = 0; cpu < cpus_of(map); ++cpu) {
      out.write(fmt::format("{}{{\"cpu\":{},\"value\":", cpu == 0 ? "" : ",", cpu));
      print_one(map, key, copy_of(map, value, cpu), cpu, kStyle, out);
      out.write("}");
    }
    out.write("]");
  }
  out.write("}");
}

using Each = void (*)(const Map&, std::span<const std::byte> key, std::span<const std::byte> value, TextSink&);

/// each(element) for every element, `between` between them.
Result<void> walk(Map& map, Each each, std::string_view between, TextSink& out) {
  ElementWalk elements(map);
  for (bool some = false; RING3_TRY(elements.step()); some = true) {
    if (some) out.write(between);
    each(map, elements.key(), elements.value(), out);
  }
  return {};
}

}  // namespace

Result<bool> ElementWalk::step() {
  // A walk that deletes keep sending back to the start ends all the same.
  while (steps_ < map_.max_entries()) {
    const Result<void> more = next_key(map_, steps_ == 0 ? std::span<const std::byte>() : key_, next_);
    if (!more.ok()) return more.error() == Errno::kNoEnt ? Result<bool>(false) : Result<bool>(more.error());
    ++steps_;
    key_.swap(next_);
    const Result<void> found = lookup_elem(map_, key_, value_, 0);
    if (found.ok()) return true;
    if (found.error() != Errno::kNoEnt) return found.error();
  }
  return false;
}

void print_warning(TextSink& out) {
  out.write("# WARNING!! The output is for debug purpose only\n# WARNING!! The output format will change\n");
}

void print_element(const Map& map, std::span<const std::byte> key, std::span<const std::byte> value, TextSink& out) {
  constexpr auto kStyle = btf::ValueStyle::kBpffs;
  // Global data is one value without a key.
  if (map.spec().key_type != 0) {
    print_key(map, key, kStyle, out);
    out.write(": ");
  }
  if (!is_percpu(map)) {
    print_one(map, key, value, 0, kStyle, out);
    out.write("\n");
    return;
  }
  out.write("{\n");
  for (std::uint32_t cpu = 0; cpu < cpus_of(map); ++cpu) {
    out.write(fmt::format("\tcpu{}: ", cpu));
    print_one(map, key, copy_of(map, value, cpu), cpu, kStyle, out);
    out.write("\n");
  }
  out.write("}\n");
}

void print_map_value(const Map& map, std::span<const std::byte> key, std::span<const std::byte> value,
                     btf::ValueStyle style, TextSink& out) {
  if (!is_percpu(map)) return print_one(map, key, value, 0, style, out);
  const bool json = style == btf::ValueStyle::kJson;
  if (json) out.write("[");
  for (std::uint32_t cpu = 0; cpu < cpus_of(map); ++cpu) {
    if (cpu != 0) out.write(json ? "," : "\n");
    if (!json) out.write(fmt::format("cpu{}: ", cpu));
    print_one(map, key, copy_of(map, value, cpu), cpu, style, out);
  }
  if (json) out.write("]");
}

bool is_printable(const Map& map) {
  return map.ops().control.printable && map.spec().btf && map.spec().value_type != 0;
}

Result<void> print_elements(Map& map, TextSink& out) {
  if (!is_printable(map)) return Errno::kIo;
  print_warning(out);
  return walk(map, print_element, "", out);
}

Result<void> print_elements_json(Map& map, TextSink& out) {
  if (!is_printable(map)) return Errno::kIo;
  out.write("[");
  RING3_TRY(walk(map, print_object, ",", out));
  out.write("]");
  return {};
}

}  // namespace ring3::maps
