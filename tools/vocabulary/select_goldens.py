#!/usr/bin/env python3
"""Write tests/data/tokenizer/o200k.jsonl: a small selection of the tokenizer goldens, so that a plain clone tests exactness too.

    tools/vocabulary/select_goldens.py ../shared/oracle/goldens/tokenizer.jsonl.gz

Every third sentence, every tenth row of the other kinds; rows above 2 KB are left out (the tests make long runs themselves).
"""
import collections
import gzip
import json
import os
import sys

MAX_ROW_BYTES = 2000
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/data/tokenizer/o200k.jsonl")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    seen = collections.Counter()
    with gzip.open(sys.argv[1], "rt", encoding="ascii") as goldens, open(OUT, "w", encoding="ascii") as out:
        for line in goldens:
            kind = json.loads(line)["kind"]
            if len(line) <= MAX_ROW_BYTES and seen[kind] % (3 if kind == "sentence" else 10) == 0:
                out.write(line)
            seen[kind] += 1
    print(os.path.getsize(OUT), "bytes")


if __name__ == "__main__":
    main()
