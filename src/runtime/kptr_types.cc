// Host structs whose references programs may own: what is checked when one is registered, and how a stored reference is
// given back.
//
// A row of kptr_rows_ never moves and lives as long as the runtime, so a map may keep its address.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <new>
#include <utility>

#include "base/try.h"
#include "object/rcu.h"
#include "runtime/runtime_impl.h"

namespace ring3 {
namespace {

using btf::Kind;

constexpr std::size_t kMaxKptrTypes = 256;

/// Why a host's struct cannot be a kptr type; empty: it can.
std::string misfit(const KptrDef& def, const btf::Btf& btf, btf::TypeId type, Errno& code) {
  code = Errno::kInval;
  if (type == 0) {
    code = Errno::kNoEnt;
    if (btf.find(def.name, Kind::kUnion) != 0) return "it is a union in the host's BTF";
    if (btf.find(def.name, Kind::kFwd) != 0) return "the host's header only declares it; programs need its members";
    return "no such struct in the host's BTF";
  }
  if (def.release.call == nullptr) return "release is missing: stored references must be given back";
  if (def.weaken.call != nullptr && def.acquire.call == nullptr)
    return "weaken without acquire: what a weak pointer refers to must be had again";
  if (def.weaken.call != nullptr && !def.rcu_safe)
    return "weaken without rcu_safe: programs look at what a weak pointer refers to while it ends";
  if (def.size_bytes != 0 && def.size_bytes != btf.size_of(type))
    return fmt::format("{} bytes in C++ and {} in the BTF", def.size_bytes, btf.size_of(type).value_or(0));
  for (const std::string_view name : def.reaches) {
    if (btf.find(name, Kind::kStruct) != 0) continue;
    code = Errno::kNoEnt;
    return fmt::format("reaches struct {}, which is not in the host's BTF", name);
  }
  return {};
}

/// A reference on its way to the worker.
struct SleepingRelease {
  rcu::Deferred node;  // first: the deferred call gets its address
  Worker::Item item;
  Worker* worker;
  const model::KptrType* type;
  void* object;
};

void give_back(const model::KptrType& type, void* object) { (void)type.release(object); }

/// Readers first, so that the object's memory does not go under one; then the worker, because it may sleep.
void give_back_later(const KptrRow& row, void* object) {
  auto* release = new (std::nothrow) SleepingRelease;
  // Without memory for the detour the promise not to sleep here is broken rather than the reference lost.
  if (release == nullptr) return give_back(row.type, object);
  release->worker = row.worker;
  release->type = &row.type;
  release->object = object;
  release->item.run = [](Worker::Item* item) noexcept {
    auto* self = reinterpret_cast<std::byte*>(item) - offsetof(SleepingRelease, item);
    const std::unique_ptr<SleepingRelease> done(reinterpret_cast<SleepingRelease*>(self));
    give_back(*done->type, done->object);
  };
  rcu::call_after_readers(&release->node, [](rcu::Deferred* node) {
    auto* self = reinterpret_cast<SleepingRelease*>(node);
    self->worker->post(&self->item);
  });
}

void release_one(const KptrRow& row, void* object) {
  if (row.type.release_may_sleep) give_back_later(row, object);
  else give_back(row.type, object);
}

const KptrRow& row_of(const void* context) { return *static_cast<const KptrRow*>(context); }

void add_weak(KptrRow& row, model::ObjectCall weaken) {
  row.weaken = weaken;
  row.weak = {&row, [](const void* context, void* object) { return row_of(context).type.acquire(object); },
              [](const void* context, void* object) { return row_of(context).weaken(object); },
              [](const void* context, void* object) { release_one(row_of(context), object); }};
  row.type.weak = &row.weak;
}

}  // namespace

Result<void> RuntimeImpl::add_kptr(const KptrDef& def) {
  if (def.release_may_sleep) {
    if (auto started = machine_.worker.start(); !started)
      return refuse(started.error(), fmt::format("kptr {}: no thread for a release that may sleep", def.name));
  }
  return change_facts([&](model::Facts& facts) -> Result<void> {
    const btf::Btf& btf = *facts.host_btf;
    const btf::TypeId type = btf.find(def.name, Kind::kStruct);
    Errno code{};
    if (const std::string why = misfit(def, btf, type, code); !why.empty())
      return refuse(code, fmt::format("kptr {}: {}", def.name, why));
    if (const KptrRow* known = kptr_row(&btf, type); known != nullptr && known->is_own)
      std::erase_if(facts.kptr_types, [&](const model::KptrType& own) { return own.type == type; });
    for (const model::KptrType& known : facts.kptr_types)
      if (known.type == type) return refuse(Errno::kExist, fmt::format("kptr {}: registered already", def.name));
    if (facts.kptr_types.size() == kMaxKptrTypes)
      return refuse(Errno::kTooBig, fmt::format("kptr {}: {} types are registered already", def.name, kMaxKptrTypes));
    model::KptrType kptr;
    kptr.name = def.name;
    kptr.btf = facts.host_btf;
    kptr.type = type;
    kptr.rcu_safe = def.rcu_safe;
    kptr.release_may_sleep = def.release_may_sleep;
    kptr.acquire = {def.acquire.fn, def.acquire.call};
    kptr.release = {def.release.fn, def.release.call};
    kptr.print = def.print.call;
    kptr.print_fn = def.print.fn;
    for (const std::string_view name : def.reaches) kptr.reaches.push_back(btf.find(name, Kind::kStruct));
    MutexLock lock(kptr_mutex_);
    KptrRow& row = kptr_rows_.emplace_back(KptrRow{std::move(kptr), &machine_.worker});
    row.count = def.count;
    row.alive = def.alive;
    if (def.weaken.call != nullptr) add_weak(row, {def.weaken.fn, def.weaken.call});
    facts.kptr_types.push_back(row.type);
    return {};
  });
}

/// Programs may own the runtime's tasks, as they may own what the host registers, unless struct task_struct is something of
/// the host's own: then a pointer to one may lead to an object of the host.
Result<bool> RuntimeImpl::start_tasks(model::Facts& facts) {
  const auto gone = [](void* self, const void* task) { static_cast<RuntimeImpl*>(self)->storage_owner_gone(task); };
  RING3_TRY(machine_.tasks.start(*facts.host_btf, gone, this));
  const btf::TypeId type = facts.host_btf->find("task_struct", Kind::kStruct);
  const std::vector<std::string_view> tags = facts.host_btf->decl_tags(type, -1);
  if (type == 0 || std::find(tags.begin(), tags.end(), "ring3:task") == tags.end()) return false;
  model::KptrType task;
  task.name = "task_struct";
  task.btf = facts.host_btf;
  task.type = type;
  task.rcu_safe = true;
  task.acquire.call = [](void (*)(), void* object) { return exec::Tasks::acquire(object); };
  task.release.call = [](void (*)(), void* object) { return exec::Tasks::release(object), true; };
  task.print = [](void (*)(), const void* object, char* text, std::size_t bytes) {
    return std::snprintf(text, bytes, "%u", exec::Tasks::number(object));
  };
  MutexLock lock(kptr_mutex_);
  KptrRow& row = kptr_rows_.emplace_back(KptrRow{std::move(task), &machine_.worker});
  row.count.call = [](detail::AnyCountFn::Fn, const void* object) { return exec::Tasks::references(object); };
  row.is_own = true;
  facts.kptr_types.push_back(row.type);
  return true;
}

std::vector<const KptrRow*> RuntimeImpl::kptr_rows() {
  MutexLock lock(kptr_mutex_);
  std::vector<const KptrRow*> rows;
  for (const KptrRow& row : kptr_rows_) rows.push_back(&row);
  return rows;
}

const KptrRow* RuntimeImpl::kptr_row(const btf::Btf* btf, btf::TypeId type) {
  MutexLock lock(kptr_mutex_);
  const KptrRow* found = nullptr;  // the newest: a host's own comes after the runtime's
  for (const KptrRow& row : kptr_rows_)
    if (row.type.btf.get() == btf && row.type.type == type) found = &row;
  return found;
}

std::string RuntimeImpl::object_text(const model::Field& field, const void* object) {
  const KptrRow* row = kptr_row(field.btf.get(), field.type);
  // A type whose memory may go under a reader is not looked into.
  if (row == nullptr || row->type.print == nullptr || !row->type.rcu_safe) return MapHost::object_text(field, object);
  std::array<char, 64> text{};
  const int length = row->type.print(row->type.print_fn, object, text.data(), text.size());
  return fmt::format("{} #{}", row->type.name, length < 0 ? "?" : text.data());
}

std::int64_t RuntimeImpl::object_count(const model::Field& field, const void* object) {
  const KptrRow* row = kptr_row(field.btf.get(), field.type);
  if (row == nullptr || row->count.call == nullptr || !row->type.rcu_safe) return -1;
  return row->count.call(row->count.fn, object);
}

maps::Releaser RuntimeImpl::releaser(const model::Field& field) {
  const KptrRow* row = kptr_row(field.btf.get(), field.type);
  if (row == nullptr) return {};
  return {[](void* object, const void* context) { release_one(row_of(context), object); }, row};
}

const WeakType* RuntimeImpl::weak_type(const model::Field& field) {
  const KptrRow* row = kptr_row(field.btf.get(), field.type);
  return row == nullptr ? nullptr : row->type.weak;
}

}  // namespace ring3
