#include "cli/signed_loader.h"

#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "base/byte_reader.h"
#include "base/try.h"
#include "cli/libbpf_words.h"
#include "cli/object_file.h"
#include "isa/insn.h"

namespace ring3::cli {
namespace {

constexpr std::string_view kMagic = "ring3 signed 1\n";

// The loader's context: see run_signed_loader().
constexpr int kContextHead = 24, kMapEntry = 16;

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  const std::size_t at = out.size();
  out.resize(at + bytes.size());
  if (!bytes.empty()) std::memcpy(out.data() + at, bytes.data(), bytes.size());
}
void put_number(std::vector<std::byte>& out, std::uint32_t number) { append(out, std::as_bytes(std::span(&number, 1))); }
void put_bytes(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  put_number(out, static_cast<std::uint32_t>(bytes.size()));
  append(out, bytes);
}
void put_names(std::vector<std::byte>& out, const std::vector<std::string>& names) {
  put_number(out, static_cast<std::uint32_t>(names.size()));
  for (const std::string& name : names) put_bytes(out, std::as_bytes(std::span(name)));
}

Result<std::vector<std::byte>> get_bytes(ByteReader& in, std::span<const std::byte> file) {
  std::uint32_t size = 0;
  if (!in.read(size) || in.remaining() < size) return Errno::kBadMsg;
  const auto first = file.begin() + static_cast<std::ptrdiff_t>(in.offset());
  std::vector<std::byte> bytes(first, first + static_cast<std::ptrdiff_t>(size));
  if (!in.skip(size)) return Errno::kBadMsg;
  return bytes;
}
Result<std::vector<std::string>> get_names(ByteReader& in, std::span<const std::byte> file) {
  std::uint32_t count = 0;
  std::vector<std::string> names;
  if (!in.read(count)) return Errno::kBadMsg;
  for (; count != 0; --count) {
    const std::vector<std::byte> name = RING3_TRY(get_bytes(in, file));
    names.emplace_back(reinterpret_cast<const char*>(name.data()), name.size());
  }
  return names;
}

}  // namespace

Result<SignedLoader> generate_loader(std::vector<std::byte> file, const std::string& name, std::string& why) {
  ObjectNotes notes;
  why = prepare_object(file, notes);
  if (!why.empty()) return Errno::kInval;
  if (notes.has_struct_ops) {
    why = "it has struct_ops tables: libbpf 1.1 generates no loader for them";
    return Errno::kOpNotSupp;
  }
  const LibbpfWords words(false);
  const auto fail = [&](int error) {
    why = words.warnings();
    if (why.empty()) why = std::strerror(error);
    return static_cast<Errno>(error);
  };
  bpf_object_open_opts options{};
  options.sz = sizeof options;
  options.object_name = name.c_str();
  const std::unique_ptr<bpf_object, CloseObject> object(bpf_object__open_mem(file.data(), file.size(), &options));
  if (object == nullptr) return fail(errno);
  mark_sleepable(object.get(), notes);
  gen_loader_opts generated{};
  generated.sz = sizeof generated;
  if (const int error = bpf_object__gen_loader(object.get(), &generated); error != 0) return fail(-error);
  if (const int error = bpf_object__load(object.get()); error != 0) return fail(-error);
  SignedLoader loader;
  const auto bytes = [](const char* first, std::uint32_t size) {
    const auto* at = reinterpret_cast<const std::byte*>(first);
    return std::vector<std::byte>(at, at + size);
  };
  loader.data = bytes(generated.data, generated.data_sz);
  for (bpf_map* map = nullptr; (map = bpf_object__next_map(object.get(), map)) != nullptr;) loader.maps.emplace_back(bpf_map__name(map));
  for (bpf_program* program = nullptr; (program = bpf_object__next_program(object.get(), program)) != nullptr;)
    if (bpf_program__autoload(program)) loader.programs.emplace_back(bpf_program__name(program));
  loader.insns = bytes(generated.insns, generated.insns_sz);
  return loader;
}

/// Reads of the context that choose a map's size or initial value become reads of nothing: libbpf's generator keeps the context in
/// r6 and takes zero for "as in the object".
bool settle_choices(SignedLoader& loader) {
  constexpr std::uint8_t kMoveReg = 0xbf, kMoveImm = 0xb7, kLoadWord = 0x61, kLoadLong = 0x79;
  constexpr unsigned kContext = 6;
  std::vector<isa::RawInsn> insns(loader.insns.size() / sizeof(isa::RawInsn));
  std::memcpy(insns.data(), loader.insns.data(), insns.size() * sizeof(isa::RawInsn));
  if (insns.empty() || insns[0].code != kMoveReg || insns[0].dst != kContext || insns[0].src != 1) return false;
  const int end = kContextHead + kMapEntry * static_cast<int>(loader.maps.size());
  for (isa::RawInsn& insn : insns) {
    const bool of_map = insn.src == kContext && insn.off >= kContextHead && insn.off < end && (insn.off - kContextHead) % kMapEntry != 0;
    if (!of_map || (insn.code != kLoadWord && insn.code != kLoadLong)) continue;
    insn.code = kMoveImm;
    insn.src = 0;
    insn.off = 0;
    insn.imm = 0;
  }
  const auto text = std::as_bytes(std::span(insns));
  loader.insns.assign(text.begin(), text.end());
  return true;
}

std::vector<std::byte> pack(const SignedLoader& loader) {
  std::vector<std::byte> file;
  append(file, std::as_bytes(std::span(kMagic)));
  put_number(file, static_cast<std::uint32_t>(loader.ring));
  put_bytes(file, loader.insns);
  put_bytes(file, loader.data);
  put_bytes(file, loader.signature);
  put_names(file, loader.maps);
  put_names(file, loader.programs);
  return file;
}

bool is_signed_loader(std::span<const std::byte> file) {
  return file.size() >= kMagic.size() && std::memcmp(file.data(), kMagic.data(), kMagic.size()) == 0;
}

Result<SignedLoader> unpack(std::span<const std::byte> file) {
  if (!is_signed_loader(file)) return Errno::kBadMsg;
  ByteReader in(file);
  SignedLoader loader;
  std::uint32_t ring = 0;
  if (!in.skip(kMagic.size()) || !in.read(ring)) return Errno::kBadMsg;
  loader.ring = static_cast<std::int32_t>(ring);
  loader.insns = RING3_TRY(get_bytes(in, file));
  loader.data = RING3_TRY(get_bytes(in, file));
  loader.signature = RING3_TRY(get_bytes(in, file));
  loader.maps = RING3_TRY(get_names(in, file));
  loader.programs = RING3_TRY(get_names(in, file));
  if (in.remaining() != 0 || loader.insns.empty() || loader.insns.size() % sizeof(isa::RawInsn) != 0 || loader.data.empty()) return Errno::kBadMsg;
  return loader;
}

}  // namespace ring3::cli
