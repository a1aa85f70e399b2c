#include "engine_side.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <set>

#include "btf/builder.h"
#include "corpus.h"
#include "uapi/bpf.h"

namespace ring3::native {
namespace {

std::size_t possible_cpus() {
  static const auto count = static_cast<std::size_t>(::sysconf(_SC_NPROCESSORS_CONF));
  return count;
}

uapi::bpf_attr element(long map, const void* key, const void* value) {
  uapi::bpf_attr attr = zero_attr();
  attr.map_fd = static_cast<std::uint32_t>(map);
  attr.key = address_of(key);
  attr.value = address_of(value);
  return attr;
}

/// What tail calls get to: one that ends, one that calls itself until Linux's limit, one that calls on.
constexpr const char* kTargets[kPrograms] = {
    "*(u32 *)(r10 -4) = 0\nr2 = r10\nr2 += -4\nr1 = map[fd:1]\ncall bpf_map_lookup_elem\nif r0 == 0x0 goto out\n"
    "r1 = 7\nlock *(u64 *)(r0 +16) += r1\nout:\nr0 = 77\nexit",
    "r6 = r1\n*(u32 *)(r10 -4) = 0\nr2 = r10\nr2 += -4\nr1 = map[fd:1]\ncall bpf_map_lookup_elem\nif r0 == 0x0 goto out\n"
    "r1 = 9\nlock *(u64 *)(r0 +24) += r1\nout:\nr1 = r6\nr2 = map[fd:9]\nr3 = 1\ncall bpf_tail_call\nr0 = 99\nexit",
    "r2 = map[fd:9]\nr3 = 0\ncall bpf_tail_call\nr0 = 5\nexit",
};

/// Where functions start: the main one first.
std::vector<std::uint32_t> function_starts(const std::vector<isa::RawInsn>& insns) {
  std::set<std::uint32_t> starts{0};
  for (std::size_t i = 0; i < insns.size(); ++i)
    if ((insns[i].code == 0x85 && insns[i].src == 1) || (insns[i].code == 0x18 && insns[i].src == kNamesFunction))
      starts.insert(static_cast<std::uint32_t>(static_cast<std::int64_t>(i) + 1 + insns[i].imm));
  return {starts.begin(), starts.end()};
}

constexpr std::uint32_t kRingBytes = 4096;
constexpr std::size_t kPage = 4096;

constexpr std::uint32_t kMainType = 3;  // FUNC records begin here, the static ones behind the global one

}  // namespace

std::string RunResult::text() const {
  std::string out = "error " + std::to_string(error) + " r0 " + std::to_string(retval) + " maps";
  char two[4];
  for (std::size_t i = 0; i < maps.size(); ++i) {
    std::snprintf(two, sizeof(two), i % 8 == 0 ? " %02x" : "%02x", maps[i]);
    out += two;
  }
  return out;
}

EngineSide::~EngineSide() {
  if (consumed_ != nullptr) ::munmap(consumed_, kPage);
  if (produced_ != nullptr) ::munmap(const_cast<std::uint8_t*>(produced_), kPage + 2 * kRingBytes);
  for (const long fd : fds_) ::close(static_cast<int>(fd));
}

long EngineSide::create(std::uint32_t type, std::uint32_t key_bytes, std::uint32_t value_bytes, std::uint32_t entries, long inner) {
  uapi::bpf_attr attr = zero_attr();
  attr.map_type = type;
  attr.key_size = key_bytes;
  attr.value_size = value_bytes;
  attr.max_entries = entries;
  if (inner >= 0) attr.inner_map_fd = static_cast<std::uint32_t>(inner);
  const long fd = bpf_(uapi::BPF_MAP_CREATE, &attr, sizeof(attr));
  if (fd >= 0) fds_.push_back(fd);
  return fd;
}

long EngineSide::load_types() {
  btf::Builder b;
  const btf::TypeId number = b.add_int("int", 4, 1);
  const btf::TypeId proto = b.add_proto(number, {});
  b.add_func("main", proto, btf::Linkage::kGlobal);
  for (const char* name : {"f1", "f2", "f3", "f4", "f5"}) b.add_func(name, proto, btf::Linkage::kStatic);
  const btf::TypeId wide = b.add_int("long", 8);
  const btf::TypeId object = b.add_struct("object", 24, {{"a", wide, 0}, {"b", wide, 64}, {"c", number, 128}});
  if (object != kObjectTypeId) return -EINVAL;
  const std::vector<std::byte> blob = b.finish();
  uapi::bpf_attr attr = zero_attr();
  attr.btf = address_of(blob.data());
  attr.btf_size = static_cast<std::uint32_t>(blob.size());
  const long fd = bpf_(uapi::BPF_BTF_LOAD, &attr, sizeof(attr));
  if (fd >= 0) fds_.push_back(fd);
  return fd;
}

long EngineSide::map_ring() {
  const int ring = static_cast<int>(maps_[kRingMap]);
  void* const consumed = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, ring, 0);
  if (consumed == MAP_FAILED) return -errno;
  consumed_ = static_cast<std::uint64_t*>(consumed);
  void* const produced = ::mmap(nullptr, kPage + 2 * kRingBytes, PROT_READ, MAP_SHARED, ring, kPage);
  if (produced == MAP_FAILED) return -errno;
  produced_ = static_cast<const std::uint8_t*>(produced);
  return 0;
}

long EngineSide::open(Bpf bpf, const HostNames& names) {
  bpf_ = std::move(bpf);
  names_ = names;
  maps_[kValueMap] = create(uapi::BPF_MAP_TYPE_ARRAY, 4, kMapValueBytes, 1);
  maps_[kHashMap] = create(uapi::BPF_MAP_TYPE_HASH, 8, 8, kHashEntries);
  maps_[kPercpuArrayMap] = create(uapi::BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, kArrayEntries);
  maps_[kPercpuHashMap] = create(uapi::BPF_MAP_TYPE_PERCPU_HASH, 8, 8, kHashEntries);
  maps_[kStepsMap] = create(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, kArrayEntries);
  maps_[kLruMap] = create(uapi::BPF_MAP_TYPE_LRU_HASH, 8, 8, 16 * kHashEntries);  // nothing is evicted
  maps_[kQueueMap] = create(uapi::BPF_MAP_TYPE_QUEUE, 0, 8, kArrayEntries);
  for (long& inner : inner_) inner = create(uapi::BPF_MAP_TYPE_ARRAY, 4, 8, kArrayEntries);
  maps_[kOuterMap] = create(uapi::BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4, 3, inner_[0]);
  maps_[kProgramsMap] = create(uapi::BPF_MAP_TYPE_PROG_ARRAY, 4, 4, kPrograms + 1);
  maps_[kRingMap] = create(uapi::BPF_MAP_TYPE_RINGBUF, 0, 0, kRingBytes);
  types_ = load_types();
  for (std::size_t i = kValueMap; i < kMapNumbersEnd; ++i)
    if (maps_[i] < 0) return maps_[i];
  if (types_ < 0) return types_;
  if (const long error = map_ring()) return error;
  for (std::uint32_t i = 0; i < inner_.size(); ++i)
    if (const long error = update(maps_[kOuterMap], &i, &inner_[i])) return error;
  for (std::uint32_t i = 0; i < kPrograms; ++i) {
    const Result<RandomProgram> program = corpus_program(kTargets[i]);
    if (!program) return -EINVAL;
    const long prog = load(*program, true);
    if (prog < 0) return prog;
    const long error = update(maps_[kProgramsMap], &i, &prog);
    ::close(static_cast<int>(prog));
    if (error != 0) return error;
  }
  return 0;
}

namespace {

bool names_kfunc(const isa::RawInsn& insn) { return insn.code == 0x85 && insn.src == kNamesKfunc; }
bool names_type(const isa::RawInsn& insn) { return insn.code == 0x18 && insn.src == kNamesType; }

}  // namespace

bool EngineSide::has_names_of(const RandomProgram& program) const {
  return std::none_of(program.insns.begin(), program.insns.end(), [this](const isa::RawInsn& insn) {
    const auto number = static_cast<std::uint32_t>(insn.imm);
    return (names_kfunc(insn) && names_.kfunc(number) == 0) || (names_type(insn) && names_.type(number) == 0);
  });
}

long EngineSide::load(const RandomProgram& program, bool with_log) {
  std::vector<isa::RawInsn> insns = program.insns;
  for (isa::RawInsn& insn : insns) {
    if (insn.code == 0x18 && insn.src == kNamesMap) insn.imm = static_cast<std::int32_t>(maps_[static_cast<std::size_t>(insn.imm)]);
    if (names_kfunc(insn)) insn.imm = static_cast<std::int32_t>(names_.kfunc(static_cast<std::uint32_t>(insn.imm)));
    if (names_type(insn)) {  // as the number it is
      insn.src = 0;
      insn.imm = static_cast<std::int32_t>(names_.type(static_cast<std::uint32_t>(insn.imm)));
    }
  }
  static std::vector<char> text(1 << 20);
  text[0] = '\0';
  uapi::bpf_attr attr = zero_attr();
  attr.prog_type = uapi::BPF_PROG_TYPE_SCHED_CLS;
  attr.insn_cnt = static_cast<std::uint32_t>(insns.size());
  attr.insns = address_of(insns.data());
  attr.license = address_of("GPL");
  std::vector<uapi::bpf_func_info> functions;
  const std::vector<std::uint32_t> starts = function_starts(insns);
  // Callbacks have to be static functions, those that make tail calls return a number, and objects have a type.
  for (const std::uint32_t start : starts)
    functions.push_back({start, kMainType + static_cast<std::uint32_t>(functions.size())});
  attr.prog_btf_fd = static_cast<std::uint32_t>(types_);
  attr.func_info = address_of(functions.data());
  attr.func_info_cnt = static_cast<std::uint32_t>(functions.size());
  attr.func_info_rec_size = sizeof(uapi::bpf_func_info);
  if (with_log) {
    attr.log_level = 1;
    attr.log_size = static_cast<std::uint32_t>(text.size());
    attr.log_buf = address_of(text.data());
  }
  const long fd = bpf_(uapi::BPF_PROG_LOAD, &attr, sizeof(attr));
  log_ = text.data();
  return fd;
}

long EngineSide::update(long map, const void* key, const void* value) {
  uapi::bpf_attr attr = element(map, key, value);
  return bpf_(uapi::BPF_MAP_UPDATE_ELEM, &attr, sizeof(attr));
}

bool EngineSide::lookup(long map, const void* key, void* value) {
  uapi::bpf_attr attr = element(map, key, value);
  return bpf_(uapi::BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) == 0;
}

/// Every other key is there. Per-CPU maps take the value for each CPU; the others the first.
long EngineSide::fill_hash(MapNumber number) {
  const long map = maps_[number];
  std::vector<std::uint64_t> values(possible_cpus());
  for (std::uint64_t key = 0; key < kHashEntries; ++key) {
    std::fill(values.begin(), values.end(), key * 0x0123456789abcdef);
    uapi::bpf_attr attr = element(map, &key, values.data());
    const long error = bpf_(key % 2 == 0 ? uapi::BPF_MAP_UPDATE_ELEM : uapi::BPF_MAP_DELETE_ELEM, &attr, sizeof(attr));
    if (error != 0 && error != -ENOENT) return error;
  }
  return 0;
}

long EngineSide::fill_array(long map, std::uint32_t values, std::uint64_t seed) {
  std::vector<std::uint64_t> value(possible_cpus());
  for (std::uint32_t key = 0; key < values; ++key) {
    std::fill(value.begin(), value.end(), (key + 1) * seed);
    if (const long error = update(map, &key, value.data())) return error;
  }
  return 0;
}

long EngineSide::fill_queue() {
  const long map = maps_[kQueueMap];
  std::uint64_t value = 0;
  uapi::bpf_attr attr = element(map, nullptr, &value);
  while (bpf_(uapi::BPF_MAP_LOOKUP_AND_DELETE_ELEM, &attr, sizeof(attr)) == 0) attr = element(map, nullptr, &value);
  for (value = 11; value <= 13; ++value)
    if (const long error = update(map, nullptr, &value)) return error;
  return 0;
}

long EngineSide::fill() {
  std::uint8_t value[kMapValueBytes];
  for (std::size_t i = 0; i < kMapValueBytes; ++i) value[i] = static_cast<std::uint8_t>(i * 37 + 11);
  const std::uint32_t key = 0;
  if (const long error = update(maps_[kValueMap], &key, value)) return error;
  for (const MapNumber number : {kHashMap, kPercpuHashMap, kLruMap})
    if (const long error = fill_hash(number)) return error;
  for (const auto& [map, seed] : {std::pair(maps_[kStepsMap], 0x1001ull), {maps_[kPercpuArrayMap], 3ull << 31}, {inner_[0], ~0ull}, {inner_[1], 77ull}})
    if (const long error = fill_array(map, kArrayEntries, seed)) return error;
  return fill_queue();
}

void EngineSide::read(long map, const void* key, bool per_cpu, std::vector<std::uint8_t>& into) {
  std::vector<std::uint64_t> values(possible_cpus());
  into.push_back(lookup(map, key, values.data()));
  if (!per_cpu) values.resize(1);
  std::sort(values.begin(), values.end());
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(values.data());
  into.insert(into.end(), bytes, bytes + values.size() * sizeof values[0]);
}

void EngineSide::read_maps(std::vector<std::uint8_t>& into) {
  std::uint8_t value[kMapValueBytes] = {};
  const std::uint32_t first = 0;
  into.push_back(lookup(maps_[kValueMap], &first, value));
  into.insert(into.end(), value, value + sizeof value);
  for (const MapNumber number : {kHashMap, kPercpuHashMap, kLruMap})
    for (std::uint64_t key = 0; key < kHashEntries; ++key) read(maps_[number], &key, number == kPercpuHashMap, into);
  for (const long map : {maps_[kStepsMap], inner_[0], inner_[1], maps_[kPercpuArrayMap]})
    for (std::uint32_t key = 0; key < kArrayEntries; ++key) read(map, &key, map == maps_[kPercpuArrayMap], into);
  for (std::uint32_t i = 0; i <= kArrayEntries; ++i) {
    std::uint64_t front = 0;
    uapi::bpf_attr attr = element(maps_[kQueueMap], nullptr, &front);
    into.push_back(bpf_(uapi::BPF_MAP_LOOKUP_AND_DELETE_ELEM, &attr, sizeof(attr)) == 0);
    into.push_back(static_cast<std::uint8_t>(front));
    into.push_back(static_cast<std::uint8_t>(front >> 8));
  }
  read_ring(into);
}

/// The records since the last time: length and flags, and the data.
void EngineSide::read_ring(std::vector<std::uint8_t>& into) {
  constexpr std::uint32_t kHeader = 8, kFlags = 3u << 30;
  const std::uint64_t produced = *reinterpret_cast<const volatile std::uint64_t*>(produced_);
  for (std::uint64_t at = *consumed_; at < produced;) {
    const std::uint8_t* const record = produced_ + kPage + at % kRingBytes;
    std::uint32_t head = 0;
    std::memcpy(&head, record, sizeof head);
    into.insert(into.end(), record, record + sizeof head);
    into.insert(into.end(), record + kHeader, record + kHeader + (head & ~kFlags));
    at += (kHeader + (head & ~kFlags) + 7) / 8 * 8;
  }
  *const_cast<volatile std::uint64_t*>(consumed_) = produced;
}

RunResult EngineSide::run(long prog) {
  RunResult result;
  result.error = fill();
  std::uint8_t packet[64];
  for (std::size_t i = 0; i < sizeof(packet); ++i) packet[i] = static_cast<std::uint8_t>(i * 91 + 3);
  uapi::bpf_attr attr = zero_attr();
  attr.test.prog_fd = static_cast<std::uint32_t>(prog);
  attr.test.data_in = address_of(packet);
  attr.test.data_size_in = sizeof(packet);
  if (result.error == 0) result.error = bpf_(uapi::BPF_PROG_TEST_RUN, &attr, sizeof(attr));
  result.retval = attr.test.retval;
  if (result.error == 0) read_maps(result.maps);
  return result;
}

}  // namespace ring3::native
