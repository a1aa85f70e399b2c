#!/usr/bin/env python3
"""What the kernel's own runners expect of objects without annotations, as lines OBJECT [PROGRAM [MESSAGE…]] (tabs between).

usage: plain_verdicts.py FOLDER > FILE      FOLDER: of the selftests

Every program that is named must be refused, and the messages stand in the log in this order ({{…}} encloses regular
expressions); or, with =N instead, it is run and returns N. All others of these objects load; objects that are not named are
not judged by this table.
"""
import re
import subprocess
import sys

folder = sys.argv[1]


def preprocessed(name):
    """The runner's source with its macros expanded; its headers are not needed for its tables."""
    source = open(f"{folder}/prog_tests/{name}.c").read()
    source = re.sub(r"^\s*#\s*include.*$", "", source, flags=re.M)
    return subprocess.run(["gcc", "-E", "-P", "-x", "c", "-"], input=source, capture_output=True, text=True, check=True).stdout


def strings(text):
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text))


def table(object_name, runner):
    pair = r'\{\s*((?:"(?:[^"\\]|\\.)*"\s*)+),\s*((?:"(?:[^"\\]|\\.)*"\s*)+),?\s*\}'
    for name, message in re.findall(pair, preprocessed(runner)):
        lines = strings(message).replace("[0-9]\\\\+", "{{[0-9]+}}").split("\\n")
        print(object_name, strings(name), *lines, sep="\t")


table("linked_list_fail", "linked_list")
table("test_spin_lock_fail", "spin_lock")
for names in re.findall(r"_tests\[\] = \{(.*?)\}", preprocessed("rcu_read_lock"), flags=re.S):
    for name in re.findall(r'"(\w+)"', names):
        print("rcu_read_lock", name, sep="\t")
for suffix in "add_wrong_type", "wrong_node_type":
    print(f"rbtree_btf_fail__{suffix}", "*", sep="\t")
# Not the tail call, whose array the runner fills, nor what it runs after it has attached more, nor what depends on its packet.
for name, value in re.findall(r"RUN_SUCCESS\((\w+), (\d+)\);", open(f"{folder}/prog_tests/exceptions.c").read().split("ASSERT_OK(exceptions_ext")[0]):
    if not name.startswith(("exception_ext", "exception_tail_call", "exception_throw_unwind_1")):
        print("exceptions", name, f"={value}", sep="\t")

# Their runners load them whole.
for name in ("kptr_xchg_inline linked_list linked_list_fail local_kptr_stash map_kptr percpu_alloc_array percpu_alloc_cgrp_local_storage"
             " rbtree exceptions timer timer_crash timer_lockup timer_mim task_kfunc_success cgrp_kfunc_success test_spin_lock test_spin_lock_fail").split():
    print(name)
