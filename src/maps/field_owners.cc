#include "maps/field_owners.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/try.h"
#include "maps/allocated_type.h"
#include "maps/map.h"
#include "maps/object_links.h"
#include "maps/word_lock.h"
#include "object/weak_table.h"

namespace ring3::maps {
namespace {

using K = model::FieldKind;

constexpr model::FieldSet kRoots = model::field_bit(K::kListHead) | model::field_bit(K::kRbRoot);
constexpr model::FieldSet kDeferred = model::field_bit(K::kTimer) | model::field_bit(K::kWork);

void drop_object(void* object, const void* type) { static_cast<const AllocatedType*>(type)->drop(object); }
void drop_percpu(void* object, const void*) { AllocatedType::drop_percpu(object); }
void cancel(void* item, const void*) { static_cast<AsyncItem*>(item)->cancel_and_free(); }

/// A struct that is not the host's is the program's own.
bool is_hosts(const model::Field& field, MapHost& host) {
  const auto hosts = host.host_btfs();
  return field.btf == nullptr || std::find(hosts.begin(), hosts.end(), field.btf) != hosts.end();
}

Errno no_destructor(const model::Field& field, TextSink& log) {
  const btf::Type* pointee = field.btf ? field.btf->type(field.type) : nullptr;
  log.write(fmt::format("{}: a {} to struct {}, which has no destructor in this host\n", model::field_place(field),
                        model::field_text(field.kind), pointee ? pointee->name : std::string_view("?")));
  return Errno::kNoEnt;
}

Errno not_weak(const model::Field& field, TextSink& log) {
  const btf::Type* pointee = field.btf ? field.btf->type(field.type) : nullptr;
  log.write(fmt::format("{}: a weak kptr, and this host has not registered struct {} as a type of which weak pointers are possible\n",
                        model::field_place(field), pointee ? pointee->name : std::string_view("?")));
  return Errno::kNoEnt;
}

}  // namespace

Result<FieldOwners::Owner> FieldOwners::describe(const model::Field& field, MapHost& host, TextSink& log) {
  Owner owner{field.kind, field.off, {}, field.node_off, nullptr};
  if (model::field_bit(field.kind) & kDeferred) {
    if (auto runs = host.start_deferred(); !runs) {
      log.write(fmt::format("{}: a {}, and this host runs none\n", model::field_place(field), model::field_text(field.kind)));
      return runs.error();
    }
    owner.releaser = {cancel, nullptr};
    return owner;
  }
  if (field.kind == K::kKptrWeak) {
    if (host.weak_type(field) == nullptr) return not_weak(field, log);
    return owner;
  }
  if (field.kind == K::kKptrRef) owner.releaser = host.releaser(field);
  if (owner.releaser.release != nullptr) return owner;
  if (is_hosts(field, host)) return no_destructor(field, log);
  owner.element = RING3_TRY(AllocatedType::make(field.btf, field.type, host, log));
  switch (field.kind) {
    case K::kListHead: owner.releaser.release = drop_list; break;
    case K::kRbRoot: owner.releaser.release = drop_tree; break;
    case K::kKptrPercpu: owner.releaser = {drop_percpu, nullptr}; break;
    default: owner.releaser = {drop_object, owner.element.get()}; break;
  }
  return owner;
}

Result<std::shared_ptr<const FieldOwners>> FieldOwners::make(const model::FieldTable& fields, MapHost& host, TextSink& log) {
  if ((fields.kinds() & kOwningFields) == 0) return std::shared_ptr<const FieldOwners>();
  auto made = std::make_shared<FieldOwners>();
  made->has_deferred_ = (fields.kinds() & kDeferred) != 0;
  for (const model::Field& f : fields.fields) {
    if (f.kind == K::kSpinLock) made->lock_off_ = f.off;
    if (model::field_bit(f.kind) & kOwningFields) made->owners_.push_back(RING3_TRY(describe(f, host, log)));
  }
  // Now that owners do not move any more.
  for (Owner& owner : made->owners_)
    if (model::field_bit(owner.kind) & kRoots) owner.releaser.context = &owner;
  return std::shared_ptr<const FieldOwners>(std::move(made));
}

std::uintptr_t FieldOwners::take(const Owner& owner, std::byte* value) noexcept {
  if (owner.kind == K::kListHead)
    return reinterpret_cast<std::uintptr_t>(list_take_all(reinterpret_cast<ListHead*>(value + owner.off)));
  if (owner.kind == K::kRbRoot)
    return reinterpret_cast<std::uintptr_t>(tree_take_all(reinterpret_cast<RbRoot*>(value + owner.off)));
  auto* slot = reinterpret_cast<std::uint64_t*>(value + owner.off);
  // Most are null: no write to a line that programs read.
  if (__atomic_load_n(slot, __ATOMIC_RELAXED) == 0) return 0;
  if (owner.kind == K::kKptrWeak) {
    weak::clear(slot);
    return 0;
  }
  return __atomic_exchange_n(slot, 0, __ATOMIC_ACQ_REL);
}

void FieldOwners::take_out(std::byte* value, Reclaimed& out) const noexcept {
  for (const Owner& owner : owners_) {
    const bool locked = (model::field_bit(owner.kind) & kRoots) != 0 && lock_off_ >= 0;
    auto* lock = reinterpret_cast<std::uint32_t*>(value + (locked ? lock_off_ : 0));
    if (locked) word_lock(lock);
    const std::uintptr_t taken = take(owner, value);
    if (locked) word_unlock(lock);
    if (taken != 0) out.add(owner.releaser, reinterpret_cast<void*>(taken));
  }
}

void FieldOwners::cancel_deferred(std::byte* value) const noexcept {
  for (const Owner& owner : owners_) {
    if ((model::field_bit(owner.kind) & kDeferred) == 0) continue;
    if (const std::uintptr_t item = take(owner, value)) cancel(reinterpret_cast<void*>(item), nullptr);
  }
}

void FieldOwners::drop_list(void* first, const void* context) {
  const Owner& owner = *static_cast<const Owner*>(context);
  for (auto* node = static_cast<ListNode*>(first); node != nullptr;) {
    ListNode* const next = node->next;
    node_left(node);
    owner.element->drop(reinterpret_cast<std::byte*>(node) - owner.node_off);
    node = next;
  }
}

void FieldOwners::drop_tree(void* first, const void* context) {
  const Owner& owner = *static_cast<const Owner*>(context);
  for (auto* node = static_cast<RbNode*>(first); node != nullptr;) {
    RbNode* const next = node->right;
    node_left(node);
    owner.element->drop(reinterpret_cast<std::byte*>(node) - owner.node_off);
    node = next;
  }
}

void Reclaimed::add(const Releaser& releaser, void* object) noexcept {
  if (count_ < items_.size()) {
    items_[count_] = {releaser, object};
  } else {
    RING3_CHECK(more_.size() < more_.capacity(), "references of more values than were announced");
    more_.push_back({releaser, object});
  }
  ++count_;
}

void Reclaimed::give_back() noexcept {
  for (std::size_t i = 0; i < count_ && i < items_.size(); ++i)
    items_[i].releaser.release(items_[i].object, items_[i].releaser.context);
  for (const Item& item : more_) item.releaser.release(item.object, item.releaser.context);
}

}  // namespace ring3::maps
