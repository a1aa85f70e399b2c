"""What run_clients asks of xdp-tools: programs at the host's device by netlink, composed by libxdp."""

from bpftool_cases import FAILED, Case


def all_of_xdp_loader(objects):
    load = ["load", "lo", str(objects / "clients_frame.bpf.o")]
    frame = lambda answer: Case(f"the host's frame: {answer}", None, stdin="frame\n", holds=[answer])
    yield Case("status: nothing stands there", ["status", "lo"], lacks=["refuse"])
    yield frame("nobody")
    yield Case("load: an object that is not there", ["load", "lo", str(objects / "missing.bpf.o")], FAILED, holds=["Couldn't open file"])
    yield Case("load: a program that is not in it", load + ["-n", "missing"], FAILED, holds=["Couldn't find xdp program"])
    yield Case("unload: nothing stands there", ["unload", "lo", "--all"], FAILED, holds=["No XDP program loaded on lo"])
    yield Case("load", load)
    yield frame("verdict 1")
    yield Case("status", ["status", "lo"], holds=["xdp_dispatcher", "native", "refuse", "XDP_PASS"])
    yield Case("load: another beside it", load)
    yield frame("verdict 1")
    yield Case("load: how the host runs it makes no difference", load + ["-m", "skb"])
    yield Case("unload: one that is not there", ["unload", "lo", "--id", "1"], FAILED, holds=["Program with ID 1 not loaded on lo"])
    yield Case("unload", ["unload", "lo", "--all"])
    yield frame("nobody")
    yield Case("status: gone", ["status"], lacks=["refuse"])
    yield Case("clean", ["clean"])
