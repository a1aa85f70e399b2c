#!/usr/bin/env python3
"""Every code block of a page stands, line by line, in one of the given files: what the page shows is compiled.

  check_doc.py PAGE FILE...
"""
import re
import sys

page, files = sys.argv[1], sys.argv[2:]
sources = {f: [line.strip() for line in open(f, encoding="utf-8")] for f in files}
bad = 0
for language, block in re.findall(r"^```(c|cpp|cmake)\n(.*?)^```", open(page, encoding="utf-8").read(), re.M | re.S):
    lines = [line.strip() for line in block.splitlines()]
    if not any(source[i:i + len(lines)] == lines for source in sources.values() for i in range(len(source))):
        print(f"{page}: this {language} block is in none of {', '.join(files)}:\n{block}")
        bad += 1
sys.exit(1 if bad else 0)
