// One function per kind of context a program can be run on by hand. Inside this room only.
#pragma once

#include "prog/test_run.h"

namespace ring3::prog {

/// One run on the given context, `repeat` times; the mean time of a run goes into `result`.
std::uint32_t run_repeatedly(const Program& program, void* ctx, const TestRunRequest& request,
                             exec::HostServices& host, TestRunResult& result);

Result<TestRunResult> run_on_skb(Program& program, const TestRunRequest& request, exec::HostServices& host);
Result<TestRunResult> run_on_xdp(Program& program, const TestRunRequest& request, exec::HostServices& host);
Result<TestRunResult> run_on_arguments(Program& program, const TestRunRequest& request, exec::HostServices& host);
Result<TestRunResult> run_as_syscall(Program& program, const TestRunRequest& request, exec::HostServices& host);

}  // namespace ring3::prog
