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

Ref<Program> ProgramMaker::make(ObjectTable& table, Birth birth, Parts parts) {
  auto program = Ref<Program>::adopt(new Program(table, birth));
  program->about_ = std::move(parts.about);
  program->btf_ = std::move(parts.btf);
  program->attach_target_ = std::move(parts.attach_target);
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
  {
    MutexLock lock(program->maps_mutex_);
    program->maps_ = std::move(parts.maps);
  }
  return program;
}

}  // namespace ring3::prog
