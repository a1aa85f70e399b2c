#include "expectations.h"

#include <bpf/btf.h>
#include <linux/bpf.h>

#include <climits>
#include <cstdlib>

namespace ring3::conformance {

namespace {

/// "TEXT" of a tag "NAME=N=TEXT", N a counter that keeps equal tags apart.
std::string counted_text(std::string_view value) {
  const auto equals = value.find('=');
  return std::string(equals == std::string_view::npos ? value : value.substr(equals + 1));
}

bool take(std::string_view& tag, std::string_view prefix) {
  if (tag.substr(0, prefix.size()) != prefix) return false;
  tag.remove_prefix(prefix.size());
  return true;
}

std::int64_t parse_retval(std::string_view text) {
  if (text == "INT_MIN") return INT_MIN;
  if (text == "POINTER_VALUE") return kAnyPointer;
  if (text == "TEST_DATA_LEN") return kTestDataBytes;
  return std::strtoll(std::string(text).c_str(), nullptr, 0);
}

struct FlagName {
  std::string_view name;
  std::uint32_t bit;
};
constexpr FlagName kFlagNames[] = {
    {"BPF_F_STRICT_ALIGNMENT", 1u << 0}, {"BPF_F_ANY_ALIGNMENT", 1u << 1}, {"BPF_F_TEST_RND_HI32", 1u << 2},
    {"BPF_F_TEST_STATE_FREQ", 1u << 3},  {"BPF_F_SLEEPABLE", 1u << 4},     {"BPF_F_XDP_HAS_FRAGS", 1u << 5},
    {"BPF_F_TEST_REG_INVARIANTS", 1u << 7},
};

std::uint32_t parse_flag(std::string_view text) {
  for (const FlagName& flag : kFlagNames)
    if (flag.name == text) return flag.bit;
  return static_cast<std::uint32_t>(std::strtoul(std::string(text).c_str(), nullptr, 0));
}

/// State that only matters while tags are read.
struct Reader {
  Expectations out;
  bool says_unprivileged_verdict = false;

  void verdict(bool unprivileged, bool failure) {
    Expected& mode = unprivileged ? out.unprivileged : out.privileged;
    mode.wanted = true;
    mode.failure = failure;
    says_unprivileged_verdict |= unprivileged;
  }

  bool read(std::string_view tag) {
    if (tag == "test_expect_success") return verdict(false, false), true;
    if (tag == "test_expect_failure") return verdict(false, true), true;
    if (tag == "test_expect_success_unpriv") return verdict(true, false), true;
    if (tag == "test_expect_failure_unpriv") return verdict(true, true), true;
    if (tag == "test_auxiliary") return out.auxiliary = true;
    if (tag == "test_auxiliary_unpriv") return out.auxiliary_unprivileged = true;
    if (take(tag, "test_expect_msg_unpriv=")) return text(out.unprivileged, &Expected::messages, tag);
    if (take(tag, "test_expect_msg=")) return text(out.privileged, &Expected::messages, tag);
    if (take(tag, "test_expect_xlated_unpriv=")) return text(out.unprivileged, &Expected::xlated, tag);
    if (take(tag, "test_expect_xlated=")) return text(out.privileged, &Expected::xlated, tag);
    if (take(tag, "test_retval_unpriv=")) return retval(out.unprivileged, tag);
    if (take(tag, "test_retval=")) return retval(out.privileged, tag);
    if (take(tag, "test_log_level=")) {
      out.log_level = parse_flag(tag);
      return true;
    }
    if (take(tag, "test_prog_flags=")) {
      const bool clear = take(tag, "!");
      (clear ? out.flags_cleared : out.flags_set) |= parse_flag(tag);
      return true;
    }
    if (take(tag, "test_btf_path=")) {
      out.btf_path = tag;
      return true;
    }
    if (take(tag, "test_arch=")) {
      if (tag == "X86_64") this_arch = true;
      names_arch = true;
      return true;
    }
    // Native code is not compared; a description is only a name.
    return take(tag, "test_jited") || take(tag, "test_description=");
  }

  Expectations finish() {
    Expected &with = out.privileged, &without = out.unprivileged;
    out.other_arch = names_arch && !this_arch;
    if (!with.wanted && !without.wanted && !out.auxiliary && !out.auxiliary_unprivileged) with.wanted = true;
    if (without.wanted) {
      if (!says_unprivileged_verdict) without.failure = with.failure;
      if (!without.retval) without.retval = with.retval;
      if (without.messages.empty()) without.messages = with.messages;
      if (without.xlated.empty()) without.xlated = with.xlated;
    }
    return out;
  }

 private:
  bool names_arch = false, this_arch = false;

  bool text(Expected& mode, std::vector<std::string> Expected::*list, std::string_view value) {
    mode.wanted = true;
    (mode.*list).push_back(counted_text(value));
    return true;
  }
  bool retval(Expected& mode, std::string_view value) {
    mode.wanted = true;
    mode.retval = parse_retval(value);
    return true;
  }
};

}  // namespace

Expectations read_expectations(const btf* btf, const char* name, std::string& problem) {
  Reader reader;
  const std::int32_t func = btf__find_by_name_kind(btf, name, BTF_KIND_FUNC);
  const std::uint32_t count = btf__type_cnt(btf);
  for (std::uint32_t id = 1; func > 0 && id < count; ++id) {
    const btf_type* type = btf__type_by_id(btf, id);
    if (!btf_is_decl_tag(type) || type->type != static_cast<std::uint32_t>(func)) continue;
    if (btf_decl_tag(type)->component_idx != -1) continue;
    std::string_view tag = btf__name_by_offset(btf, type->name_off);
    if (!take(tag, "comment:")) continue;
    reader.out.tagged = true;
    if (!reader.read(tag)) problem = "unknown tag " + std::string(tag);
  }
  return reader.finish();
}

}  // namespace ring3::conformance
