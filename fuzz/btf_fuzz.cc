// Any bytes as BTF: parsing ends with a verdict, and everything an accepted blob offers can be asked for.
#include <cstdlib>
#include <cstring>

#include "base/text_sink.h"
#include "btf/btf.h"
#include "btf/builder.h"
#include "btf/compat.h"
#include "btf/print.h"
#include "model/fields.h"

namespace {

using ring3::NullSink;
using ring3::btf::Btf;
using ring3::btf::Kind;
using ring3::btf::TypeId;

void ask(const std::shared_ptr<const Btf>& btf, TypeId id, NullSink& out) {
  const ring3::btf::Type& t = *btf->type(id);
  const std::byte value[64] = {};
  (void)btf->size_of(id);
  (void)btf->skip_modifiers(id);
  (void)btf->skip_qualifiers(id);
  (void)btf->members(id);
  (void)btf->params(id);
  (void)btf->enumerators(id);
  (void)btf->section_vars(id);
  (void)btf->decl_tags(id, -1);
  if (!t.name.empty() && btf->find(t.name, t.kind) > id) std::abort();
  (void)ring3::btf::type_name(*btf, id);
  if (t.kind == Kind::kFunc) (void)ring3::btf::function_text(*btf, id);
  for (const auto style : {ring3::btf::ValueStyle::kBpffs, ring3::btf::ValueStyle::kJson})
    ring3::btf::print_value(*btf, id, value, style, out);
  (void)ring3::model::parse_fields(btf, id, {}, ring3::model::kMapValueFields, out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  NullSink out;
  const auto bytes = std::as_bytes(std::span(data, size));
  (void)Btf::parse(bytes, nullptr, out, ring3::btf::Origin::kObjectFile);
  auto parsed = Btf::parse(bytes, nullptr, out);
  if (!parsed) return 0;
  const std::shared_ptr<const Btf> btf = parsed.value();
  for (TypeId id = 0; id < btf->end_id(); ++id) ask(btf, id, out);
  (void)ring3::model::check_owned_types(btf, {}, out);

  // What was accepted once is accepted again as a copy, and equals it.
  const std::vector<std::byte> copy = ring3::btf::Builder::append_to(*btf).finish();
  auto again = Btf::parse(copy, nullptr, out);
  if (!again) std::abort();
  for (TypeId id = 1; id < btf->end_id() && id < 64; ++id)
    if (!ring3::btf::is_equivalent(*btf, id, **again, id)) std::abort();
  return 0;
}
