// The verifier's part of the C checks, by programs that clang compiled: each is loaded alone.
#include <gtest/gtest.h>

#include "test_host_btf.h"
#include "tests/integration/kptr_world.h"
#include "tests/integration/libbpf_door.h"

namespace ring3::test {
namespace {

class KptrPrograms : public KptrWorld {
 protected:
  KptrPrograms() {
    using namespace kfunc;
    EXPECT_TRUE((runtime_->kfunc<&counted_thing_find>({.flags = kAcquire | kRetNull}).ok())) << log_.take();
    EXPECT_TRUE((runtime_->kfunc<&counted_thing_get>({.flags = kAcquire | kRcu | kRetNull}).ok())) << log_.take();
    EXPECT_TRUE((runtime_->kfunc<&counted_thing_put>({.flags = kRelease}).ok())) << log_.take();
  }
  int load(const char* program) {
    ObjectFile object(RING3_MODULE_DIR "/c_checks.bpf.o");
    const int result = object.load_only(program);
    text_ = door_.take_text() + log_.take();
    return result;
  }
  void accepts(const char* program) { EXPECT_EQ(load(program), 0) << program << "\n" << text_; }
  void refuses(const char* program, int error, std::string_view words) {
    EXPECT_EQ(load(program), error) << program << "\n" << text_;
    EXPECT_NE(text_.find(words), std::string::npos) << program << ": " << words << "\n" << text_;
  }

  LibbpfDoor door_{*runtime_, test_host_btf};
  std::string text_;
};

TEST_F(KptrPrograms, C_11_StoresToUntrustedFields) {
  refuses("store_other_type", -EACCES, "type=ptr_thing expected=ptr_counted_thing or untrusted_ptr_counted_thing");
  accepts("store_same_type");
  accepts("store_null");
  refuses("store_one", -EACCES, "");
}

TEST_F(KptrPrograms, C_12_StoresToOwnedFields) { refuses("store_to_owned", -EACCES, "store to referenced kptr disallowed"); }

TEST_F(KptrPrograms, C_13_AccessIsTheFieldOrNothing) {
  refuses("load_half", -EACCES, "kptr access size must be BPF_DW");
  refuses("load_askew", -EACCES, "kptr access misaligned expected=8 off=9");
  refuses("load_somewhere", -EACCES, "kptr access cannot have variable offset");
  refuses("add_atomically", -EACCES, "kptr in map can only be accessed using BPF_MEM instruction mode");
}

TEST_F(KptrPrograms, C_14_WhatUntrustedFieldsGive) {
  refuses("read_untested", -EACCES, "invalid mem access 'untrusted_ptr_or_null_'");
  accepts("read_tested");
  refuses("pass_untrusted", -EINVAL, "R1 must be a rcu pointer");
}

TEST_F(KptrPrograms, C_15_LoadsInsideAndOutsideOfSections) {
  refuses("outside_section", -EINVAL, "R1 must be a rcu pointer");
  accepts("inside_section");
  refuses("inside_untested", -EACCES, "Possibly NULL pointer passed");
}

TEST_F(KptrPrograms, C_16_WhatMayGoIn) {
  refuses("exchange_unowned", -EINVAL, "R2 must be referenced when passed to release function");
  accepts("exchange_owned");
  accepts("exchange_null");
  refuses("exchange_other_type", -EACCES, "invalid kptr access, R2 type=ptr_thing expected=ptr_counted_thing");
  refuses("exchange_inner", -EACCES, "invalid kptr access, R2");
}

TEST_F(KptrPrograms, C_17_WhatComesOut) {
  refuses("ignore_old", -EINVAL, "Unreleased reference");
  accepts("exchange_null");
  accepts("keep_old");
}

TEST_F(KptrPrograms, C_18_Where) {
  refuses("exchange_copy", -EACCES, "off=8 kptr isn't referenced kptr");
  refuses("exchange_number", -EACCES, "off=0 doesn't point to kptr");
  refuses("exchange_somewhere", -EINVAL, "R1 doesn't have constant offset. kptr has to be at the constant offset");
  refuses("exchange_untyped", -EINVAL, "has to have BTF in order to use bpf_kptr_xchg");
}

TEST_F(KptrPrograms, C_26_PerCpuFields) {
  refuses("percpu_with_normal", -EACCES, "invalid kptr access, R2 type=ptr_own expected=ptr_own");
  accepts("percpu_use");
}

TEST_F(KptrPrograms, C_29_ProgramsThatMayRunAnywhere) {
  refuses("list_in_kprobe", -EINVAL, "tracing progs cannot use bpf_{list_head,rb_root} yet");
  refuses("lock_in_filter", -EINVAL, "socket filter progs cannot use bpf_spin_lock yet");
}

TEST_F(KptrPrograms, C_35_HelpersKeepOffFields) { refuses("helper_over_field", -EACCES, "kptr cannot be accessed indirectly by helper"); }

}  // namespace
}  // namespace ring3::test
