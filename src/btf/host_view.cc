#include "btf/host_view.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace ring3::btf {
namespace {

struct Found {
  Member member;
  std::uint32_t bit_off;
};

/// A member by name, also inside anonymous members.
std::optional<Found> find_through(const Btf& btf, TypeId type, std::string_view name, std::uint32_t base = 0) {
  for (const Member& m : btf.members(type)) {
    if (m.name == name) return Found{m, base + m.bit_off};
    if (!m.name.empty()) continue;
    if (auto inner = find_through(btf, btf.skip_modifiers(m.type), name, base + m.bit_off)) return inner;
  }
  return std::nullopt;
}

}  // namespace

HostView::HostView(const Btf& btf, std::string_view name)
    : btf_(btf), type_(btf.find(name, btf::Kind::kStruct)), bytes_(btf.size_of(type_).value_or(0)),
      memory_(bytes_ / 8 + 1) {}

void HostView::clear() { std::fill(memory_.begin(), memory_.end(), 0); }

HostView::Place HostView::find(std::string_view path) const {
  TypeId type = type_;
  std::uint32_t bits = 0;
  while (type != 0 && !path.empty()) {
    const std::size_t dot = path.find('.');
    const std::string_view name = path.substr(0, dot);
    path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
    const std::optional<Found> found = find_through(btf_, type, name);
    if (!found || found->member.bitfield_bits != 0) return {};
    bits += found->bit_off;
    type = btf_.skip_modifiers(found->member.type);
  }
  const Place place{bits / 8, btf_.size_of(type).value_or(0)};
  return type_ != 0 && place.off + place.bytes <= bytes_ ? place : Place{};
}

std::optional<std::size_t> HostView::offset(std::string_view path) const {
  const Place place = find(path);
  if (place.bytes == 0) return std::nullopt;
  return place.off;
}

void HostView::set(std::string_view path, std::uint64_t value) {
  const Place place = find(path);
  std::memcpy(reinterpret_cast<std::byte*>(memory_.data()) + place.off, &value, std::min(place.bytes, sizeof value));
}

void HostView::set_text(std::string_view path, std::string_view text) {
  const Place place = find(path);
  if (place.bytes == 0) return;
  std::memcpy(reinterpret_cast<std::byte*>(memory_.data()) + place.off, text.data(), std::min(place.bytes - 1, text.size()));
}

}  // namespace ring3::btf
