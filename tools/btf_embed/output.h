// The files ring3-btf-embed reads and writes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "btf/btf.h"
#include "declarations.h"

namespace ring3::btf_embed {

/// A C file that includes the header and the ABI's records, and mentions every type and function once, so
/// that the compiler describes all of them.
std::string uses_source(const std::string& header_path, const Declarations& decls);

/// A C++ file that defines `extern const ring3::BtfBlob NAME_btf` and asserts that the host's compiler lays
/// the header's structs out as the BTF says.
std::string embed_source(const std::string& name, const std::string& header_path, const btf::Btf& whole,
                         const Declarations& decls);

/// The declaration of NAME_btf.
std::string embed_header(const std::string& name);

/// Bytes of section `.BTF` of an object file; empty and a message on stderr when there is none.
std::vector<std::byte> read_btf_section(const std::string& object_path);

/// Writes only if the content differs, so that builds do not redo what did not change.
bool write_if_changed(const std::string& path, std::span<const std::byte> content);
bool write_if_changed(const std::string& path, const std::string& content);

}  // namespace ring3::btf_embed
