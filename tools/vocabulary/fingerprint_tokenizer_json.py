#!/usr/bin/env python3
"""Print the fingerprint of gpt-oss' published tokenizer.json for src/tokenizer/published_tokenizer_json.cc.

    tools/vocabulary/fingerprint_tokenizer_json.py tokenizer.json
"""
import hashlib
import sys

SHA256 = "0614fe83cadab421296e664e1f48f4261fa8fef6e03e63bb75c20f38e37d07d3"
PRIME = 2**61 - 1
POINT = 0x1D5E8A3C96F0B427 % PRIME
LANES, WORD_BYTES = 4, 7


def fingerprint(data):
    values = [0] * LANES
    step = LANES * WORD_BYTES
    whole = len(data) // step * step
    for at in range(0, whole, step):
        for lane in range(LANES):
            begin = at + lane * WORD_BYTES
            values[lane] = (values[lane] * POINT + int.from_bytes(data[begin:begin + WORD_BYTES], "little")) % PRIME
    for byte in data[whole:]:
        values[0] = (values[0] * POINT + byte) % PRIME
    return values


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256:
        sys.exit(f"{sys.argv[1]}: sha256 is {found}, wanted {SHA256}")
    print(len(data), "bytes:", ", ".join(f"0x{value:016X}u" for value in fingerprint(data)))


if __name__ == "__main__":
    main()
