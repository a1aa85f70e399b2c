// Both directions are rules: some maps take only their own helpers, some helpers only their own maps.
#include "verifier/call/map_rules.h"

#include <algorithm>

#include "uapi/bpf.h"
#include "verifier/call/call.h"

namespace ring3::verifier {
namespace {

using namespace uapi;

struct MapRow {
  std::uint32_t type;
  std::initializer_list<std::uint32_t> helpers;  // the only ones it takes
};
const MapRow kMapRows[] = {
    {BPF_MAP_TYPE_PROG_ARRAY, {BPF_FUNC_tail_call}},
    {BPF_MAP_TYPE_RINGBUF,
     {BPF_FUNC_ringbuf_output, BPF_FUNC_ringbuf_reserve, BPF_FUNC_ringbuf_query, BPF_FUNC_ringbuf_reserve_dynptr,
      BPF_FUNC_ringbuf_submit_dynptr, BPF_FUNC_ringbuf_discard_dynptr}},
    {BPF_MAP_TYPE_USER_RINGBUF, {BPF_FUNC_user_ringbuf_drain}},
    {BPF_MAP_TYPE_PERF_EVENT_ARRAY,
     {BPF_FUNC_perf_event_read, BPF_FUNC_perf_event_output, BPF_FUNC_perf_event_read_value, BPF_FUNC_skb_output,
      BPF_FUNC_xdp_output}},
    {BPF_MAP_TYPE_STACK_TRACE, {BPF_FUNC_get_stackid}},
    {BPF_MAP_TYPE_ARRAY_OF_MAPS, {BPF_FUNC_map_lookup_elem}},
    {BPF_MAP_TYPE_HASH_OF_MAPS, {BPF_FUNC_map_lookup_elem}},
    {BPF_MAP_TYPE_QUEUE, {BPF_FUNC_map_peek_elem, BPF_FUNC_map_pop_elem, BPF_FUNC_map_push_elem}},
    {BPF_MAP_TYPE_STACK, {BPF_FUNC_map_peek_elem, BPF_FUNC_map_pop_elem, BPF_FUNC_map_push_elem}},
    {BPF_MAP_TYPE_BLOOM_FILTER, {BPF_FUNC_map_peek_elem, BPF_FUNC_map_push_elem}},
    {BPF_MAP_TYPE_DEVMAP, {BPF_FUNC_redirect_map, BPF_FUNC_map_lookup_elem}},
    {BPF_MAP_TYPE_CPUMAP, {BPF_FUNC_redirect_map}},
    {BPF_MAP_TYPE_XSKMAP, {BPF_FUNC_redirect_map, BPF_FUNC_map_lookup_elem}},
    {BPF_MAP_TYPE_STRUCT_OPS, {}},
};

struct HelperRow {
  std::uint32_t helper;
  std::initializer_list<std::uint32_t> types;  // the only ones it takes
};
const HelperRow kHelperRows[] = {
    {BPF_FUNC_tail_call, {BPF_MAP_TYPE_PROG_ARRAY}},
    {BPF_FUNC_ringbuf_output, {BPF_MAP_TYPE_RINGBUF}},
    {BPF_FUNC_ringbuf_reserve, {BPF_MAP_TYPE_RINGBUF}},
    {BPF_FUNC_ringbuf_query, {BPF_MAP_TYPE_RINGBUF}},
    {BPF_FUNC_perf_event_output, {BPF_MAP_TYPE_PERF_EVENT_ARRAY}},
    {BPF_FUNC_get_stackid, {BPF_MAP_TYPE_STACK_TRACE}},
    {BPF_FUNC_redirect_map, {BPF_MAP_TYPE_DEVMAP, BPF_MAP_TYPE_DEVMAP_HASH, BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_XSKMAP}},
    {BPF_FUNC_map_push_elem, {BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK, BPF_MAP_TYPE_BLOOM_FILTER}},
    {BPF_FUNC_map_pop_elem, {BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK}},
    {BPF_FUNC_map_peek_elem, {BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK, BPF_MAP_TYPE_BLOOM_FILTER}},
    {BPF_FUNC_map_lookup_percpu_elem, {BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH}},
    {BPF_FUNC_for_each_map_elem,
     {BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_HASH,
      BPF_MAP_TYPE_LRU_PERCPU_HASH}},
};

bool holds(const std::initializer_list<std::uint32_t>& list, std::uint32_t value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

Result<void> check_map_for_helper(Step& step, const model::MapFacts& map, const model::HelperProto& proto) {
  const auto refuse = [&] { return step.diag.refuse(Rule::kMapTypeForHelper, {map.type, helper_text(proto.id)}); };
  for (const MapRow& row : kMapRows)
    if (row.type == map.type && !holds(row.helpers, proto.id)) return refuse();
  for (const HelperRow& row : kHelperRows)
    if (row.helper == proto.id && !holds(row.types, map.type)) return refuse();
  return {};
}

}  // namespace ring3::verifier
