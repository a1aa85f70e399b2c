#include "struct_ops/ops_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/try.h"
#include "uapi/bpf.h"

namespace ring3::struct_ops {
namespace {

/// The descriptor in a function member; 0: the client set none.
std::int32_t descriptor_in(std::span<const std::byte> ops, const MemberLayout& member) {
  std::uint64_t slot = 0;
  std::memcpy(&slot, ops.data() + member.off, std::min<std::size_t>(sizeof(slot), member.size));
  return static_cast<std::int32_t>(slot);
}

}  // namespace

NamedObjects named_objects(const OpsType& type, std::span<const std::byte> value, maps::FdSource& fds) {
  const std::span<const std::byte> ops = value.subspan(type.ops_off, type.ops_size);
  NamedObjects named;
  named.reserve(type.members.size());
  for (const MemberLayout& member : type.members) {
    const std::int32_t fd = member.is_function ? descriptor_in(ops, member) : 0;
    named.push_back(fd != 0 ? fds.object(fd, ObjectKind::kProg) : Errno::kBadF);
  }
  return named;
}

OpsTable::OpsTable(const OpsType& type, exec::CodeMemory& code)
    : ops_(static_cast<std::byte*>(::operator new(type.ops_size, std::align_val_t{64}))),
      view_(type.wrapper_size),
      thunks_(code) {
  std::memset(ops_.get(), 0, type.ops_size);
}

class TableFiller {
 public:
  TableFiller(const OpsType& type, std::span<const std::byte> value, const NamedObjects& named, const Registry& registry)
      : type_(type),
        source_(value.subspan(type.ops_off, type.ops_size)),
        named_(named),
        registry_(registry),
        table_(new OpsTable(type, registry.code())) {}

  Result<std::unique_ptr<OpsTable>> run() {
    Result<void> filled = fill();
    if (filled.ok()) return std::move(table_);
    OpsTable::retire(std::move(table_));
    return filled.error();
  }

 private:
  Result<void> fill() {
    MutexLock lock(type_.host_mutex);
    for (std::uint32_t i = 0; i < type_.members.size(); ++i) RING3_TRY(fill_member(i));
    std::memcpy(table_->view_.data() + type_.ops_off, shown_.data(), shown_.size());
    return ask_host(registry_, type_, "validate", [this] { return type_.host->validate(table_->ops()); });
  }

  Errno fail(Errno e, std::string_view why) {
    registry_.log().write(fmt::format("struct_ops {}: {} ({})\n", type_.name(), why, errno_name(e)));
    return e;
  }
  Errno fail(Errno e, const MemberLayout& member, std::string_view why) {
    return fail(e, fmt::format("member {}: {}", member.name, why));
  }

  Result<void> fill_member(std::uint32_t index) RING3_REQUIRES(type_.host_mutex) {
    const MemberLayout& member = type_.members[index];
    const auto given = source_.subspan(member.off, member.size);
    const bool is_zero = std::all_of(given.begin(), given.end(), [](std::byte b) { return b == std::byte{0}; });
    if (member.is_module_owner) {
      // Linux answers 0 here and discards the update; saying so is better (behaviour.md A.4.3).
      if (!is_zero) return fail(Errno::kInval, member, "the owner module is not the client's to set");
      return {};
    }
    const bool consumed = RING3_TRY(ask_host(registry_, type_, "init_member", [&] {
      return type_.host->init_member(index, source_.data(), table_->ops_.get());
    }));
    if (consumed) {
      show(member, given);
      if (!is_zero) table_->members_set_ |= std::uint64_t{1} << index;
      return {};
    }
    if (member.is_function) return fill_function(index);
    if (!is_zero) return fail(Errno::kInval, member, "the host takes no value for it, so it must be zero");
    return {};
  }

  Result<void> fill_function(std::uint32_t index) {
    const MemberLayout& member = type_.members[index];
    const std::int32_t fd = descriptor_in(source_, member);
    const void* function = member.stub;
    std::uint64_t id = 0;
    if (fd != 0) {
      Ref<prog::Program> program = RING3_TRY(program_for(index, fd));
      if (!program->runnable()) return fail(Errno::kNotSupp, member, "its program was verified only: this host lacks something it needs");
      Result<void*> thunk = table_->thunks_.add(member.shape, *program->entry());
      if (!thunk.ok()) return fail(thunk.error(), member, "no room for its thunk");
      function = *thunk;
      id = program->id();
      table_->members_set_ |= std::uint64_t{1} << index;
      table_->programs_.push_back(std::move(program));
    }
    std::memcpy(table_->ops_.get() + member.off, &function, sizeof(function));
    show(member, std::as_bytes(std::span(&id, 1)));
    return {};
  }

  Result<Ref<prog::Program>> program_for(std::uint32_t index, std::int32_t fd) {
    const MemberLayout& member = type_.members[index];
    const Result<Ref<Object>>& object = named_[index];
    if (!object.ok()) return fail(object.error(), member, fmt::format("descriptor {} is no program", fd));
    auto program = Ref<prog::Program>::share(static_cast<prog::Program*>(object->get()));
    const prog::ProgramAbout& about = program->about();
    if (about.type != uapi::BPF_PROG_TYPE_STRUCT_OPS)
      return fail(Errno::kInval, member, fmt::format("program {} is not a struct_ops program", about.name));
    if (about.attach_btf_id != type_.facts->type || about.attach_type != index)
      return fail(Errno::kInval, member, fmt::format("program {} was loaded for another member or type", about.name));
    return program;
  }

  /// What a lookup shows for a member.
  void show(const MemberLayout& member, std::span<const std::byte> bytes) {
    std::copy_n(bytes.begin(), std::min<std::size_t>(bytes.size(), member.size), shown_.begin() + member.off);
  }

  const OpsType& type_;
  const std::span<const std::byte> source_;
  const NamedObjects& named_;
  const Registry& registry_;
  std::unique_ptr<OpsTable> table_;
  std::vector<std::byte> shown_ = std::vector<std::byte>(type_.ops_size);
};

Result<std::unique_ptr<OpsTable>> OpsTable::fill(const OpsType& type, std::span<const std::byte> value,
                                                 const NamedObjects& named, const Registry& registry) {
  return TableFiller(type, value, named, registry).run();
}

void OpsTable::retire(std::unique_ptr<OpsTable> table) noexcept {
  if (table == nullptr) return;
  OpsTable* raw = table.release();
  rcu::call_after_readers(&raw->retired_, [](rcu::Deferred* node) { delete reinterpret_cast<OpsTable*>(node); });
}

}  // namespace ring3::struct_ops
