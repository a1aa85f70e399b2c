// Every program type of Linux 6.12 with every expected attach type: which load, that a program may read each field its context
// shows and nothing beside them, and that what is attached where the host has no such place names the place. Which attach types load
// is what a kernel answered for each of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "base/text_sink.h"
#include "model/ctx_layout.h"
#include "model/prog_kind.h"
#include "test_host_btf.h"
#include "tests/integration/world.h"

namespace ring3::test {
namespace {

using model::ProgKindRow;

constexpr std::uint32_t kAttachTypes = 58;  // of 6.12

/// Attach types a type of program takes; empty: any.
std::set<std::uint32_t> attach_types_of(std::uint32_t type) {
  using namespace uapi;
  switch (type) {
    case BPF_PROG_TYPE_CGROUP_SKB: return {BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_EGRESS};
    case BPF_PROG_TYPE_CGROUP_SOCK:
      return {0, BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_INET4_POST_BIND, BPF_CGROUP_INET6_POST_BIND, BPF_CGROUP_INET_SOCK_RELEASE};
    case BPF_PROG_TYPE_CGROUP_SOCK_ADDR: return {8, 9, 10, 11, 14, 15, 19, 20, 29, 30, 31, 32, 49, 50, 51, 52, 53};
    case BPF_PROG_TYPE_SK_REUSEPORT: return {0, BPF_SK_REUSEPORT_SELECT, BPF_SK_REUSEPORT_SELECT_OR_MIGRATE};
    case BPF_PROG_TYPE_CGROUP_SOCKOPT: return {BPF_CGROUP_GETSOCKOPT, BPF_CGROUP_SETSOCKOPT};
    case BPF_PROG_TYPE_SK_LOOKUP: return {BPF_SK_LOOKUP};
    case BPF_PROG_TYPE_SYSCALL: return {0};
    case BPF_PROG_TYPE_NETFILTER: return {BPF_NETFILTER};
    default: return {};
  }
}

bool takes(std::uint32_t type, std::uint32_t attach_type) {
  const std::set<std::uint32_t> known = attach_types_of(type);
  return known.empty() || known.count(attach_type) != 0;
}

/// Types whose programs attach to something of the host's BTF.
bool needs_target(const ProgKindRow& kind) { return (kind.flags & model::kProgNeedsTarget) != 0; }

std::vector<const ProgKindRow*> kinds() {
  std::vector<const ProgKindRow*> out;
  for (std::uint32_t type = 1; type < uapi::__MAX_BPF_PROG_TYPE; ++type) out.push_back(model::find_prog_kind(type));
  return out;
}

class ProgTypes : public ::testing::Test {
 protected:
  /// A runtime that keeps programs which nobody here can run: contexts that promise a socket.
  ProgTypes() {
    RuntimeOptions options;
    options.name = "types";
    options.btf = test_host_btf;
    options.log = &log_;
    options.accept_unrunnable = true;
    runtime_ = Runtime::create(options).value();
    NullSink nothing;
    host_ = btf::Btf::parse({static_cast<const std::byte*>(test_host_btf.data), test_host_btf.size}, nullptr, nothing, btf::Origin::kHost).value();
    client_ = std::make_unique<BpfClient>(*runtime_, *host_);
  }

  /// The body, then the least answer this type may give.
  long load(const ProgKindRow& kind, std::uint32_t attach_type, const std::string& body = "") {
    const model::ReturnRange range = model::return_range(kind, attach_type);
    const std::string answer = std::to_string(range.any ? 0 : range.min);
    return client_->load({.text = body + "r0 = " + answer + "\nexit", .member = attach_type,
                          .flags = (kind.flags & model::kProgMustSleep) != 0 ? std::uint32_t{uapi::BPF_F_SLEEPABLE} : 0u,
                          .prog_type = kind.type});
  }
  /// Loads, and lets go again.
  long verdict(const ProgKindRow& kind, std::uint32_t attach_type, const std::string& body = "") {
    const long fd = load(kind, attach_type, body);
    if (fd > 0) client_->close(fd);
    return fd > 0 ? 0 : fd;
  }
  static std::string read(std::uint32_t bytes, std::uint32_t off) {
    return "r2 = *(u" + std::to_string(bytes * 8) + " *)(r1 +" + std::to_string(off) + ")\n";
  }
  /// The widest access a field takes; 0: none.
  static std::uint32_t widest(const model::CtxField& field) {
    for (const std::uint32_t bytes : {8u, 4u, 2u, 1u})
      if ((field.reads & bytes) != 0 && bytes <= field.size && field.off % bytes == 0) return bytes;
    return 0;
  }

  LogLines log_;
  std::unique_ptr<Runtime> runtime_;
  std::shared_ptr<const btf::Btf> host_;
  std::unique_ptr<BpfClient> client_;
};

TEST_F(ProgTypes, EveryTypeHasARow) {
  for (const ProgKindRow* kind : kinds()) ASSERT_NE(kind, nullptr);
}

TEST_F(ProgTypes, AttachTypesAreTakenAsLinuxTakesThem) {
  for (const ProgKindRow* kind : kinds()) {
    if (needs_target(*kind)) continue;
    for (std::uint32_t attach_type = 0; attach_type < kAttachTypes; ++attach_type)
      EXPECT_EQ(verdict(*kind, attach_type), takes(kind->type, attach_type) ? 0 : -EINVAL)
          << kind->name << " with " << attach_type << "\n" << client_->log();
  }
}

TEST_F(ProgTypes, WhatAttachesToBtfNeedsSomethingToAttachTo) {
  for (const ProgKindRow* kind : kinds()) {
    if (!needs_target(*kind)) continue;
    const long expected = kind->type == uapi::BPF_PROG_TYPE_STRUCT_OPS ? kENotSupp : -EINVAL;
    const long fd = client_->load({.text = "r0 = 0\nexit", .type = "no such struct", .prog_type = kind->type});
    EXPECT_EQ(fd, expected) << kind->name << "\n" << client_->log();
  }
}

TEST_F(ProgTypes, EveryFieldOfEveryContextIsRead) {
  int fields = 0;
  for (const ProgKindRow* kind : kinds()) {
    if (kind->ctx_rule != model::CtxRule::kLayout) continue;
    std::set<model::ProgViews> seen;  // types that take any attach type have few views
    for (std::uint32_t attach_type = 0; attach_type < kAttachTypes; ++attach_type) {
      const model::ProgViews view = model::prog_view(kind->type, attach_type);
      if (!takes(kind->type, attach_type) || !seen.insert(view).second) continue;
      for (const model::CtxField& field : model::ctx_fields()) {
        if (field.ctx != kind->ctx_struct || (field.readable & view) == 0 || widest(field) == 0) continue;
        ++fields;
        EXPECT_EQ(verdict(*kind, attach_type, read(widest(field), field.off)), 0)
            << kind->name << " with " << attach_type << " reads " << field.name << "\n" << client_->log();
      }
      EXPECT_EQ(verdict(*kind, attach_type, read(4, 512)), -EACCES) << kind->name << "\n" << client_->log();
    }
  }
  EXPECT_GT(fields, 300);
}

TEST_F(ProgTypes, PlainContextsEndWhereTheyEnd) {
  for (const ProgKindRow* kind : kinds()) {
    if (kind->ctx_rule != model::CtxRule::kReadBytes && kind->ctx_rule != model::CtxRule::kBytes) continue;
    const std::uint32_t attach_type = 0;
    const std::uint32_t bytes = std::min(kind->ctx_bytes, 8u);
    EXPECT_EQ(verdict(*kind, attach_type, read(bytes, 0)), 0) << kind->name << "\n" << client_->log();
    if (kind->ctx_rule == model::CtxRule::kBytes) continue;  // longer than an offset can say
    EXPECT_EQ(verdict(*kind, attach_type, read(bytes, kind->ctx_bytes - bytes)), 0) << kind->name << "\n" << client_->log();
    EXPECT_EQ(verdict(*kind, attach_type, read(bytes, kind->ctx_bytes)), -EACCES) << kind->name << "\n" << client_->log();
  }
}

TEST_F(ProgTypes, WhereTheHostHasNoPlaceTheErrorNamesIt) {
  const btf::TypeId names = host_->find("bpf_attach_type", btf::Kind::kEnum);
  ASSERT_NE(names, 0u);
  const auto& all = kinds();
  const ProgKindRow& socket_filter = **std::find_if(all.begin(), all.end(), [](const ProgKindRow* k) { return k->type == uapi::BPF_PROG_TYPE_SOCKET_FILTER; });
  const ProgKindRow& classifier = **std::find_if(all.begin(), all.end(), [](const ProgKindRow* k) { return k->type == uapi::BPF_PROG_TYPE_SCHED_CLS; });
  const ProgKindRow& frames = **std::find_if(all.begin(), all.end(), [](const ProgKindRow* k) { return k->type == uapi::BPF_PROG_TYPE_XDP; });
  const long any = load(socket_filter, 0), tc = load(classifier, 0), xdp = load(frames, 0);
  for (const btf::Enumerator& e : host_->enumerators(names)) {
    const auto attach_type = static_cast<std::uint32_t>(e.value);
    // Iterators and struct_ops have a place; __MAX is no place.
    if (attach_type == uapi::BPF_TRACE_ITER || attach_type == uapi::BPF_STRUCT_OPS || attach_type >= kAttachTypes) continue;
    const bool ordered = attach_type == uapi::BPF_TCX_INGRESS || attach_type == uapi::BPF_TCX_EGRESS ||
                         attach_type == uapi::BPF_NETKIT_PRIMARY || attach_type == uapi::BPF_NETKIT_PEER;
    const bool alone = attach_type == uapi::BPF_XDP;  // links only
    const long expected = ordered ? -ENODEV : -EINVAL;
    uapi::bpf_attr attr = BpfClient::zero();
    attr.link_create.prog_fd = static_cast<std::uint32_t>(ordered ? tc : alone ? xdp : any);
    attr.link_create.attach_type = attach_type;
    attr.link_create.target_ifindex = 77;
    log_.take();
    EXPECT_EQ(client_->bpf(uapi::BPF_LINK_CREATE, attr), alone ? -ENODEV : expected) << e.name;
    EXPECT_NE(log_.take().find(e.name), std::string::npos) << e.name;
    attr = BpfClient::zero();
    attr.target_ifindex = 77;
    attr.attach_bpf_fd = static_cast<std::uint32_t>(ordered ? tc : any);
    attr.attach_type = attach_type;
    EXPECT_EQ(client_->bpf(uapi::BPF_PROG_ATTACH, attr), expected) << e.name;
    EXPECT_NE(log_.take().find(e.name), std::string::npos) << e.name;
    EXPECT_EQ(client_->bpf(uapi::BPF_PROG_DETACH, attr), expected) << e.name;
    attr = BpfClient::zero();
    attr.query.target_ifindex = 77;
    attr.query.attach_type = attach_type;
    EXPECT_EQ(client_->bpf(uapi::BPF_PROG_QUERY, attr), expected) << e.name;
    EXPECT_NE(log_.take().find(e.name), std::string::npos) << e.name;
  }
}

}  // namespace
}  // namespace ring3::test
