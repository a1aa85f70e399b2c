#include "prog/debug_info.h"

#include <fmt/format.h>

#include <span>

#include "base/try.h"
#include "prog/records.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

static_assert(sizeof(uapi::bpf_func_info) == kFuncInfoBytes);
static_assert(sizeof(uapi::bpf_line_info) == kLineInfoBytes);

Result<std::vector<verifier::FuncInfo>> read_funcs(const LoadRequest& request, verifier::LogSink& log) {
  std::vector<verifier::FuncInfo> funcs;
  const auto records =
      RING3_TRY(split_records<uapi::bpf_func_info>(request.func_info, request.func_info_rec_size, "func info", log));
  for (const uapi::bpf_func_info& record : records) {
    if (funcs.empty() && record.insn_off != 0) {
      log.write(fmt::format("nonzero insn_off {} for the first func info record\n", record.insn_off));
      return Errno::kInval;
    }
    if (!funcs.empty() && record.insn_off <= funcs.back().insn_idx) {
      log.write(fmt::format("same or smaller insn offset ({}) than previous func info record ({})\n", record.insn_off,
                            funcs.back().insn_idx));
      return Errno::kInval;
    }
    const btf::Type* type = request.btf->btf()->type(record.type_id);
    if (type == nullptr || type->kind != btf::Kind::kFunc) {
      log.write(fmt::format("invalid type id {} in func info\n", record.type_id));
      return Errno::kInval;
    }
    funcs.push_back({record.insn_off, record.type_id});
  }
  return funcs;
}

Result<std::vector<verifier::LineInfo>> read_lines(const LoadRequest& request, std::span<const isa::Insn> decoded,
                                                   verifier::LogSink& log) {
  std::vector<verifier::LineInfo> lines;
  const btf::Btf& btf = *request.btf->btf();
  const auto records =
      RING3_TRY(split_records<uapi::bpf_line_info>(request.line_info, request.line_info_rec_size, "line info", log));
  lines.reserve(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    const uapi::bpf_line_info& record = records[i];
    if ((i != 0 && record.insn_off <= lines.back().insn_idx) || record.insn_off >= decoded.size()) {
      log.write(fmt::format("Invalid line_info[{}].insn_off:{} (prev_offset:{} prog->len:{})\n", i, record.insn_off,
                            i != 0 ? lines.back().insn_idx : 0, decoded.size()));
      return Errno::kInval;
    }
    if (decoded[record.insn_off].op == isa::Op::kLdImm64Hi) {
      log.write(fmt::format("Invalid insn code at line_info[{}].insn_off\n", i));
      return Errno::kInval;
    }
    if (record.line_off >= btf.string_bytes() || record.file_name_off >= btf.string_bytes()) {
      log.write(fmt::format("Invalid line_info[{}].line_off or .file_name_off\n", i));
      return Errno::kInval;
    }
    lines.push_back({.insn_idx = record.insn_off,
                     .file = btf.string_at(record.file_name_off),
                     .line = btf.string_at(record.line_off),
                     .line_num = record.line_col >> 10,
                     .line_col = record.line_col & 0x3ff});
  }
  return lines;
}

}  // namespace

Result<DebugInfo> read_debug_info(const LoadRequest& request, std::span<const isa::Insn> decoded,
                                  verifier::LogSink& log) {
  DebugInfo info;
  if (!request.btf) {
    if (request.func_info.empty() && request.line_info.empty()) return info;
    log.write("func and line info need the program's BTF\n");
    return Errno::kInval;
  }
  if (request.btf->is_kernel()) {
    log.write("the host's BTF cannot be a program's own\n");
    return Errno::kAcces;
  }
  info.funcs = RING3_TRY(read_funcs(request, log));
  info.lines = RING3_TRY(read_lines(request, decoded, log));
  return info;
}

}  // namespace ring3::prog
