#include "prog/load.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "base/text_sink.h"
#include "exec/helper_table.h"
#include "maps/allocated_type.h"
#include "maps/prog_array.h"
#include "prog/check.h"
#include "prog/core_relocate.h"
#include "prog/debug_info.h"
#include "prog/resolve.h"
#include "prog/signature.h"
#include "prog/target.h"
#include "rewrite/rewrite.h"
#include "rewrite/shown.h"
#include "isa/decode.h"
#include "uapi/bpf.h"

namespace ring3::prog {
namespace {

/// What is known before the instructions are looked at.
struct Admitted {
  sign::Sha256 digest;
  BoundArray bound;
  Provenance provenance;
};

/// Maps are bound, the signature is checked over them, and the host says whether the program may go on.
Result<Admitted> admit(const LoadRequest& request, DescriptorSource& descriptors, ProgramHost& host, verifier::LogSink& log) {
  Admitted a{.digest = RING3_TRY(program_digest(request.insns)), .bound = {}, .provenance = request.provenance};
  a.bound = RING3_TRY(bind_fd_array(request, a.digest, descriptors, log));
  if (request.signature) {
    Result<Provenance> signer = check_signature(request, a.bound, host.keyrings(), log);
    if (!signer.ok()) {
      (void)host.admit({request, a.digest, a.provenance, signer.error()});
      return signer.error();
    }
    a.provenance = std::move(signer).value();
  }
  if (const Result<void> allowed = host.admit({request, a.digest, a.provenance}); !allowed.ok()) {
    log.write("the host loads signed programs only\n");
    return allowed.error();
  }
  return a;
}

/// Everything the steps before verification find out.
struct Prepared {
  std::vector<isa::Insn> insns;
  DebugInfo debug;
  ResolvedProgram resolved;
  LoadTarget target;
  std::shared_ptr<const model::Facts> facts;
};

bool ends_well(const isa::RawInsn& last) {
  constexpr std::uint8_t kExit = 0x95, kJa = 0x05, kLongJa = 0x06;
  return last.code == kExit || last.code == kJa || last.code == kLongJa;
}

Result<Prepared> prepare(const LoadRequest& request, Admitted& admitted, DescriptorSource& descriptors, ProgramHost& host,
                         verifier::LogSink& log) {
  Prepared p;
  isa::FieldError error;
  Result<std::vector<isa::Insn>> decoded = isa::decode(request.insns, &error);
  if (!decoded.ok()) {
    // Linux looks at a program's end before it looks at its instructions.
    if (!request.insns.empty() && !ends_well(request.insns.back())) log.write("last insn is not an exit or jmp\n");
    else log.write(error.message + "\n");
    return decoded.error();
  }
  p.insns = std::move(decoded).value();
  p.facts = host.facts();
  p.debug = RING3_TRY(read_debug_info(request, p.insns, log));
  p.resolved = RING3_TRY(resolve(request, admitted.digest, std::move(admitted.bound), p.insns, descriptors, log));
  p.target = RING3_TRY(find_target(request, *p.facts, host, log));
  return p;
}

verifier::ProgramInput verifier_input(const LoadRequest& request, const Prepared& p) {
  verifier::ProgramInput in;
  in.name = request.name;
  in.prog_type = request.prog_type;
  in.attach_type = request.attach_type;
  in.flags = request.flags;
  in.gpl_compatible = is_gpl_compatible(request.license);
  in.insns = p.insns;
  in.raw = request.insns;
  in.wide = p.resolved.wide;
  in.maps = p.resolved.facts;
  if (request.btf) in.btf = request.btf->btf();
  in.func_info = p.debug.funcs;
  in.line_info = p.debug.lines;
  in.target = p.target.facts;
  in.rights = request.rights;
  return in;
}

/// The program as clients see it: maps named by id instead of by the loader's descriptors.
std::vector<isa::RawInsn> shown_insns(const LoadRequest& request, const Prepared& p) {
  std::vector<isa::RawInsn> shown = request.insns;
  for (const verifier::WideImmediate& wide : p.resolved.wide) {
    if (wide.pseudo != isa::Pseudo::kMapFd && wide.pseudo != isa::Pseudo::kMapValue) continue;
    shown[wide.idx].src = static_cast<std::uint8_t>(wide.pseudo) & 0xf;
    shown[wide.idx].imm = static_cast<std::int32_t>(p.resolved.maps[wide.map]->id());
  }
  return shown;
}

ProgramAbout describe(const LoadRequest& request, const Prepared& p, const verifier::ProgramInput& in,
                      const verifier::VerifiedProgram& verified) {
  ProgramAbout about;
  about.type = request.prog_type;
  about.attach_type = request.attach_type;
  about.flags = request.flags;
  about.name = request.name;
  about.tag = program_tag(request.insns, p.insns);
  about.gpl_compatible = is_gpl_compatible(request.license);
  about.sleepable = (request.flags & uapi::BPF_F_SLEEPABLE) != 0;
  about.verified_insns = verified.stats.insns_processed;
  about.verify_time_ns = verified.stats.time_ns;
  about.attach_btf_id = request.attach_btf_id;
  about.attach_btf_object_id = p.target.btf_object_id;
  rewrite::ShownProgram shown = rewrite::show(shown_insns(request, p), in, verified, *p.facts);
  about.xlated = std::move(shown.insns);
  about.shown_start = std::move(shown.start);
  about.func_info = request.func_info;
  about.func_info_rec_size = request.func_info_rec_size;
  about.line_info = request.line_info;
  about.line_info_rec_size = request.line_info_rec_size;
  for (const verifier::Subprog& subprog : verified.subprogs) about.subprog_starts.push_back(about.shown_start[subprog.start_idx]);
  about.max_ctx_offset = verified.max_ctx_offset;
  about.max_rdonly_access = verified.max_rdonly_access;
  about.max_rdwr_access = verified.max_rdwr_access;
  return about;
}

/// What those may know who replace or trace one of its functions.
std::shared_ptr<const model::ProgramFacts> facts_of(const LoadRequest& request, const Prepared& p,
                                                    const verifier::VerifiedProgram& verified) {
  auto facts = std::make_shared<model::ProgramFacts>();
  facts->type = facts->acts_as = request.prog_type;
  facts->attach_type = facts->acts_at = request.attach_type;
  if (const auto& target = p.target.facts.program; target != nullptr) {
    const bool replaces = request.prog_type == uapi::BPF_PROG_TYPE_EXT;
    if (replaces) facts->acts_as = target->acts_as;
    if (replaces) facts->acts_at = target->acts_at;
    facts->traces_tracing = !replaces && target->type == uapi::BPF_PROG_TYPE_TRACING;
  }
  if (request.btf) facts->btf = request.btf->btf();
  facts->host_btf = p.facts->host_btf;
  facts->functions = verified.functions;
  facts->max_ctx_offset = verified.max_ctx_offset;
  facts->max_rdonly_access = verified.max_rdonly_access;
  facts->max_rdwr_access = verified.max_rdwr_access;
  return facts;
}

using ObjectTypes = std::vector<std::shared_ptr<const maps::AllocatedType>>;

struct Compiled {
  std::unique_ptr<exec::ProgramEntry> entry;
  std::shared_ptr<const rewrite::XlatedProgram> code;
  std::uint64_t code_bytes;
  ObjectTypes objects;
};

/// What the program's code points to, as long as it runs.
struct Kept {
  std::shared_ptr<const model::Facts> facts;
  ObjectTypes objects;
};

/// How objects of the program's own types are made and ended.
Result<ObjectTypes> object_types(const verifier::VerifiedProgram& verified, ProgramHost& host, verifier::LogSink& log) {
  ObjectTypes types(verified.objects.size());
  for (std::size_t i = 0; i < types.size(); ++i) {
    const verifier::ObjectType& object = verified.objects[i];
    if (!object.any_of.empty()) continue;
    StringSink why;
    auto type = maps::AllocatedType::make(object.bytes, object.fields, host.map_host(), why, {object.btf.get(), object.type});
    if (!type.ok()) {
      log.write(why.text());
      return type.error();
    }
    types[i] = std::move(type).value();
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (verified.objects[i].any_of.empty()) continue;
    ObjectTypes several;
    for (const std::uint32_t at : verified.objects[i].any_of) several.push_back(types[at]);
    types[i] = maps::AllocatedType::one_of(std::move(several));
  }
  return types;
}

Result<Compiled> compile(const verifier::ProgramInput& in, const verifier::VerifiedProgram& verified,
                         const Prepared& p, ProgramHost& host, verifier::LogSink& log) {
  std::vector<maps::Map*> maps;
  for (const Ref<maps::Map>& map : p.resolved.maps) maps.push_back(map.get());
  ObjectTypes objects = RING3_TRY(object_types(verified, host, log));
  std::vector<const maps::AllocatedType*> object_places;
  for (const auto& type : objects) object_places.push_back(type.get());
  const rewrite::FindHelper find =
      host.machine().host.clock_is_manual() ? &exec::find_helper : &exec::find_helper_of_machine_clock;
  auto xlated = std::make_shared<const rewrite::XlatedProgram>(
      RING3_TRY(rewrite::rewrite({in, verified, *p.facts, maps, find, object_places}, log)));
  auto entry = std::make_unique<exec::ProgramEntry>(
      host.machine(), exec::EntryOptions{.touches_percpu = xlated->touches_percpu, .may_sleep = xlated->may_sleep});
  std::unique_ptr<exec::Code> code = RING3_TRY(host.engine().compile(xlated));
  const std::uint64_t code_bytes = xlated->insns.size() * sizeof(isa::Insn) + code->listing().bytes.size();
  RING3_TRY(entry->set_code(std::move(code)));
  return Compiled{std::move(entry), std::move(xlated), code_bytes, std::move(objects)};
}

/// Errors: what the host lacks for it, with words in the log; kNoMem.
Result<Compiled> make_runnable(const verifier::ProgramInput& in, const verifier::VerifiedProgram& verified, const Prepared& p,
                               ProgramHost& host, verifier::LogSink& log) {
  RING3_TRY(check_target_offered(in.target, in.attach_type, log));
  if (!verified.not_runnable.empty()) {
    log.write(std::string(verified.not_runnable) + " is not provided by this host\n");
    return Errno::kNotSupp;
  }
  return compile(in, verified, p, host, log);
}

/// Whoever may tail call through an array is of the kind of the programs in it (behaviour.md D.1.6).
Result<void> enter_program_arrays(const Program& program, verifier::LogSink& log) {
  for (const Ref<maps::Map>& map : program.maps()) {
    if (map->spec().type != uapi::BPF_MAP_TYPE_PROG_ARRAY || maps::admit(*map, program.tail_call_kind())) continue;
    log.write("program array " + map->spec().name + " is for programs of another kind\n");
    return Errno::kInval;
  }
  return {};
}

Result<Ref<Program>> load_relocated(const LoadRequest& request, DescriptorSource& descriptors, ProgramHost& host,
                                    verifier::LogSink& log) {
  Admitted admitted = RING3_TRY(admit(request, descriptors, host, log));
  Prepared p = RING3_TRY(prepare(request, admitted, descriptors, host, log));
  const verifier::ProgramInput in = verifier_input(request, p);
  const verifier::VerifiedProgram verified = RING3_TRY(verifier::verify(in, *p.facts, host.limits(), log));
  Result<Compiled> made = make_runnable(in, verified, p, host, log);
  if (!made.ok() && (made.error() == Errno::kNoMem || !host.accepts_unrunnable())) return made.error();
  if (!made.ok()) log.write("it was verified, and is neither attached nor run\n");
  Compiled compiled = made.ok() ? std::move(made).value() : Compiled{};

  ProgramMaker::Parts parts;
  parts.facts = facts_of(request, p, verified);
  parts.target = in.target;
  parts.about = describe(request, p, in, verified);
  parts.about.digest = admitted.digest;
  parts.about.provenance = std::move(admitted.provenance);
  parts.btf = request.btf;
  parts.attach_target = std::move(p.target.holder);
  parts.maps = std::move(p.resolved.maps);
  parts.keep = std::make_shared<const Kept>(Kept{p.facts, std::move(compiled.objects)});
  parts.ops_type = p.target.facts.ops;
  parts.host_btf = p.facts->host_btf;
  parts.entry = std::move(compiled.entry);
  parts.code = std::move(compiled.code);
  parts.engine = &host.engine();
  parts.code_bytes = compiled.code_bytes;
  Ref<Program> program = ProgramMaker::make(host.objects(), request.birth, std::move(parts));
  RING3_TRY(enter_program_arrays(*program, log));
  return program;
}

}  // namespace

Result<Ref<Program>> load(const LoadRequest& request, DescriptorSource& descriptors, ProgramHost& host,
                          verifier::LogSink& log) {
  RING3_TRY(check_request(request, log));
  if (request.core_relos.empty()) return load_relocated(request, descriptors, host, log);
  // They come with BTF of the client's choosing, and no signature covers either.
  if (request.signature) {
    log.write("signed program: relocations would change what was signed\n");
    return Errno::kAcces;
  }
  LoadRequest relocated = request;
  RING3_TRY(relocate_core(relocated, *host.facts()->host_btf, log));
  return load_relocated(relocated, descriptors, host, log);
}

}  // namespace ring3::prog
