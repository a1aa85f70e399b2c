#include "iter/iter_link.h"

#include <utility>

#include "base/try.h"

namespace ring3::iter {
namespace {

class IterLink final : public attach::Link {
 public:
  IterLink(Ref<prog::Program> program, const model::IterTargetRow& row, WalkScope scope, Birth birth, ObjectTable& table);

  const model::IterTargetRow& row() const { return row_; }
  const WalkScope& scope() const { return scope_; }
  Result<void> replace_program(Ref<Object> next, const Ref<Object>& expected) RING3_REQUIRES(mutex_);

 private:
  const model::IterTargetRow& row_;
  const WalkScope scope_;
};

const IterLink& iter_link(const attach::Link& link) { return static_cast<const IterLink&>(link); }

void fill_info(const attach::Link& link, uapi::bpf_link_info& info) {
  const IterLink& iter = iter_link(link);
  if (iter.scope().map) info.iter.map.map_id = iter.scope().map->id();
  if (iter.row().target == model::IterTarget::kTask) {
    info.iter.task.tid = iter.scope().tid;
    info.iter.task.pid = iter.scope().pid;
  }
}

// Callbacks run under the link's mutex, which the analysis cannot see through a function pointer.
const attach::LinkOps kIterLink = {
    .type = uapi::BPF_LINK_TYPE_ITER,
    .name = "iter",
    .update_prog = [](attach::Link& link, Ref<Object> next, Ref<Object> expected,
                      std::uint32_t) RING3_NO_THREAD_SAFETY_ANALYSIS {
      return static_cast<IterLink&>(link).replace_program(std::move(next), expected);
    },
    .fill_info = &fill_info,
    .target_name = [](const attach::Link& link) { return iter_link(link).row().name; },
};

IterLink::IterLink(Ref<prog::Program> program, const model::IterTargetRow& row, WalkScope scope, Birth birth,
                   ObjectTable& table)
    : Link(kIterLink, uapi::BPF_TRACE_ITER, std::move(program), table, birth), row_(row), scope_(std::move(scope)) {}

Result<void> IterLink::replace_program(Ref<Object> next, const Ref<Object>& expected) {
  if (expected && !(expected == target_locked())) return Errno::kPerm;
  const auto& now = static_cast<const prog::Program&>(*target_locked());
  const auto& then = static_cast<const prog::Program&>(*next);
  if (now.type() != then.type() || now.attach_type() != then.attach_type() ||
      now.about().attach_btf_id != then.about().attach_btf_id)
    return Errno::kInval;
  set_target_locked(std::move(next));
  return {};
}

bool walks_elements(const maps::Map& map) {
  switch (map.spec().type) {
    case uapi::BPF_MAP_TYPE_HASH:
    case uapi::BPF_MAP_TYPE_LRU_HASH:
    case uapi::BPF_MAP_TYPE_PERCPU_HASH:
    case uapi::BPF_MAP_TYPE_LRU_PERCPU_HASH:
    case uapi::BPF_MAP_TYPE_ARRAY:
    case uapi::BPF_MAP_TYPE_PERCPU_ARRAY: return true;
    default: return false;
  }
}

/// Kinds whose elements have a key and a value that stays in its place, and what the program touches of them is there.
/// Of per-CPU kinds the program gets every CPU's copy.
Result<void> check_map(const maps::Map& map, const prog::ProgramAbout& program) {
  if (map.spec().exclusive_to) return Errno::kPerm;
  if (!walks_elements(map)) return Errno::kInval;
  if (program.max_rdonly_access > map.key_size() || program.max_rdwr_access > map.value_bytes()) return Errno::kAcces;
  return {};
}

}  // namespace

const model::IterTargetRow* target_of(const prog::Program& program) {
  const Ref<Object>& holder = program.attach_target();
  if (!holder || holder->kind() != ObjectKind::kBtf) return nullptr;
  const auto& btf = *static_cast<const prog::BtfObject&>(*holder).btf();
  const btf::Type* function = btf.type(program.about().attach_btf_id);
  return function != nullptr ? model::find_iter_target(function->name) : nullptr;
}

Result<Ref<attach::Link>> create_link(Ref<prog::Program> program, WalkScope scope, Birth birth) {
  const model::IterTargetRow* row = target_of(*program);
  if (row == nullptr) return Errno::kNoEnt;
  if (program->about().sleepable && !row->may_sleep) return Errno::kInval;
  if (row->target == model::IterTarget::kMapElem) {
    if (!scope.map) return Errno::kBadF;
    RING3_TRY(check_map(*scope.map, program->about()));
  } else {
    scope.map = nullptr;
  }
  if (row->target == model::IterTarget::kTask && scope.tid != 0 && scope.pid != 0) return Errno::kInval;
  ObjectTable& table = program->table();
  return Ref<attach::Link>(Ref<IterLink>::adopt(new IterLink(std::move(program), *row, std::move(scope), birth, table)));
}

bool is_iter_link(const attach::Link& link) { return link.ops().type == uapi::BPF_LINK_TYPE_ITER; }

Result<std::unique_ptr<Session>> open_session(const attach::Link& link, std::shared_ptr<const btf::Btf> host_btf) {
  Ref<Object> program = link.target();
  if (!program) return Errno::kNoLink;
  const IterLink& iter = iter_link(link);
  return std::make_unique<Session>(ref_cast<prog::Program>(std::move(program)), std::move(host_btf), iter.row().target,
                                   iter.scope());
}

}  // namespace ring3::iter
