#include "btf/btf.h"

#include <fmt/format.h>

#include "base/check.h"
#include "base/try.h"
#include "btf/graph.h"
#include "btf/header.h"
#include "btf/impl.h"
#include "btf/validate.h"

namespace ring3::btf {
namespace {

Errno refuse_bytes(TextSink& log, TypeId id, const char* rule, std::uint32_t value) {
  log.write(fmt::format("[{}] {}:{}\n", id, rule, value));
  return Errno::kInval;
}

Type decode(const Btf::Impl& impl, const RawType& raw) {
  Type t;
  t.kind = static_cast<Kind>(raw.kind());
  t.kind_flag = raw.kind_flag();
  t.vlen = raw.vlen();
  t.name = impl.string(raw.name_off);
  const Third third = kind_row(t.kind).third;
  if (third == Third::kSize) t.size = raw.size_or_type;
  if (third == Third::kType) t.type = raw.size_or_type;
  return t;
}

std::uint32_t record_bytes(const RawType& raw) {
  const KindRow& row = kind_row(static_cast<Kind>(raw.kind()));
  return kRecordBytes + row.tail_bytes + row.element_bytes * std::uint32_t{raw.vlen()};
}

// Cuts the type section into records, checking each by itself.
Result<void> read_records(Btf::Impl& impl, const Checker& checker) {
  TextSink& log = checker.log;
  std::uint32_t off = impl.sections.types_off;
  const std::uint32_t end = off + impl.sections.types_bytes;
  while (off < end) {
    const TypeId id = impl.end_id();
    const std::uint32_t left = end - off;
    if (left < kRecordBytes) {
      log.write(fmt::format("[{}] meta_left:{} meta_needed:{}\n", id, left, kRecordBytes));
      return Errno::kInval;
    }
    const auto raw = load_raw<RawType>(impl.blob, off);
    if (raw.info_has_unknown_bits()) {
      log.write(fmt::format("[{}] Invalid btf_info:{:x}\n", id, raw.info));
      return Errno::kInval;
    }
    if (raw.kind() == 0 || raw.kind() >= kKindCount) return refuse_bytes(log, id, "Invalid kind", raw.kind());
    if (!impl.has_string(raw.name_off)) return refuse_bytes(log, id, "Invalid name_offset", raw.name_off);
    if (id > kMaxTypeId) {
      log.write(fmt::format("Exceeded max num of types:{}\n", kMaxTypeId));
      return Errno::kTooBig;
    }
    const std::uint32_t bytes = record_bytes(raw);
    if (left < bytes) {
      log.write(fmt::format("[{}] {} meta_left:{} meta_needed:{}\n", id, kind_row(static_cast<Kind>(raw.kind())).text,
                            left - kRecordBytes, bytes - kRecordBytes));
      return Errno::kInval;
    }
    impl.types.push_back(decode(impl, raw));
    impl.offsets.push_back(off);
    RING3_TRY(check_record(checker, id, raw));
    off += bytes;
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<const Btf>> Btf::parse(std::span<const std::byte> blob, std::shared_ptr<const Btf> base,
                                              TextSink& log, Origin origin) {
  auto impl = std::make_unique<Impl>();
  impl->sections = RING3_TRY(parse_header(blob, base != nullptr, log));
  impl->blob.assign(blob.begin(), blob.end());
  if (base != nullptr) {
    impl->first_id = base->end_id();
    impl->first_string = base->impl_->end_string();
  }
  impl->base = std::move(base);
  constexpr std::uint32_t kUsualRecordBytes = 24;
  impl->types.reserve(impl->sections.types_bytes / kUsualRecordBytes + 1);
  impl->offsets.reserve(impl->types.capacity());
  if (impl->base == nullptr) {
    impl->types.push_back({});
    impl->offsets.push_back(0);
  }
  const Checker checker{*impl, log, origin};
  RING3_TRY(read_records(*impl, checker));
  RING3_TRY(check_graph(checker));
  impl->names.build(impl->types, impl->first_type());
  impl->build_tags();
  return std::shared_ptr<const Btf>(std::make_shared<const Btf>(std::move(impl)));
}

Btf::Btf(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Btf::~Btf() = default;

std::span<const std::byte> Btf::blob() const { return impl_->blob; }
const std::shared_ptr<const Btf>& Btf::base() const { return impl_->base; }
TypeId Btf::first_id() const { return impl_->first_id; }
TypeId Btf::end_id() const { return impl_->end_id(); }
const Type* Btf::type(TypeId id) const { return impl_->type(id); }
std::span<const std::byte> Btf::type_section() const {
  return blob().subspan(impl_->sections.types_off, impl_->sections.types_bytes);
}
std::span<const std::byte> Btf::string_section() const {
  return blob().subspan(impl_->sections.strings_off, impl_->sections.strings_bytes);
}
std::uint32_t Btf::string_bytes() const { return impl_->end_string(); }
std::string_view Btf::string_at(std::uint32_t off) const { return impl_->string(off); }

}  // namespace ring3::btf
