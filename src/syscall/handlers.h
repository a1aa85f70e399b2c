// The commands, one file per family. A handler gets a copy of the attribute whose tail has been checked;
// it returns the command's result and stores outputs into the copy (command_table.h).
#pragma once

#include "attach/run_config.h"
#include "ring3/result.h"
#include "syscall/call.h"
#include "uapi/bpf.h"

namespace ring3::syscall {

// token_commands.cc
Result<long> token_create(Call& call, uapi::bpf_attr& attr);

// map_commands.cc
Result<long> map_create(Call& call, uapi::bpf_attr& attr);
Result<long> map_freeze(Call& call, uapi::bpf_attr& attr);

// element_commands.cc
Result<long> map_lookup_elem(Call& call, uapi::bpf_attr& attr);
Result<long> map_update_elem(Call& call, uapi::bpf_attr& attr);
Result<long> map_delete_elem(Call& call, uapi::bpf_attr& attr);
Result<long> map_get_next_key(Call& call, uapi::bpf_attr& attr);
Result<long> map_lookup_and_delete_elem(Call& call, uapi::bpf_attr& attr);

// batch_commands.cc
Result<long> map_lookup_batch(Call& call, uapi::bpf_attr& attr);
Result<long> map_lookup_and_delete_batch(Call& call, uapi::bpf_attr& attr);
Result<long> map_update_batch(Call& call, uapi::bpf_attr& attr);
Result<long> map_delete_batch(Call& call, uapi::bpf_attr& attr);

// prog_commands.cc
Result<long> prog_load(Call& call, uapi::bpf_attr& attr);
Result<long> prog_bind_map(Call& call, uapi::bpf_attr& attr);
Result<long> prog_test_run(Call& call, uapi::bpf_attr& attr);

// btf_commands.cc
Result<long> btf_load(Call& call, uapi::bpf_attr& attr);

// info_commands.cc
Result<long> obj_get_info_by_fd(Call& call, uapi::bpf_attr& attr);

// id_commands.cc
Result<long> map_get_next_id(Call& call, uapi::bpf_attr& attr);
Result<long> prog_get_next_id(Call& call, uapi::bpf_attr& attr);
Result<long> btf_get_next_id(Call& call, uapi::bpf_attr& attr);
Result<long> link_get_next_id(Call& call, uapi::bpf_attr& attr);
Result<long> map_get_fd_by_id(Call& call, uapi::bpf_attr& attr);
Result<long> prog_get_fd_by_id(Call& call, uapi::bpf_attr& attr);
Result<long> btf_get_fd_by_id(Call& call, uapi::bpf_attr& attr);
Result<long> link_get_fd_by_id(Call& call, uapi::bpf_attr& attr);

// pin_commands.cc
Result<long> obj_pin(Call& call, uapi::bpf_attr& attr);
Result<long> obj_get(Call& call, uapi::bpf_attr& attr);

// link_commands.cc
Result<long> link_create(Call& call, uapi::bpf_attr& attr);
Result<long> link_update(Call& call, uapi::bpf_attr& attr);
Result<long> link_detach(Call& call, uapi::bpf_attr& attr);
Result<long> iter_create(Call& call, uapi::bpf_attr& attr);
Result<long> raw_tracepoint_open(Call& call, uapi::bpf_attr& attr);
/// Attaches and makes visible: pending in a load session, at once outside of one. The descriptor.
Result<long> attach_and_give(Call& call, Ref<attach::Link> link);
/// The program can be entered. Errors: kNotSupp, explained: it was verified only.
Result<void> check_runnable(Call& call, const prog::Program& program);
/// What takes effect at once must not be something that a load session would take back. Errors, explained: kOpNotSupp it is.
Result<void> check_committed(Call& call, const Object& object);

// function_links.cc: LINK_CREATE and RAW_TRACEPOINT_OPEN of a program that is for a function of a program.
Result<long> create_function_link(Call& call, const uapi::bpf_attr& attr, Ref<prog::Program> program);
Result<long> open_function_link(Call& call, const uapi::bpf_attr& attr, Ref<prog::Program> program);

// hook_commands.cc
Result<long> prog_attach(Call& call, uapi::bpf_attr& attr);
Result<long> prog_detach(Call& call, uapi::bpf_attr& attr);
Result<long> prog_query(Call& call, uapi::bpf_attr& attr);
// tree_commands.cc: the same at a host's tree of hooks.
/// Whether such commands are the tree's: the host has one, with hooks of this attach type.
bool is_tree_type(Call& call, std::uint32_t attach_type);
Result<long> tree_attach(Call& call, uapi::bpf_attr& attr);
Result<long> tree_detach(Call& call, uapi::bpf_attr& attr);
Result<long> tree_query(Call& call, uapi::bpf_attr& attr);
Result<Ref<attach::Link>> make_tree_link(Call& call, const uapi::bpf_attr& attr);
/// The link that LINK_CREATE asks for at an ordered hook; its attach type is one.
Result<Ref<attach::Link>> make_hook_link(Call& call, const uapi::bpf_attr& attr);
/// attach::read_run_config(), refusals explained.
Result<attach::RunConfig> run_config_of(Call& call, const prog::Program& program);

// task_commands.cc
Result<long> task_fd_query(Call& call, uapi::bpf_attr& attr);

// stats_commands.cc
Result<long> enable_stats(Call& call, uapi::bpf_attr& attr);

/// Access mode asked for by BPF_F_RDONLY and BPF_F_WRONLY. Errors: kInval both.
Result<Access> access_of_flags(std::uint32_t flags);

}  // namespace ring3::syscall
