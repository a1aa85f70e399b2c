#include "attach/ordered_list.h"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "base/try.h"

namespace ring3::attach {
namespace {

bool is_entry(const OrderedEntry& entry, const Relative& to) {
  return entry.program == to.program && (to.link == nullptr || to.link == entry.link);
}

}  // namespace

OrderedList::~OrderedList() {
  MutexLock lock(mutex_);
  publish({});
}

int OrderedList::before(const Relative& to) const {
  for (std::size_t i = 0; to.program && i < entries_.size(); ++i)
    if (is_entry(entries_[i], to)) return static_cast<int>(i) - 1;
  return to.program ? kNowhere : -1;
}

int OrderedList::after(const Relative& to) const {
  for (std::size_t i = 0; to.program && i < entries_.size(); ++i)
    if (is_entry(entries_[i], to)) return static_cast<int>(i) + 1;
  return to.program ? kNowhere : static_cast<int>(entries_.size());
}

Result<int> OrderedList::exact(const prog::Program& program, const Link* link) const {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].program.get() == &program) {
      if (entries_[i].link != link) return Errno::kBusy;
      return static_cast<int>(i);
    }
  return Errno::kNoEnt;
}

Result<int> OrderedList::directed(int place, std::uint32_t flags, const Relative& to) const {
  for (const std::uint32_t direction : {std::uint32_t{uapi::BPF_F_BEFORE}, std::uint32_t{uapi::BPF_F_AFTER}}) {
    if ((flags & direction) == 0) continue;
    const int derived = direction == uapi::BPF_F_BEFORE ? before(to) : after(to);
    if (derived == kNowhere) return Errno::kNoEnt;
    if (place != kNowhere && derived != place) return Errno::kRange;
    place = derived;
  }
  return place;
}

int OrderedList::place_of(const RunConfig& config) const {
  const auto at = std::find_if(entries_.begin(), entries_.end(), [&](const OrderedEntry& entry) { return entry.config && config.before(*entry.config); });
  return static_cast<int>(at - entries_.begin());
}

Result<void> OrderedList::attach(Ref<prog::Program> program, const Link* link, const prog::Program* replaced,
                                 std::uint32_t flags, const Relative& to, std::uint64_t revision, std::optional<RunConfig> config) {
  MutexLock lock(mutex_);
  if (closed_) return Errno::kNoDev;
  if (revision != 0 && revision != revision_) return Errno::kStale;
  const bool replaces = (flags & uapi::BPF_F_REPLACE) != 0;
  if (most_ == 1 && !replaces && !entries_.empty()) return Errno::kBusy;
  for (const OrderedEntry& entry : entries_)
    if (entry.program == program) return Errno::kExist;
  int place = kNowhere;
  if (replaces) {
    if (replaced == nullptr) return Errno::kInval;
    place = RING3_TRY(exact(*replaced, link));
  } else if (entries_.size() == most_) {
    return Errno::kRange;
  }
  place = RING3_TRY(directed(place, flags, to));
  std::vector<OrderedEntry> next = entries_;
  OrderedEntry entry{std::move(program), link, link != nullptr ? link->id() : 0, std::move(config)};
  if (replaces) {
    OrderedEntry& gone = next[static_cast<std::size_t>(place)];
    if (entry.config && gone.config) entry.config->stand_as(*gone.config);
    gone = std::move(entry);
  } else if (entry.config) {
    next.insert(next.begin() + place_of(*entry.config), std::move(entry));
  } else {
    if (place == kNowhere) {
      if (to.program || flags != 0) return Errno::kInval;
      place = static_cast<int>(next.size());
    } else if ((flags & uapi::BPF_F_BEFORE) != 0 && place != static_cast<int>(next.size())) {
      ++place;
    }
    next.insert(next.begin() + place, std::move(entry));
  }
  publish(std::move(next));
  return {};
}

Result<void> OrderedList::detach(const prog::Program* program, const Link* link, std::uint32_t flags, const Relative& to,
                                 std::uint64_t revision) {
  if ((flags & uapi::BPF_F_REPLACE) != 0) return Errno::kInval;
  MutexLock lock(mutex_);
  if (revision != 0 && revision != revision_) return Errno::kStale;
  if (entries_.empty()) return Errno::kNoEnt;
  int place = program != nullptr ? RING3_TRY(exact(*program, link)) : kNowhere;
  place = RING3_TRY(directed(place, flags, to));
  const int count = static_cast<int>(entries_.size());
  if (place == kNowhere) {
    if (to.program || flags != 0) return Errno::kInval;
    place = count;
  }
  if (place == -1) place = 0;
  if (place >= count) place = count - 1;
  if (entries_[static_cast<std::size_t>(place)].link != nullptr && link == nullptr) return Errno::kBusy;
  std::vector<OrderedEntry> next = entries_;
  next.erase(next.begin() + place);
  publish(std::move(next));
  return {};
}

void OrderedList::leave(const Link* link) noexcept {
  MutexLock lock(mutex_);
  const auto at = std::find_if(entries_.begin(), entries_.end(), [link](const OrderedEntry& entry) { return entry.link == link; });
  if (at == entries_.end()) return;
  entries_.erase(at);
  ++revision_;
  try {
    swap_in(make(entries_));
  } catch (const std::bad_alloc&) {
    for (Turn& turn : published_.load(std::memory_order_relaxed)->turns)
      if (turn.link == link) turn.left.store(true, std::memory_order_release);
  }
}

Result<std::vector<Ref<Link>>> OrderedList::close() {
  std::vector<Ref<Link>> links;
  std::vector<OrderedEntry> gone;  // dropped behind the lock
  MutexLock lock(mutex_);
  try {
    links.reserve(entries_.size());
  } catch (const std::bad_alloc&) {
    return Errno::kNoMem;
  }
  for (const OrderedEntry& entry : entries_) {
    // A link whose last reference goes right now waits for the mutex to leave, so its memory is there.
    auto* const link = const_cast<Link*>(entry.link);
    if (link != nullptr && link->try_ref()) links.push_back(Ref<Link>::adopt(link));
  }
  gone.swap(entries_);
  closed_ = true;
  ++revision_;
  swap_in(nullptr);
  return links;
}

void OrderedList::publish(std::vector<OrderedEntry> next) {
  Published* const fresh = make(next);
  entries_ = std::move(next);
  ++revision_;
  swap_in(fresh);
}

OrderedList::Published* OrderedList::make(const std::vector<OrderedEntry>& entries) {
  if (entries.empty()) return nullptr;
  auto list = std::make_unique<Published>();
  list->turns.reserve(entries.size());
  for (const OrderedEntry& entry : entries) list->turns.emplace_back(entry.program, entry.link, entry.config ? entry.config->chain_on : 0);
  return list.release();
}

void OrderedList::swap_in(Published* fresh) {
  Published* old = published_.exchange(fresh, std::memory_order_acq_rel);
  if (old != nullptr)
    rcu::call_after_readers(&old->retired, [](rcu::Deferred* node) { delete reinterpret_cast<Published*>(node); });
}

OrderedList::View OrderedList::view() const {
  MutexLock lock(mutex_);
  return {revision_, entries_};
}

std::uint32_t OrderedList::run(void* ctx, std::uint32_t next, std::uint32_t end) const noexcept {
  rcu::ReadSection section;
  const Published* now = published_.load(std::memory_order_acquire);
  if (now == nullptr) return next;
  for (const Turn& turn : now->turns) {
    if (turn.left.load(std::memory_order_acquire)) continue;
    const auto answer = static_cast<std::uint32_t>(turn.program->entry()->run(exec::RunArgs{.ctx = ctx}));
    if (answer != next && !turn.chains_on(answer)) return answer;
  }
  return end;
}

}  // namespace ring3::attach
