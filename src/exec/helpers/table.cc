#include <array>

#include "base/check.h"
#include "exec/helper_table.h"
#include "exec/helpers/rows.h"

namespace ring3::exec {
namespace {

using Table = std::array<const rewrite::HelperCall*, uapi::__BPF_FUNC_MAX_ID>;

Table join() {
  Table table{};
  for (const HelperRows rows : {map_helpers(), callback_helpers(), clock_helpers(), cpu_helpers(), task_helpers(),
                                print_helpers(), text_helpers(), probe_helpers(), trace_helpers(), packet_helpers(), frame_helpers(), redirect_helpers(), network_helpers(), vlan_helpers(),
                                lock_helpers(), ringbuf_helpers(), storage_helpers(), event_helpers(),
                                object_helpers(), deferred_helpers(), dynptr_helpers(), seq_helpers(),
                                show_helpers(), stack_helpers(), syscall_helpers()})
    for (const rewrite::HelperCall& row : rows) {
      RING3_CHECK(row.id < table.size() && table[row.id] == nullptr, "a helper has one row");
      table[row.id] = &row;
    }
  return table;
}

}  // namespace

const rewrite::HelperCall* find_helper(std::uint32_t id) noexcept {
  static const Table table = join();
  if (id < table.size()) return table[id];
  for (const HelperRows rows : {packet_load_helpers(), xdp_redirect_helpers(), weak_helpers(), tail_call_helpers(), packet_event_helpers()})
    for (const rewrite::HelperCall& row : rows)
      if (row.id == id) return &row;
  return nullptr;
}

const rewrite::HelperCall* find_helper_of_machine_clock(std::uint32_t id) noexcept {
  for (const rewrite::HelperCall& row : machine_clock_helpers())
    if (row.id == id) return &row;
  return find_helper(id);
}

}  // namespace ring3::exec
