#include "prog/program.h"

#include <algorithm>
#include <utility>

namespace ring3::prog {

std::vector<Ref<maps::Map>> Program::maps() const {
  MutexLock lock(maps_mutex_);
  return maps_;
}

void Program::bind_map(Ref<maps::Map> map) {
  MutexLock lock(maps_mutex_);
  if (std::find(maps_.begin(), maps_.end(), map) == maps_.end()) maps_.push_back(std::move(map));
}

std::uint64_t Program::memory_bytes() const {
  return sizeof(Program) + code_bytes_ + about_.xlated.size() * sizeof(isa::RawInsn) + about_.func_info.size() +
         about_.line_info.size();
}

Ref<Program> Program::load_target() const {
  MutexLock lock(target_mutex_);
  return load_target_;
}

void Program::forget_load_target() noexcept { restore_load_target(nullptr); }

void Program::restore_load_target(Ref<Program> target) noexcept {
  MutexLock lock(target_mutex_);
  load_target_.swap(target);
}

Ref<Program> ProgramMaker::make(ObjectTable& table, Birth birth, Parts parts) {
  auto program = Ref<Program>::adopt(new Program(table, birth));
  program->about_ = std::move(parts.about);
  program->btf_ = std::move(parts.btf);
  program->for_function_ = parts.attach_target && parts.attach_target->kind() == ObjectKind::kProg;
  if (program->for_function_) {
    Ref<Program> target = ref_cast<Program>(std::move(parts.attach_target));
    program->load_target_name_ = target->name();
    program->restore_load_target(std::move(target));
  } else {
    program->attach_target_ = std::move(parts.attach_target);
  }
  program->facts_ = std::move(parts.facts);
  if (!program->facts_) {
    auto plain = std::make_shared<model::ProgramFacts>();
    plain->type = plain->acts_as = program->about_.type;
    plain->attach_type = plain->acts_at = program->about_.attach_type;
    program->facts_ = std::move(plain);
  }
  program->tail_call_kind_ = model::tail_call_kind(*program->facts_, program->about_.flags, parts.target);
  program->keep_ = std::move(parts.keep);
  program->ops_type_ = parts.ops_type;
  program->host_btf_ = std::move(parts.host_btf);
  program->code_bytes_ = parts.code_bytes;
  program->entry_ = std::move(parts.entry);
  if (program->entry_) program->entry_->set_holder(*program);
  if (program->entry_ && parts.code)
    program->functions_ = std::make_unique<FunctionHooks>(*program->entry_, *parts.engine, std::move(parts.code), program->facts_);
  {
    MutexLock lock(program->maps_mutex_);
    program->maps_ = std::move(parts.maps);
  }
  return program;
}

}  // namespace ring3::prog
