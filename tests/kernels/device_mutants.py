#!/usr/bin/env python3
"""Breaks the kernels for GPUs one way at a time and checks that a test on the emulated device notices.

    tests/kernels/device_mutants.py                # all of them, a few minutes; ./test --mutants does the same
    tests/kernels/device_mutants.py 'no sink'

As tests/engine/mutants.py: each mutant replaces one piece of text of one file, which is compiled and linked with the objects of
build/test for all the rest. Standard library only.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "test"
KERNELS = ROOT / "src/kernels/cuda"
FLAGS = ["-std=c++20", "-O1", "-fno-strict-aliasing", "-Wno-unknown-pragmas", '-DGOSSAMER_EMULATED_DEVICE="support/emulated_device.h"', f"-I{ROOT}/src", f"-I{ROOT}/tests"]
SECONDS = 240

# name, file in src/kernels/cuda, what stands there, what the mutant says instead
MUTANTS = [
    ("slices are added before they are there", "products.cu", "  block_barrier();\n  if (warp != 0) return;", "  if (warp != 0) return;"),
    ("a stage is read before it is there", "products.cu", "    block_barrier();  // everybody's copies", "    // everybody's copies"),
    ("one copy too few is waited for", "products.cu", "wait_for_copies<kStages - 2>();", "wait_for_copies<kStages - 1>();"),
    ("scales of rows and columns are exchanged", "products.cu", "byte = 2 * half + below;", "byte = 2 * below + half;"),
    ("nibbles in the wrong order", "products.cu", "number = word << mxfp4_number_shift(p);", "number = word << mxfp4_number_shift(3 - p);"),
    ("a slice is added before its last step", "products.cu", "step == slice_begin(slice + 1, num_steps)", "step + 1 == slice_begin(slice + 1, num_steps)"),
    ("gate and up exchanged", "products.cu", "sums[j] + bias[group], sums[2 + j] + bias[group + 8]", "sums[2 + j] + bias[group + 8], sums[j] + bias[group]"),
    ("up is not clamped from below", "products.cu", "fminf(fmaxf(up, -limit), limit)", "fminf(up, limit)"),
    ("no sink", "attention.cu", "(state.sum * factor + exp2_fast(sink - largest))", "(state.sum * factor)"),
    ("a window of one less", "attention.cu", "end - args.window : 0, end,", "end - args.window + 1 : 0, end,"),
    ("a token does not see itself", "attention.cu", "position < looker.end;", "position + 1 < looker.end;"),
    ("the maximum of one warp alone", "attention.cu", "for (uint32_t w = 0; w < kWarps; ++w) largest[head] = fmaxf", "for (uint32_t w = warp; w <= warp; ++w) largest[head] = fmaxf"),
    ("maxima are read before they are there", "attention.cu", "  block_barrier();\n  for (uint32_t head = 0; head < 2; ++head)\n    for (uint32_t w", "  for (uint32_t head = 0; head < 2; ++head)\n    for (uint32_t w"),
    ("shared memory is written too early", "attention.cu", "  block_barrier();  // shared memory is written again by the next chunk\n", ""),
    ("int8 values without their scale", "attention.cu", "weight = weight > 0 ? weight * scale_at(", "weight = weight > 0 ? weight + 0 * scale_at("),
    ("keys are not rotated", "elementwise.cu", "    if (!is_value) {", "    if (head < args.num_heads) {"),
    ("the higher expert among equals", "experts.cu", "(a == b && of_a < of_b)", "(a == b && of_a > of_b)"),
    ("counts are not cleared", "experts.cu", "    args.counts[expert] = 0;\n", ""),
    ("a slot is placed twice", "experts.cu", "place += all;", "place += before;"),
    ("the higher token among equals", "choose.cu", "other.token < mine.token", "other.token > mine.token"),
    ("masks are forgotten", "choose.cu", "  forbid(args, row, logits);\n", ""),
    ("codes where there is no column", "synthetic.cu", "group_row < rows && col < cols", "group_row < rows"),
    ("codes where there is no row", "synthetic.cu", "group_row < rows && col < cols", "col < cols"),
    ("all experts are one", "synthetic.cu", "philox({v, strip_index, copy, args.name.tensor}", "philox({v, strip_index, 0, args.name.tensor}"),
    ("a round of Philox less", "synthetic.cu", "round < 10", "round < 9"),
    ("scales without what codes lack", "synthetic.cu", "kLowestScale + kScaleOfCodes", "kLowestScale"),
    ("biases of rows that are not there", "synthetic.cu", "row < edges.rows ?", "row < 16 ?"),
    ("changes come too late", "choose.cu", "  change(args, row, logits);\n  block_barrier();\n", ""),
]


def noticed(name: str, file: str, old: str, new: str, folder: Path) -> str | None:
    """What noticed the mutant; None where nothing did."""
    text = (KERNELS / file).read_text()
    if text.count(old) != 1:
        return f"ERROR: the text that it replaces stands there {text.count(old)} times"
    source, broken, program = folder / file, folder / "broken.o", folder / "tests"
    source.write_text(text.replace(old, new))
    made = subprocess.run(["g++", *FLAGS, "-x", "c++", "-c", str(source), "-o", str(broken)], capture_output=True, text=True)
    if made.returncode != 0:
        return f"ERROR: does not compile: {made.stderr[:300]}"
    objects = BUILD / "tests/support/CMakeFiles/gossamer_device.dir"
    others = [str(path) for path in objects.rglob("*.o") if path.name != f"{file}.o"]
    room, test = ("model", "synthetic_device_test") if file == "synthetic.cu" else ("kernels", "device_kernels_test")
    tests = [str(path) for path in (BUILD / f"tests/{room}/CMakeFiles/{test}.dir").rglob("*.o")]
    rooms = [str(BUILD / f"src/{room}/libgossamer_{room}.a") for room in ("model", "kv", "sampling", "kernels", "checkpoint", "tokenizer", "base")]
    subprocess.run(["g++", str(broken), *others, *tests, *rooms, "-o", str(program), *(f"-l{library}" for library in (
        "boost_context", "gtest_main", "gmock", "gtest", "fmt", "hwloc", "xxhash", "zstd", "pthread"))], check=True)
    try:
        done = subprocess.run([str(program), "--gtest_fail_fast"], capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return "hangs"
    if done.returncode == 0:
        return None
    failed = [line.split("] ")[1].split(" (")[0] for line in done.stdout.splitlines() if line.startswith("[  FAILED  ]")]
    return failed[0] if failed else f"ends with {done.returncode}"


def main() -> int:
    chosen = [mutant for mutant in MUTANTS if not sys.argv[1:] or mutant[0] in sys.argv[1:]]
    if not chosen:
        print("no such mutant; there are:", *(mutant[0] for mutant in MUTANTS), sep="\n  ")
        return 2
    if not (BUILD / "tests/kernels/device_kernels_test").exists():
        print("build the tests first: ./test -N")
        return 2
    wrong = 0
    for mutant in chosen:
        with tempfile.TemporaryDirectory() as folder:
            found = noticed(*mutant, Path(folder))
        wrong += found is None or found.startswith("ERROR")
        print(f"{mutant[0]:<50} {found or 'SURVIVES'}", flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} noticed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
