#include "verifier/domain/scalar_format.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string>
#include <string_view>

namespace ring3::verifier {

namespace {

constexpr bool is_short(std::int64_t x) { return x >= INT16_MIN && x <= INT16_MAX; }

std::string unsigned_text(std::uint64_t x) { return x <= UINT16_MAX ? fmt::format("{}", x) : fmt::format("{:#x}", x); }

std::string signed_text(std::int64_t x) {
  return is_short(x) ? fmt::format("{}", x) : fmt::format("{:#x}", static_cast<std::uint64_t>(x));
}

struct Bound {
  std::string_view name;
  std::uint64_t value;  // signed bounds of 32 bits: sign extended if short, else their 32 bits
  bool says_something;

  bool is_negative() const { return name[0] == 's' && static_cast<std::int64_t>(value) < 0; }
  bool prints_like(const Bound& b) const { return value == b.value && is_negative() == b.is_negative(); }
};

std::array<Bound, 8> bounds_of(const Scalar<64>& s) {
  const auto wide = [](std::int64_t x) { return static_cast<std::uint64_t>(x); };
  const auto narrow = [](std::int32_t x) {
    return is_short(x) ? static_cast<std::uint64_t>(std::int64_t{x}) : std::uint64_t{static_cast<std::uint32_t>(x)};
  };
  return {{{"smin", wide(s.full.smin), s.full.smin != INT64_MIN},
           {"smax", wide(s.full.smax), s.full.smax != INT64_MAX},
           {"umin", s.full.umin, s.full.umin != 0},
           {"umax", s.full.umax, s.full.umax != UINT64_MAX},
           {"smin32", narrow(s.sub.smin), s.sub.smin != INT32_MIN},
           {"smax32", narrow(s.sub.smax), s.sub.smax != INT32_MAX},
           {"umin32", s.sub.umin, s.sub.umin != 0},
           {"umax32", s.sub.umax, s.sub.umax != UINT32_MAX}}};
}

}  // namespace

void write_unsigned(TextSink& out, std::uint64_t x) { out.write(unsigned_text(x)); }
void write_signed(TextSink& out, std::int64_t x) { out.write(signed_text(x)); }
void write_tnum(TextSink& out, const Tnum<64>& t) { out.write(fmt::format("({:#x}; {:#x})", t.value, t.mask)); }

bool write_bounds(TextSink& out, const Scalar<64>& s, bool first) {
  std::array<Bound, 8> bounds = bounds_of(s);
  std::string text;
  // Minima are joined with later minima (every other entry), maxima with maxima.
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (!bounds[i].says_something) continue;
    fmt::format_to(std::back_inserter(text), "{}{}=", first && text.empty() ? "" : ",", bounds[i].name);
    for (std::size_t j = i + 2; j < bounds.size(); j += 2) {
      if (!bounds[j].says_something || !bounds[i].prints_like(bounds[j])) continue;
      fmt::format_to(std::back_inserter(text), "{}=", bounds[j].name);
      bounds[j].says_something = false;
    }
    text += bounds[i].name[0] == 's' ? signed_text(static_cast<std::int64_t>(bounds[i].value)) : unsigned_text(bounds[i].value);
  }
  if (!s.var_off.is_unknown())
    fmt::format_to(std::back_inserter(text), "{}var_off=({:#x}; {:#x})", first && text.empty() ? "" : ",",
                   s.var_off.value, s.var_off.mask);
  out.write(text);
  return !text.empty();
}

void write_scalar(TextSink& out, const Scalar<64>& s, bool precise, std::uint32_t id, std::int32_t added) {
  if (precise) out.write("P");
  if (s.is_const()) {
    write_signed(out, static_cast<std::int64_t>(s.const_value()));
    return;
  }
  out.write("scalar(");
  if (id != 0) out.write(added != 0 ? fmt::format("id={}{:+}", id, added) : fmt::format("id={}", id));
  write_bounds(out, s, id == 0);
  out.write(")");
}

}  // namespace ring3::verifier
