#include "btf/broken_blobs.h"

#include <cstring>

#include "btf/builder.h"

namespace ring3::btf {
namespace {

using Blob = std::vector<std::byte>;

void poke(Blob& blob, std::size_t off, std::uint32_t value) { std::memcpy(blob.data() + off, &value, sizeof value); }
std::uint32_t peek(const Blob& blob, std::size_t off) {
  std::uint32_t v;
  std::memcpy(&v, blob.data() + off, sizeof v);
  return v;
}

// A blob of one int to break the header of.
Blob small() {
  Builder b;
  b.add_int("u32", 4);
  return b.finish();
}

// Words of a record: name, info, size or type, rest.
constexpr std::uint32_t info(Kind kind, std::uint32_t vlen = 0, bool flag = false) {
  return (flag ? 1u << 31 : 0) | (static_cast<std::uint32_t>(kind) << 24) | vlen;
}

class Cases {
 public:
  std::vector<BrokenBlob> out;

  void header(const char* what, Errno e, const char* words, void (*change)(Blob&)) {
    Blob blob = small();
    change(blob);
    out.push_back({what, blob, e, words});
  }
  // [1] u32, [2] u64, [3] struct s of 8 bytes {u32 a; u32 b}, then what `add` adds.
  template <typename Add>
  void record(const char* what, Errno e, const char* words, Add add) {
    Builder b;
    b.add_int("u32", 4);
    b.add_int("u64", 8);
    b.add_struct("s", 8, {{"a", 1, 0}, {"b", 1, 32}});
    add(b);
    out.push_back({what, b.finish(), e, words});
  }
  void raw(const char* what, Errno e, const char* words, std::vector<std::uint32_t> record_words, bool named = false) {
    record(what, e, words, [&](Builder& b) {
      if (named) record_words[0] = b.string("name");
      b.add_raw(record_words);
    });
  }
};

void add_header_cases(Cases& c) {
  const Errno inval = Errno::kInval;
  c.header("bad magic", inval, "Invalid magic", [](Blob& b) { poke(b, 0, 0x00010000); });
  c.header("version 2", Errno::kNotSupp, "Unsupported version", [](Blob& b) { poke(b, 0, 0x0002eb9f); });
  c.header("flags", Errno::kNotSupp, "Unsupported flags", [](Blob& b) { poke(b, 0, 0x0101eb9f); });
  c.header("short", inval, "hdr_len not found", [](Blob& b) { b.resize(7); });
  c.header("header longer than blob", inval, "btf_header not found", [](Blob& b) { poke(b, 4, 4096); });
  c.header("extension with content", Errno::kTooBig, "Unsupported btf_header", [](Blob& b) { poke(b, 4, 28); });
  c.header("only a header", inval, "No data", [](Blob& b) { b.resize(24); });
  c.header("gap", inval, "Unsupported section found", [](Blob& b) { poke(b, 16, peek(b, 16) + 1); });
  c.header("overlap", inval, "Section overlap found", [](Blob& b) { poke(b, 16, peek(b, 16) - 4); });
  c.header("section too long", inval, "Total section length too long", [](Blob& b) { poke(b, 20, peek(b, 20) + 1); });
  c.header("bytes left over", inval, "Unsupported section found", [](Blob& b) { poke(b, 20, peek(b, 20) - 1); });
  c.header("section beyond", inval, "Invalid section offset", [](Blob& b) { poke(b, 16, 1 << 20); });
  c.header("unterminated strings", inval, "Invalid string section", [](Blob& b) { b.back() = std::byte{'x'}; });
  c.header("first string not empty", inval, "Invalid string section",
           [](Blob& b) { b[24 + peek(b, 12)] = std::byte{'x'}; });
  c.header("strings first", inval, "String section is not at the end", [](Blob& b) {
    const std::uint32_t types = peek(b, 12), strings = peek(b, 20);
    poke(b, 16, 0);
    poke(b, 8, strings);
    (void)types;
  });
  c.header("no types", inval, "No type found", [](Blob& b) {
    const std::uint32_t types = peek(b, 12);
    b.erase(b.begin() + 24, b.begin() + 24 + types);
    poke(b, 12, 0);
    poke(b, 16, 0);
  });
  c.header("unknown info bits", inval, "Invalid btf_info", [](Blob& b) { poke(b, 28, info(Kind::kInt) | 0x10000); });
  c.header("unknown kind", inval, "Invalid kind", [](Blob& b) { poke(b, 28, 20u << 24); });
  c.header("kind zero", inval, "Invalid kind", [](Blob& b) { poke(b, 28, 0); });
  c.header("name outside", inval, "Invalid name_offset", [](Blob& b) { poke(b, 24, 4096); });
  c.header("record cut", inval, "meta_left", [](Blob& b) {
    b.erase(b.begin() + 36, b.begin() + 40);
    poke(b, 12, 12);
    poke(b, 16, 12);
  });
}

void add_scalar_cases(Cases& c) {
  const Errno inval = Errno::kInval;
  c.raw("int with elements", inval, "vlen != 0", {0, info(Kind::kInt, 1), 4, 32}, true);
  c.raw("int with flag", inval, "Invalid btf_info kind_flag", {0, info(Kind::kInt, 0, true), 4, 32}, true);
  c.raw("int of 129 bits", inval, "nr_bits exceeds", {0, info(Kind::kInt), 32, 129}, true);
  c.raw("int wider than its size", inval, "nr_bits exceeds type_size", {0, info(Kind::kInt), 4, 33}, true);
  c.raw("int with two encodings", Errno::kNotSupp, "Unsupported encoding", {0, info(Kind::kInt), 4, 3u << 24 | 32}, true);
  c.raw("int with unknown encoding", Errno::kNotSupp, "Unsupported encoding", {0, info(Kind::kInt), 4, 8u << 24 | 32}, true);
  c.raw("int with unknown bits", inval, "Invalid int_data", {0, info(Kind::kInt), 4, 0x10000000 | 32}, true);
  c.raw("float of 6 bytes", inval, "Invalid type_size", {0, info(Kind::kFloat), 6}, true);
  c.raw("enum of 3 bytes", inval, "Unexpected size", {0, info(Kind::kEnum), 3}, true);
  c.raw("enum of 16 bytes", inval, "Unexpected size", {0, info(Kind::kEnum), 16}, true);
  c.raw("nameless enumerator", inval, "Invalid name", {0, info(Kind::kEnum, 1), 4, 0, 7}, true);
  c.raw("enumerator name outside", inval, "Invalid name_offset", {0, info(Kind::kEnum, 1), 4, 4096, 7}, true);
  c.record("enum with a bad name", inval, "Invalid name", [](Builder& b) { b.add_enum("a b", 4, {}); });
  c.raw("enum64 of 3 bytes", inval, "Unexpected size", {0, info(Kind::kEnum64), 3}, true);
}

void add_reference_cases(Cases& c) {
  const Errno inval = Errno::kInval;
  c.raw("named pointer", inval, "Invalid name", {0, info(Kind::kPtr), 1}, true);
  c.raw("pointer with elements", inval, "vlen != 0", {0, info(Kind::kPtr, 1), 1});
  c.raw("pointer with flag", inval, "Invalid btf_info kind_flag", {0, info(Kind::kPtr, 0, true), 1});
  c.raw("pointer to nowhere", inval, "Invalid type_id", {0, info(Kind::kPtr), 99});
  c.raw("pointer to a huge id", inval, "Invalid type_id", {0, info(Kind::kPtr), 0x100000});
  c.raw("nameless typedef", inval, "Invalid name", {0, info(Kind::kTypedef), 1});
  c.record("typedef named by a number", inval, "Invalid name", [](Builder& b) { b.add_typedef("1x", 1); });
  c.raw("named const", inval, "Invalid name", {0, info(Kind::kConst), 1}, true);
  c.raw("nameless type tag", inval, "Invalid name", {0, info(Kind::kTypeTag), 1});
  c.raw("nameless forward", inval, "Invalid name", {0, info(Kind::kFwd), 0});
  c.raw("forward with a type", inval, "type != 0", {0, info(Kind::kFwd), 1}, true);
  c.record("const to a variable", inval, "Invalid type_id",
           [](Builder& b) { b.add_ref(Kind::kConst, b.add_var("v", 1, Linkage::kStatic)); });
  c.record("pointer to a variable", inval, "Invalid type_id",
           [](Builder& b) { b.add_ptr(b.add_var("v", 1, Linkage::kStatic)); });
  c.record("extern function", inval, "Invalid func linkage",
           [](Builder& b) { b.add_func("f", b.add_proto(0, {}), Linkage::kExtern); });
  c.record("nameless function", inval, "Invalid name",
           [](Builder& b) { b.add_func("", b.add_proto(0, {}), Linkage::kStatic); });
  c.record("function without prototype", inval, "Invalid type_id",
           [](Builder& b) { b.add_func("f", 1, Linkage::kStatic); });
  c.record("function with nameless parameter", inval, "Invalid arg#1",
           [](Builder& b) { b.add_func("f", b.add_proto(0, {{"", 1}}), Linkage::kStatic); });
  c.record("variable of void", inval, "Invalid type_id", [](Builder& b) { b.add_var("v", 0, Linkage::kStatic); });
  c.record("variable of a forward", inval, "Invalid type_id",
           [](Builder& b) { b.add_var("v", b.add_fwd("f"), Linkage::kStatic); });
  c.record("nameless variable", inval, "Invalid name", [](Builder& b) { b.add_var("", 1, Linkage::kStatic); });
  c.record("extern variable", inval, "Linkage not supported", [](Builder& b) { b.add_var("v", 1, Linkage::kExtern); });
  c.record("tag on an int", inval, "Invalid type_id", [](Builder& b) { b.add_decl_tag("t", 1); });
  c.record("tag on member 2 of 2", inval, "Invalid component_idx", [](Builder& b) { b.add_decl_tag("t", 3, 2); });
  c.record("tag on component -2", inval, "Invalid component_idx", [](Builder& b) { b.add_decl_tag("t", 3, -2); });
  c.record("nameless tag", inval, "Invalid value", [](Builder& b) { b.add_decl_tag("", 3); });
  c.record("tag on component of a typedef", inval, "Invalid component_idx",
           [](Builder& b) { b.add_decl_tag("t", b.add_typedef("td", 3), 0); });
  c.record("tag on argument 1 of 1", inval, "Invalid component_idx", [](Builder& b) {
    b.add_decl_tag("t", b.add_func("f", b.add_proto(0, {{"x", 1}}), Linkage::kStatic), 1);
  });
}

void add_aggregate_cases(Cases& c) {
  const Errno inval = Errno::kInval;
  c.raw("named array", inval, "Invalid name", {0, info(Kind::kArray), 0, 1, 1, 2}, true);
  c.raw("array with size", inval, "size != 0", {0, info(Kind::kArray), 4, 1, 1, 2});
  c.raw("array of void", inval, "Invalid elem", {0, info(Kind::kArray), 0, 0, 1, 2});
  c.raw("array with void index", inval, "Invalid index", {0, info(Kind::kArray), 0, 1, 0, 2});
  c.raw("array indexed by a struct", inval, "Invalid index", {0, info(Kind::kArray), 0, 1, 3, 2});
  c.raw("array of nowhere", inval, "Invalid elem", {0, info(Kind::kArray), 0, 99, 1, 2});
  c.raw("array too large", inval, "Array size overflows U32_MAX", {0, info(Kind::kArray), 0, 2, 1, 0x20000000});
  c.record("array of 31-bit ints", inval, "Invalid array of int",
           [](Builder& b) { b.add_array(b.add_int("i31", 4, 0, 31), 1, 2); });
  c.record("array of forwards", inval, "Invalid elem", [](Builder& b) { b.add_array(b.add_fwd("f"), 1, 2); });
  c.record("member beyond the struct", inval, "Member bits_offset exceeds its struct size",
           [](Builder& b) { b.add_struct("x", 4, {{"a", 1, 64}}); });
  c.record("member larger than the struct", inval, "Member exceeds struct_size",
           [](Builder& b) { b.add_struct("x", 4, {{"a", 2, 0}}); });
  c.record("members out of order", inval, "Invalid member bits_offset",
           [](Builder& b) { b.add_struct("x", 8, {{"a", 1, 32}, {"b", 1, 0}}); });
  c.record("union member not at 0", inval, "Invalid member bits_offset", [](Builder& b) {
    const Builder::NewMember m[] = {{"a", 1, 32}};
    b.add_struct("x", 8, m, Kind::kUnion);
  });
  c.record("member of void", inval, "Invalid type_id", [](Builder& b) { b.add_struct("x", 8, {{"a", 0, 0}}); });
  c.record("member of nowhere", inval, "Invalid member", [](Builder& b) { b.add_struct("x", 8, {{"a", 99, 0}}); });
  c.record("member with a bad name", inval, "Invalid name", [](Builder& b) { b.add_struct("x", 8, {{"a-b", 1, 0}}); });
  c.record("struct with a bad name", inval, "Invalid name", [](Builder& b) { b.add_struct("x y", 8, {{"a", 1, 0}}); });
  c.record("struct member not byte aligned", inval, "Member is not byte aligned",
           [](Builder& b) { b.add_struct("x", 16, {{"a", 3, 4}}); });
  c.record("pointer member not byte aligned", inval, "Member is not byte aligned",
           [](Builder& b) { b.add_struct("x", 16, {{"a", b.add_ptr(1), 4}}); });
  c.record("bitfield wider than its int", inval, "Invalid member bitfield_size",
           [](Builder& b) { b.add_struct("x", 8, {{"a", 1, 0, 33}}); });
  c.record("bitfield of a struct", inval, "Invalid member bitfield_size",
           [](Builder& b) { b.add_struct("x", 8, {{"a", 3, 0, 8}}); });
  c.record("bitfield of an odd int", inval, "Invalid member base type",
           [](Builder& b) { b.add_struct("x", 8, {{"a", b.add_int("i31", 4, 0, 31), 0, 8}}); });
  c.record("plain member at a bit, beside bitfields", inval, "Invalid member offset",
           [](Builder& b) { b.add_struct("x", 8, {{"a", 1, 0, 3}, {"b", 1, 3}}); });
  c.record("float member not aligned", inval, "Member is not properly aligned",
           [](Builder& b) { b.add_struct("x", 16, {{"a", b.add_float("double", 8), 32}}); });
  c.record("prototype as member", inval, "Invalid member",
           [](Builder& b) { b.add_struct("x", 8, {{"a", b.add_proto(0, {}), 0}}); });
  c.record("forward as member", inval, "Invalid member",
           [](Builder& b) { b.add_struct("x", 8, {{"a", b.add_fwd("f"), 0}}); });
  c.record("named prototype", inval, "Invalid name", [](Builder& b) {
    const std::uint32_t words[] = {b.string("p"), info(Kind::kFuncProto), 0};
    b.add_raw(words);
  });
  c.record("argument of void before the last", inval, "Invalid arg#1",
           [](Builder& b) { b.add_proto(0, {{"", 0}, {"x", 1}}); });
  c.record("named varargs", inval, "Invalid arg#1", [](Builder& b) { b.add_proto(0, {{"x", 0}}); });
  c.record("argument of nowhere", inval, "Invalid arg#1", [](Builder& b) { b.add_proto(0, {{"x", 99}}); });
  c.record("return of nowhere", inval, "Invalid return type", [](Builder& b) { b.add_proto(99, {}); });
  c.record("argument with a bad name", inval, "Invalid arg#1", [](Builder& b) { b.add_proto(0, {{"1x", 1}}); });
}

void add_section_cases(Cases& c) {
  const Errno inval = Errno::kInval;
  const auto section = [&](const char* what, const char* words, const char* name, std::uint32_t bytes, SecVar v) {
    c.record(what, inval, words, [&](Builder& b) {
      if (v.var == 4) b.add_var("v", 1, Linkage::kStatic);
      b.add_datasec(name, bytes, std::span(&v, 1));
    });
  };
  section("section of size 0", "size == 0", ".data", 0, {4, 0, 4});
  section("nameless section", "Invalid name", "", 4, {4, 0, 4});
  section("section offset beyond", "Invalid offset", ".data", 4, {4, 4, 4});
  section("variable of size 0", "Invalid size", ".data", 4, {4, 0, 0});
  section("variable larger than the section", "Invalid size", ".data", 4, {4, 0, 8});
  section("variable sticks out", "Invalid offset+size", ".data", 8, {4, 6, 4});
  section("variable smaller than its type", "Invalid size", ".data", 8, {4, 0, 3});
  section("a struct in a section", "Not a VAR kind member", ".data", 8, {3, 0, 8});
  section("variable of no id", "Invalid type_id", ".data", 8, {0, 0, 8});
  c.record("overlapping variables", inval, "Invalid offset", [](Builder& b) {
    const TypeId v = b.add_var("v", 1, Linkage::kStatic), w = b.add_var("w", 1, Linkage::kStatic);
    const SecVar vars[] = {{v, 0, 4}, {w, 2, 4}};
    b.add_datasec(".data", 8, vars);
  });
}

// n pointers, each to the next id, the last to the u32.
void add_chain(Builder& b, std::uint32_t n) {
  for (std::uint32_t i = 1; i < n; ++i) b.add_ptr(b.next_id() + 1);
  b.add_ptr(1);
}

void add_graph_cases(Cases& c) {
  c.record("C-31 chain of 33", Errno::kTooBig, "Exceeded max resolving depth", [](Builder& b) { add_chain(b, 33); });
  c.record("struct in itself", Errno::kExist, "Loop detected",
           [](Builder& b) { b.add_struct("x", 8, {{"a", b.next_id(), 0}}); });
  c.record("structs in each other", Errno::kExist, "Loop detected", [](Builder& b) {
    b.add_struct("x", 8, {{"a", b.next_id() + 1, 0}});
    b.add_struct("y", 8, {{"a", b.next_id() - 1, 0}});
  });
  c.record("array of itself", Errno::kExist, "Loop detected", [](Builder& b) { b.add_array(b.next_id(), 1, 2); });
  c.record("pointer to itself", Errno::kExist, "Loop detected", [](Builder& b) { b.add_ptr(b.next_id()); });
  c.record("typedef of a pointer to itself", Errno::kExist, "Loop detected", [](Builder& b) {
    b.add_ptr(b.next_id() + 1);
    b.add_typedef("t", b.next_id() - 1);
  });
  c.record("C-31 modifier of itself", Errno::kExist, "Loop detected",
           [](Builder& b) { b.add_ref(Kind::kConst, b.next_id()); });
  c.record("C-05 const before type tag", Errno::kInval, "Type tags don't precede modifiers",
           [](Builder& b) { b.add_ref(Kind::kConst, b.add_type_tag("t", 3)); });
  c.record("typedef before type tag", Errno::kInval, "Type tags don't precede modifiers",
           [](Builder& b) { b.add_typedef("td", b.add_type_tag("t", 3)); });
}

}  // namespace

std::vector<BrokenBlob> broken_blobs() {
  Cases c;
  add_header_cases(c);
  add_scalar_cases(c);
  add_reference_cases(c);
  add_aggregate_cases(c);
  add_section_cases(c);
  add_graph_cases(c);
  return c.out;
}

std::vector<std::vector<std::byte>> valid_blobs() {
  std::vector<std::vector<std::byte>> out;
  Builder b;
  const TypeId u32 = b.add_int("u32", 4), i8 = b.add_int("char", 1, 1), u64 = b.add_int("u64", 8);
  const TypeId list = b.next_id() + 1;
  const TypeId next = b.add_ptr(list);
  b.add_struct("list", 24, {{"next", next, 0}, {"x", u32, 64}, {"y", i8, 96}, {"z", u64, 128}});
  const TypeId bits = b.add_struct("bits", 8, {{"a", u32, 0, 3}, {"b", u32, 3, 29}, {"c", i8, 32, 0}});
  const Builder::NewMember un[] = {{"a", u32, 0}, {"b", bits, 0}};
  const TypeId un_id = b.add_struct("un", 8, un, Kind::kUnion);
  const Builder::NewEnumerator values[] = {{"A", -1}, {"B", 7}};
  const TypeId en = b.add_enum("e", 4, values, true);
  b.add_enum("e64", 8, values);
  const TypeId arr = b.add_array(b.add_ref(Kind::kConst, un_id), u32, 3);
  const TypeId td = b.add_typedef("td", arr);
  const TypeId tag = b.add_type_tag("user", b.add_ref(Kind::kVolatile, td));
  const TypeId tp = b.add_ptr(tag);
  const TypeId proto = b.add_proto(en, {{"p", tp}, {"q", u64}, {"", kVoid}});
  const TypeId fn = b.add_func("f", proto, Linkage::kGlobal);
  b.add_decl_tag("arg", fn, 1);
  const TypeId var = b.add_var("v", list, Linkage::kGlobal), var2 = b.add_var("w", u32, Linkage::kStatic);
  const SecVar vars[] = {{var, 0, 24}, {var2, 32, 4}};
  b.add_datasec(".data", 64, vars);
  b.add_float("double", 8);
  b.add_fwd("opaque", true);
  out.push_back(b.finish());
  return out;
}

}  // namespace ring3::btf
