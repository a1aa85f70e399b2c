"""The programs of libbpf-tools: what they are given, and what their output says."""

# What a tool of libbpf-tools needs to know before it loads anything.
TOOL_ARGUMENTS = {"funclatency": ["vfs_read"], "fsdist": ["-t", "ext4"], "fsslower": ["-t", "ext4"], "ksnoop": ["trace", "vfs_read"],
                  "javagc": ["-p", "1"]}


def judge_tool(text):
    """(verdict, why) of a tool's output with --report: what was refused is FAIL; a tool that loads and is not attached passes, with the reason."""
    for line in text.splitlines():
        if "failed to resolve CO-RE relocation" in line:
            return "skip", "not in the types of this kernel: " + line.partition("CO-RE relocation")[2].strip()[:80]
    report = text.partition("ring3 run: ")[2].splitlines()
    refused = [" ".join(line.split()[1:]) for line in report if line.split()[1:2] in (["PROG_LOAD"], ["MAP_CREATE"], ["BTF_LOAD"])]
    if refused:
        return "FAIL", refused[0]
    for line in text.splitlines():
        if "failed to find kernel BTF type ID" in line or "failed to set attach target" in line:
            return "skip", "not in the types of this kernel: " + line.strip()[-80:]
    if not report or report[0].startswith("0 bpf(2) calls"):
        return "skip", "loads nothing here: " + next((line for line in text.splitlines() if line), "")[:80]
    for line in text.splitlines():
        if "ailed" in line and "attach" in line or "perf event" in line or "kprobe" in line or "perf sampling" in line:
            return "pass", "loads; not attached: " + line.replace("libbpf: ", "").strip()[:110]
    return "pass", "loads"


