// Types and values as text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/text_sink.h"
#include "btf/btf.h"

namespace ring3::btf {

/// A type as C writes it where a declaration's name is left out: "struct foo *", "const char[16]",
/// "int (*)(struct a *, u32)". Nameless structs print as "struct (anon)". Tags are left out.
std::string type_name(const Btf& btf, TypeId id);
/// The same around a name: "struct foo *next", "int (*cb)(u32)".
std::string declaration(const Btf& btf, TypeId id, std::string_view name);
/// A FUNC: "int admit(struct item *item, __u32 bytes)".
std::string function_text(const Btf& btf, TypeId func);

enum class ValueStyle : std::uint8_t {
  kBpffs,  ///< {1,-2,[0,0],{7|[1,2]},RED}: compact, nameless, zeros shown; as a pinned map reads
  kNamed,  ///< {.a = 1,.b = {.c = RED}}: the same with member names
  kJson,   ///< {"a":1,"b":[0,0],"c":"RED"}: as bpftool -j prints
};

/// What a pointer at byte `off` of a value prints as, instead of its number.
struct PointerText {
  std::uint32_t off;
  std::string text;
};

/// Prints a value of type `id` (a struct, data section, or anything with a size). bytes may be shorter than the type:
/// what is missing reads as zero. Special fields of map values are printed as they stand: lookups give
/// zeros for them. pointers: those that somebody knows more about.
void print_value(const Btf& btf, TypeId id, std::span<const std::byte> bytes, ValueStyle style, TextSink& out,
                 std::span<const PointerText> pointers = {});

/// How show_value() writes: the flags of bpf_snprintf_btf().
struct ShowStyle {
  bool compact = false;       // no lines
  bool nameless = false;      // no member names, no casts
  bool raw_pointers = false;  // as they are; otherwise hidden behind pointer_key
  bool zeros = false;         // what is zero too
  std::uint64_t pointer_key = 0;
};
/// The form of bpf_snprintf_btf(): "(struct item){.id = (__u32)7,}". bytes as in print_value().
void show_value(const Btf& btf, TypeId id, std::span<const std::byte> bytes, const ShowStyle& style, TextSink& out);

}  // namespace ring3::btf
