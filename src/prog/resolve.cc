#include "prog/resolve.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/try.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

constexpr std::size_t kMaxMaps = 64;
constexpr std::uint32_t kMaxFdArrayCount = UINT32_MAX >> 2;

class Resolver {
 public:
  Resolver(const LoadRequest& request, const sign::Sha256& digest, DescriptorSource& descriptors, verifier::LogSink& log)
      : request_(request), digest_(digest), descriptors_(descriptors), log_(log) {}

  Result<BoundArray> bind() {
    RING3_TRY(bind_fd_array());
    return BoundArray{std::move(out_), std::move(map_at_)};
  }

  Result<ResolvedProgram> run(BoundArray bound, std::span<const isa::Insn> decoded) {
    out_ = std::move(bound.program);
    map_at_ = std::move(bound.map_at);
    decoded_ = decoded;
    for (std::uint32_t idx = 0; idx < decoded_.size(); ++idx) {
      const isa::Insn& insn = decoded_[idx];
      if (insn.op == isa::Op::kLdImm64 && insn.pseudo() != isa::Pseudo::kImm) RING3_TRY(resolve_wide(idx));
      if (insn.op == isa::Op::kCallKfunc && insn.off != 0) RING3_TRY(check_kfunc_module(insn));
    }
    return std::move(out_);
  }

 private:
  Errno fail(Errno e, std::string text) {
    text += '\n';
    log_.write(text);
    return e;
  }

  Result<void> bind_fd_array() {
    if (request_.fd_array_count >= kMaxFdArrayCount)
      return fail(Errno::kInval, fmt::format("fd_array_cnt is too big ({})", request_.fd_array_count));
    for (std::uint32_t i = 0; i < request_.fd_array_count; ++i) {
      const Result<std::int32_t> fd = descriptors_.fd_array(i);
      // Counted, an array that is not there is one that cannot be read.
      if (!fd.ok()) return fd.error() == Errno::kProto ? Errno::kFault : fd.error();
      RING3_TRY(bind_entry(*fd));
    }
    return {};
  }

  Result<void> bind_entry(std::int32_t fd) {
    const Result<DescribedObject> entry = descriptors_.object(fd);
    if (!entry.ok()) return fail(entry.error(), fmt::format("fd {} is not pointing to valid bpf_map or btf", fd));
    if (entry->object->kind() == ObjectKind::kBtf) {
      if (request_.signature) return fail(Errno::kAcces, fmt::format("signed program: fd {} is BTF, which no signature covers", fd));
      out_.btfs.push_back(Ref<BtfObject>::share(static_cast<BtfObject*>(entry->object.get())));
      map_at_.push_back(-1);
      return {};
    }
    if (entry->object->kind() != ObjectKind::kMap)
      return fail(Errno::kInval, fmt::format("fd {} is not pointing to valid bpf_map or btf", fd));
    map_at_.push_back(static_cast<std::int32_t>(RING3_TRY(add_map(*entry, fd))));
    return {};
  }

  Result<void> resolve_wide(std::uint32_t idx) {
    const isa::Insn& insn = decoded_[idx];
    switch (insn.pseudo()) {
      case isa::Pseudo::kImm: return {};
      case isa::Pseudo::kFunc:
        out_.wide.push_back({.idx = idx, .pseudo = isa::Pseudo::kFunc});
        return {};
      case isa::Pseudo::kBtfId: return resolve_host_symbol(idx);
      case isa::Pseudo::kMapFd:
      case isa::Pseudo::kMapIdx:
      case isa::Pseudo::kMapValue:
      case isa::Pseudo::kMapIdxValue: return resolve_map(idx);
    }
    return fail(Errno::kInval, "unrecognized bpf_ld_imm64 insn");
  }

  /// A variable or function by its id in the host's BTF, or in the BTF that the second half names: the host has but one.
  Result<void> resolve_host_symbol(std::uint32_t idx) {
    const std::int32_t fd = request_.insns[idx + 1].imm;
    if (fd != 0 && request_.signature) return fail(Errno::kAcces, "signed program: BTF by descriptor, which no signature covers");
    if (fd != 0) {
      Result<DescribedObject> btf = descriptors_.object(fd);
      const bool of_host = btf.ok() && btf->object->kind() == ObjectKind::kBtf && static_cast<BtfObject*>(btf->object.get())->is_kernel();
      if (!of_host) return fail(Errno::kInval, "invalid module BTF object FD specified.");
    }
    out_.wide.push_back({.idx = idx, .pseudo = isa::Pseudo::kBtfId, .btf_id = static_cast<btf::TypeId>(request_.insns[idx].imm)});
    return {};
  }

  Result<void> resolve_map(std::uint32_t idx) {
    const isa::Pseudo pseudo = decoded_[idx].pseudo();
    const std::int32_t low = request_.insns[idx].imm;
    const auto high = static_cast<std::uint32_t>(request_.insns[idx + 1].imm);
    const bool by_index = pseudo == isa::Pseudo::kMapIdx || pseudo == isa::Pseudo::kMapIdxValue;
    const bool is_value = pseudo == isa::Pseudo::kMapValue || pseudo == isa::Pseudo::kMapIdxValue;
    if (!is_value && high != 0) return fail(Errno::kInval, "unrecognized bpf_ld_imm64 insn");
    const std::uint32_t map = RING3_TRY(find_map(low, by_index));
    if (is_value) RING3_TRY(check_direct_value(*out_.maps[map], high));
    out_.wide.push_back({.idx = idx,
                         .pseudo = is_value ? isa::Pseudo::kMapValue : isa::Pseudo::kMapFd,
                         .map = map,
                         .value_off = is_value ? high : 0});
    return {};
  }

  /// Index into the program's maps of the one that an instruction names.
  Result<std::uint32_t> find_map(std::int32_t low, bool by_index) {
    const bool is_bound = by_index && low >= 0 && static_cast<std::size_t>(low) < map_at_.size();
    if (is_bound && map_at_[static_cast<std::size_t>(low)] >= 0)
      return static_cast<std::uint32_t>(map_at_[static_cast<std::size_t>(low)]);
    if (request_.signature)
      return by_index ? fail(Errno::kAcces, fmt::format("signed program: entry {} of fd_array is not covered by the signature", low))
                      : fail(Errno::kInval, "signed program: maps are named by their index in fd_array");
    std::int32_t fd = low;
    if (by_index) {
      Result<std::int32_t> entry = descriptors_.fd_array(static_cast<std::uint32_t>(low));
      if (!entry.ok() && entry.error() == Errno::kProto)
        return fail(Errno::kProto, "fd_idx without fd_array is invalid");
      if (!entry.ok()) return entry.error();
      fd = *entry;
    }
    Result<DescribedObject> described = descriptors_.object(fd);
    if (!described.ok() || described->object->kind() != ObjectKind::kMap)
      return fail(described.ok() ? Errno::kInval : described.error(),
                  fmt::format("fd {} is not pointing to valid bpf_map", fd));
    return add_map(*described, fd);
  }

  Result<void> check_direct_value(const maps::Map& map, std::uint32_t off) {
    constexpr std::uint32_t kMaxOff = 1u << 29;
    if (off >= kMaxOff) return fail(Errno::kInval, fmt::format("direct value offset of {} is not allowed", off));
    if (map.ops().codegen.direct_value == nullptr)
      return fail(Errno::kInval, "no direct value access support for this map type");
    if (!map.ops().codegen.direct_value(map, off).ok())
      return fail(Errno::kInval, fmt::format("invalid access to map value pointer, value_size={} off={}",
                                             map.value_size(), off));
    return {};
  }

  Result<std::uint32_t> add_map(const DescribedObject& described, std::int32_t fd) {
    auto map = Ref<maps::Map>::share(static_cast<maps::Map*>(described.object.get()));
    if (map->spec().type == uapi::BPF_MAP_TYPE_STRUCT_OPS)
      return fail(Errno::kInval, fmt::format("fd {}: bpf_struct_ops map cannot be used by prog", fd));
    if (map->spec().exclusive_to && *map->spec().exclusive_to != digest_)
      return fail(Errno::kAcces, "program's hash doesn't match map's excl_prog_hash");
    const auto known = std::find(out_.maps.begin(), out_.maps.end(), map);
    const auto index = static_cast<std::size_t>(known - out_.maps.begin());
    if (known == out_.maps.end()) {
      if (out_.maps.size() == kMaxMaps)
        return fail(Errno::kTooBig,
                    fmt::format("The total number of maps per program has reached the limit of {}", kMaxMaps));
      out_.facts.push_back(map_facts(*map));
      if (out_.facts.back().id == 0) out_.facts.back().id = UINT32_MAX - static_cast<std::uint32_t>(index);
      out_.maps.push_back(std::move(map));
    }
    model::MapFacts& facts = out_.facts[index];
    facts.client_read_only |= described.read_only;
    facts.client_write_only |= described.write_only;
    return static_cast<std::uint32_t>(index);
  }

  /// Host modules with BTF of their own do not exist yet, so every index is refused, in Linux's words.
  Result<void> check_kfunc_module(const isa::Insn& insn) {
    if (request_.signature) return fail(Errno::kAcces, "signed program: module functions are not covered by the signature");
    if (insn.off < 0) return fail(Errno::kInval, "negative offset disallowed for kernel module function call");
    Result<std::int32_t> fd = descriptors_.fd_array(static_cast<std::uint32_t>(insn.off));
    if (!fd.ok() && fd.error() == Errno::kProto)
      return fail(Errno::kProto, "kfunc offset > 0 without fd_array is invalid");
    if (!fd.ok()) return fd.error();
    Result<DescribedObject> btf = descriptors_.object(*fd);
    if (!btf.ok() || btf->object->kind() != ObjectKind::kBtf)
      return fail(btf.ok() ? Errno::kInval : btf.error(), "invalid module BTF fd specified");
    return fail(Errno::kInval, "BTF fd for kfunc is not a module BTF");
  }

  const LoadRequest& request_;
  const sign::Sha256& digest_;
  std::span<const isa::Insn> decoded_;
  DescriptorSource& descriptors_;
  verifier::LogSink& log_;
  ResolvedProgram out_;
  std::vector<std::int32_t> map_at_;  // of a counted fd_array
};

/// Content that cannot change any more, so that the verifier may treat loads of it as constants.
std::span<const std::byte> constant_value(const maps::Map& map) {
  const bool read_only = (map.spec().flags & uapi::BPF_F_RDONLY_PROG) != 0 && map.frozen();
  if (!read_only || map.ops().codegen.direct_value == nullptr) return {};
  Result<std::uint64_t> address = map.ops().codegen.direct_value(map, 0);
  if (!address.ok()) return {};
  return {reinterpret_cast<const std::byte*>(static_cast<std::uintptr_t>(*address)), map.value_size()};
}

}  // namespace

namespace {

model::MapFacts spec_facts(const maps::MapSpec& spec) {
  model::MapFacts facts;
  facts.type = spec.type;
  facts.key_size = spec.key_size;
  facts.value_size = spec.value_size;
  facts.max_entries = spec.max_entries;
  facts.flags = spec.flags;
  facts.name = spec.name;
  facts.btf = spec.btf;
  facts.key_type = spec.key_type;
  facts.value_type = spec.value_type;
  facts.fields = spec.fields;
  if (spec.inner_spec) {
    auto inner = std::make_shared<model::MapFacts>(spec_facts(*spec.inner_spec));
    inner->name.clear();  // it stands for every map that fits the template
    facts.inner = std::move(inner);
  }
  return facts;
}

}  // namespace

model::MapFacts map_facts(const maps::Map& map) {
  model::MapFacts facts = spec_facts(map.spec());
  facts.id = map.id();
  facts.frozen = map.frozen();
  facts.constant_value = constant_value(map);
  return facts;
}

Result<BoundArray> bind_fd_array(const LoadRequest& request, const sign::Sha256& digest, DescriptorSource& descriptors,
                                 verifier::LogSink& log) {
  return Resolver(request, digest, descriptors, log).bind();
}

Result<ResolvedProgram> resolve(const LoadRequest& request, const sign::Sha256& digest, BoundArray bound, std::span<const isa::Insn> decoded,
                                DescriptorSource& descriptors, verifier::LogSink& log) {
  return Resolver(request, digest, descriptors, log).run(std::move(bound), decoded);
}

}  // namespace ring3::prog
