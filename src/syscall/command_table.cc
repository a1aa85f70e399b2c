// The rows. Sources: bpf(2), include/uapi of Linux 6.12 (numbers and last fields are ABI facts),
// behaviour.md 0.1.
#include "syscall/command_table.h"

#include <array>

#include "syscall/handlers.h"

namespace ring3::syscall {
namespace {

using uapi::bpf_attr;

#define RING3_FIELD(name) \
  AttrField { offsetof(bpf_attr, name), sizeof(bpf_attr::name) }
#define RING3_SUBFIELD(part, name) \
  AttrField { offsetof(bpf_attr, part.name), sizeof(bpf_attr::part.name) }

constexpr std::array kNextIdOut = {RING3_FIELD(next_id)};
constexpr std::array kBatchOut = {RING3_SUBFIELD(batch, count)};
constexpr std::array kInfoOut = {RING3_SUBFIELD(info, info_len)};
constexpr std::array kBtfLoadOut = {RING3_FIELD(btf_log_true_size)};
constexpr std::array kProgLoadOut = {RING3_FIELD(log_true_size), RING3_FIELD(func_info_rec_size), RING3_FIELD(line_info_rec_size),
                                     RING3_FIELD(core_relo_rec_size)};
constexpr std::array kTestRunOut = {RING3_SUBFIELD(test, retval), RING3_SUBFIELD(test, data_size_out),
                                    RING3_SUBFIELD(test, duration), RING3_SUBFIELD(test, ctx_size_out)};
constexpr std::array kQueryOut = {RING3_SUBFIELD(query, attach_flags), RING3_SUBFIELD(query, count),
                                  RING3_SUBFIELD(query, revision)};
constexpr std::span<const AttrField> kNoOut;

constexpr Command full(int number, std::string_view name, std::string_view member, AttrField last, Right right,
                       Handler handler, std::span<const AttrField> outputs = kNoOut, std::string_view note = "") {
  return Command{number, name, member, last, right, Support::kFull, handler, Errno{}, note, outputs};
}
constexpr Command partial(int number, std::string_view name, std::string_view member, AttrField last, Right right,
                          Handler handler, std::string_view note, std::span<const AttrField> outputs = kNoOut) {
  return Command{number, name, member, last, right, Support::kPartial, handler, Errno{}, note, outputs,
                 right == Right::kBpf};
}
constexpr Right kAnyone = Right::kNone;
constexpr Right kAdmin = Right::kSysAdmin;
constexpr std::string_view kHooks = "ordered hooks (tcx, netkit) and trees of hooks (cgroup) where the host offers them";

// clang-format off
constexpr std::array kCommands = {
  Command{ 0, "MAP_CREATE",           "map",    RING3_FIELD(excl_prog_hash_size),    Right::kBpf, Support::kFull, map_create,
           Errno{}, "", kNoOut, true},
  full   ( 1, "MAP_LOOKUP_ELEM",      "elem",   RING3_FIELD(flags),                  kAnyone, map_lookup_elem),
  full   ( 2, "MAP_UPDATE_ELEM",      "elem",   RING3_FIELD(flags),                  kAnyone, map_update_elem),
  full   ( 3, "MAP_DELETE_ELEM",      "elem",   RING3_FIELD(key),                    kAnyone, map_delete_elem),
  full   ( 4, "MAP_GET_NEXT_KEY",     "elem",   RING3_FIELD(next_key),               kAnyone, map_get_next_key),
  partial( 5, "PROG_LOAD",            "prog",   RING3_FIELD(keyring_id),             Right::kBpf, prog_load,
           "programs bound to devices and tracing of programs are refused", kProgLoadOut),
  full   ( 6, "OBJ_PIN",              "obj",    RING3_FIELD(path_fd),                kAnyone, obj_pin),
  full   ( 7, "OBJ_GET",              "obj",    RING3_FIELD(path_fd),                kAnyone, obj_get),
  partial( 8, "PROG_ATTACH",          "attach", RING3_FIELD(expected_revision),      kAnyone, prog_attach, kHooks),
  partial( 9, "PROG_DETACH",          "attach", RING3_FIELD(expected_revision),      kAnyone, prog_detach, kHooks),
  full   (10, "PROG_TEST_RUN",        "test",   RING3_SUBFIELD(test, batch_size),    kAnyone, prog_test_run, kTestRunOut),
  full   (11, "PROG_GET_NEXT_ID",     "id",     RING3_FIELD(next_id),                kAdmin,  prog_get_next_id, kNextIdOut),
  full   (12, "MAP_GET_NEXT_ID",      "id",     RING3_FIELD(next_id),                kAdmin,  map_get_next_id, kNextIdOut),
  full   (13, "PROG_GET_FD_BY_ID",    "id",     RING3_FIELD(prog_id),                kAdmin,  prog_get_fd_by_id),
  full   (14, "MAP_GET_FD_BY_ID",     "id",     RING3_FIELD(open_flags),             kAdmin,  map_get_fd_by_id),
  full   (15, "OBJ_GET_INFO_BY_FD",   "info",   RING3_SUBFIELD(info, info),          kAnyone, obj_get_info_by_fd, kInfoOut),
  partial(16, "PROG_QUERY",           "query",  RING3_SUBFIELD(query, revision),     kAnyone, prog_query, kHooks, kQueryOut),
  partial(17, "RAW_TRACEPOINT_OPEN",  "raw_tracepoint", RING3_SUBFIELD(raw_tracepoint, cookie), kAnyone,
           raw_tracepoint_open, "functions of programs; no tracepoint has a name here: ENOENT"),
  Command{18, "BTF_LOAD",             "btf",    RING3_FIELD(btf_token_fd),           Right::kBpf, Support::kFull, btf_load,
          Errno{}, "", kBtfLoadOut, true},
  full   (19, "BTF_GET_FD_BY_ID",     "id",     RING3_FIELD(btf_id),                 kAdmin,  btf_get_fd_by_id),
  Command{20, "TASK_FD_QUERY",        "task_fd_query", RING3_SUBFIELD(task_fd_query, probe_addr), kAdmin, Support::kPartial,
           task_fd_query, Errno{}, "no descriptor of a process leads to a tracepoint of the host's: ENOTSUPP", kNoOut},
  full   (21, "MAP_LOOKUP_AND_DELETE_ELEM", "elem", RING3_FIELD(flags),              kAnyone, map_lookup_and_delete_elem),
  partial(22, "MAP_FREEZE",           "elem",   RING3_FIELD(map_fd),                 kAnyone, map_freeze,
           "writable mappings are looked for where the host may look: its own user's processes"),
  full   (23, "BTF_GET_NEXT_ID",      "id",     RING3_FIELD(next_id),                kAdmin,  btf_get_next_id, kNextIdOut),
  full   (24, "MAP_LOOKUP_BATCH",     "batch",  RING3_SUBFIELD(batch, flags),        kAnyone, map_lookup_batch, kBatchOut),
  full   (25, "MAP_LOOKUP_AND_DELETE_BATCH", "batch", RING3_SUBFIELD(batch, flags),  kAnyone,
           map_lookup_and_delete_batch, kBatchOut),
  full   (26, "MAP_UPDATE_BATCH",     "batch",  RING3_SUBFIELD(batch, flags),        kAnyone, map_update_batch, kBatchOut),
  full   (27, "MAP_DELETE_BATCH",     "batch",  RING3_SUBFIELD(batch, flags),        kAnyone, map_delete_batch, kBatchOut),
  partial(28, "LINK_CREATE",          "link_create", RING3_SUBFIELD(link_create, uprobe_multi.pid), kAnyone,
           link_create, "struct_ops maps, iterators, functions of programs, and hooks (ordered, of frames, trees) where the host offers them"),
  full   (29, "LINK_UPDATE",          "link_update", RING3_SUBFIELD(link_update, old_prog_fd), kAnyone, link_update),
  full   (30, "LINK_GET_FD_BY_ID",    "id",     RING3_FIELD(link_id),                kAdmin,  link_get_fd_by_id),
  full   (31, "LINK_GET_NEXT_ID",     "id",     RING3_FIELD(next_id),                kAdmin,  link_get_next_id, kNextIdOut),
  full   (32, "ENABLE_STATS",         "enable_stats", RING3_SUBFIELD(enable_stats, type), kAdmin, enable_stats),
  full   (33, "ITER_CREATE",          "iter_create", RING3_SUBFIELD(iter_create, flags), kAnyone, iter_create),
  full   (34, "LINK_DETACH",          "link_detach", RING3_SUBFIELD(link_detach, link_fd), kAnyone, link_detach),
  full   (35, "PROG_BIND_MAP",        "prog_bind_map", RING3_SUBFIELD(prog_bind_map, flags), kAnyone, prog_bind_map),
  full   (36, "TOKEN_CREATE",         "token_create", RING3_SUBFIELD(token_create, bpffs_fd), kAnyone, token_create),
};
// clang-format on

constexpr bool in_order() {
  for (std::size_t i = 0; i < kCommands.size(); ++i)
    if (kCommands[i].number != static_cast<int>(i)) return false;
  return kCommands.size() == uapi::__MAX_BPF_CMD;
}
static_assert(in_order(), "one row per command, in order of number");

constexpr std::array kNewer = {NewerCommand{37, "PROG_STREAM_READ_BY_FD"}, NewerCommand{38, "PROG_ASSOC_STRUCT_OPS"}};
static_assert(kNewer.front().number == uapi::__MAX_BPF_CMD, "they follow those of 6.12");

}  // namespace

std::span<const NewerCommand> newer_commands() { return kNewer; }
std::span<const Command> commands() { return kCommands; }

const Command* find_command(int number) {
  if (number < 0 || static_cast<std::size_t>(number) >= kCommands.size()) return nullptr;
  return &kCommands[static_cast<std::size_t>(number)];
}

}  // namespace ring3::syscall
