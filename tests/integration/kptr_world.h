// A client with value types that have special fields, and host objects that are counted.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "btf/builder.h"
#include "maps/map.h"
#include "ring3/counted.h"
#include "runtime/runtime_impl.h"
#include "syscall/bpf.h"
#include "syscall/caller.h"
#include "tests/integration/world.h"

namespace ring3::test {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

/// An object of the host; programs know struct counted_thing.
struct LiveThing : counted_thing, Counted<LiveThing> {
  LiveThing() { ++alive; }
  ~LiveThing() { --alive; }
  static inline std::atomic<int> alive{0};
  static inline std::atomic<LiveThing*> found{nullptr};  // what counted_thing_find() finds; looked at inside read sections
};

/// Records every test needs, in one client BTF.
class ValueTypes {
 public:
  ValueTypes() {
    u32 = b.add_int("unsigned int", 4);
    u64 = b.add_int("unsigned long long", 8);
    lock = b.add_struct("bpf_spin_lock", 4, {{"val", u32, 0}});
    timer = words("bpf_timer", 2);
    work = words("bpf_wq", 2);
    list_head = words("bpf_list_head", 2);
    list_node = words("bpf_list_node", 3);
    rb_root = words("bpf_rb_root", 2);
    rb_node = words("bpf_rb_node", 4);
    refcount = b.add_struct("bpf_refcount", 4, {{"count", u32, 0}});
    counted = b.add_struct("counted_thing", 8, {{"id", u64, 0}});
    loose = b.add_struct("loose_thing", 8, {{"id", u64, 0}});
  }
  btf::TypeId words(std::string_view name, std::uint32_t count) {
    const btf::Builder::NewMember member[] = {{"__opaque", b.add_array(u64, u32, count), 0}};
    return b.add_struct(name, count * 8, member);
  }
  btf::TypeId kptr(btf::TypeId pointee, std::string_view tag = "kptr") { return b.add_ptr(b.add_type_tag(tag, pointee)); }

  btf::Builder b;
  btf::TypeId u32, u64, lock, timer, work, list_head, list_node, rb_root, rb_node, refcount, counted, loose;
};

class KptrWorld : public World {
 protected:
  explicit KptrWorld(bool lenient_fields = false) : World(lenient_fields) {
    EXPECT_TRUE((runtime_->kptr<counted_thing>(counted_kptr<counted_thing, LiveThing>()).ok())) << log_.take();
  }
  ~KptrWorld() override {
    client_.reset();
    runtime_.reset();
    wait_for_readers();
    EXPECT_EQ(LiveThing::alive, 0);
  }

  long load_btf(ValueTypes& types) { return bpf().load_btf(types.b.finish()); }
  uapi::bpf_attr map_attr(long btf, std::uint32_t type, btf::TypeId key, btf::TypeId value, std::uint32_t value_bytes,
                          std::uint32_t flags = 0, std::uint32_t entries = 4) {
    uapi::bpf_attr attr = BpfClient::map_attr(type, 4, value_bytes, entries, {btf, key, value});
    attr.map_flags = flags;
    return attr;
  }
  /// Loads the types and makes a map of them; the descriptor or the negated errno.
  long make(ValueTypes& types, btf::TypeId value, std::uint32_t value_bytes, std::uint32_t type = uapi::BPF_MAP_TYPE_HASH,
            std::uint32_t flags = 0) {
    const long btf = load_btf(types);
    if (btf < 0) return btf;
    return bpf().create(map_attr(btf, type, types.u32, value, value_bytes, flags));
  }
  /// A value of one number and one owned pointer to a counted_thing.
  long make_holder(std::uint32_t type, std::uint32_t flags = 0) {
    ValueTypes types;
    return make(types, holder(types), 16, type, flags);
  }
  static btf::TypeId holder(ValueTypes& types) {
    const btf::TypeId pointer = types.kptr(types.counted);
    return types.b.add_struct("value", 16, {{"number", types.u64, 0}, {"held", pointer, 64}});
  }
  struct Holder {
    std::uint64_t number;
    LiveThing* held;
  };

  Ref<maps::Map> map_object(long fd) {
    return ref_cast<maps::Map>(runtime_->impl().objects().find(ObjectKind::kMap, bpf().map_info(fd).id).value());
  }
  static Holder* find(maps::Map& map, std::uint32_t key) { return static_cast<Holder*>(map.ops().data.lookup(map, &key)); }
  /// What bpf_kptr_xchg does.
  static LiveThing* exchange(Holder& value, LiveThing* object) {
    return __atomic_exchange_n(&value.held, object, __ATOMIC_ACQ_REL);
  }
  void put(maps::Map& map, std::uint32_t key) {
    ReadSection readers;
    Holder* value = find(map, key);
    ASSERT_NE(value, nullptr);
    ASSERT_EQ(exchange(*value, new LiveThing), nullptr);
  }
  bool said(std::string_view text) {
    last_ = log_.take();
    return last_.find(text) != std::string::npos;
  }
  std::string last_;
};

}  // namespace ring3::test
