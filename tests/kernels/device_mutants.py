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
    ("the higher token among equals", "row_select.h", "other.token < mine.token", "other.token > mine.token"),
    ("zeros of two signs are two numbers", "row_select.h", "logit == 0 ? 0.f : logit", "logit"),
    ("a penalty is rounded once less", "row_select.h", "  logit = multiply_exact(logit, logit > 0 ? 1.f / change.repetition : change.repetition);\n  return add_exact(logit, -change.penalty);", "  return fmaf(logit, logit > 0 ? 1.f / change.repetition : change.repetition, -change.penalty);"),
    ("masks are forgotten", "choose.cu", "  forbid(args, row, logits);\n", ""),
    ("changes come too late", "choose.cu", "  change(args, row, logits);\n  block_barrier();\n", ""),
    ("what a constraint forbids is drawn", "sample.cu", "      logits[token] = -INFINITY;\n", ""),
    ("the changed logit is told", "sample.cu", "      drawn.logit = args.own[row.first_change + low];", "      drawn.logit += 0;"),
    ("top_p of few takes one more", "sample.cu", "if (sum >= wanted) shared.weights[i] = 0;", "if (sum > wanted) shared.weights[i] = 0;"),
    ("top_k of many takes all equal ones", "sample.cu", "if (is_equal && place + 1 == wanted) shared.token", "if (is_equal && place + 1 >= wanted) shared.token"),
    ("min_p is forgotten behind top_p", "sample.cu", "{row.rule.min_p}, sum);", "{0}, sum);"),
    ("sums are added before they are there", "sample.cu", "  block_barrier();\n  if (threadIdx.x == 0) find_stretch", "  if (threadIdx.x == 0) find_stretch"),
    ("a stretch is drawn from before it is there", "sample.cu", "  block_barrier();\n  return threadIdx.x == 0 ? begin", "  return threadIdx.x == 0 ? begin"),
    ("top_p takes one equal one more", "top_p.h", "if (is_one && place + 1 == last)", "if (is_one && place == last)"),
    ("top_p forgets what lies before a digit", "top_p.h", "    search.before = before;", "    search.before = {0, 0};"),
    ("a product and a sum are rounded once", "exp_weight.h", "  p = add_exact(multiply_exact(p, r), 1.f);\n  return", "  p = fmaf(p, r, 1.f);\n  return"),
    ("what is left over goes to other lanes", "exp_weight.h", "if (lane == 0) add(i);", "if (lane == i - whole) add(i);"),
]


def sources_of(file: str) -> list[str]:
    """The kernels' sources that are compiled with this file: itself, or who includes it."""
    known, users = set(), {file}
    while users - known:
        known |= users
        users |= {path.name for path in KERNELS.iterdir() for user in known if f'#include "kernels/cuda/{user}"' in path.read_text()}
    return sorted(user for user in users if user.endswith(".cu"))


def noticed(name: str, file: str, old: str, new: str, folder: Path) -> str | None:
    """What noticed the mutant; None where nothing did."""
    text = (KERNELS / file).read_text()
    if text.count(old) != 1:
        return f"ERROR: the text that it replaces stands there {text.count(old)} times"
    mutant, program = folder / "kernels/cuda" / file, folder / "tests"
    mutant.parent.mkdir(parents=True)
    mutant.write_text(text.replace(old, new))
    sources, broken = sources_of(file), []
    for source in sources:
        path = mutant if source == file else KERNELS / source
        broken.append(str(folder / f"{source}.o"))
        made = subprocess.run(["g++", f"-I{folder}", *FLAGS, "-x", "c++", "-c", str(path), "-o", broken[-1]], capture_output=True, text=True)
        if made.returncode != 0:
            return f"ERROR: does not compile: {made.stderr[:300]}"
    others = str(BUILD / "tests/support/libgossamer_device.a")  # of which what is broken is not taken: it is there already
    tests = [str(path) for path in (BUILD / "tests/kernels/CMakeFiles/device_kernels_test.dir").rglob("*.o")]
    rooms = [str(BUILD / f"src/{room}/libgossamer_{room}.a") for room in ("model", "kv", "sampling", "kernels", "checkpoint", "tokenizer", "base")]
    subprocess.run(["g++", *broken, *tests, others, *rooms, "-o", str(program), *(f"-l{library}" for library in (
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
