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
    ("no sink", "attention_parts.h", "fmaf(all.sum[i], factor, exp2_fast(sink - largest))", "(all.sum[i] * factor)"),
    ("a window of one less", "attention_parts.h", "end > window ? end - window : 0", "end > window ? end - window + 1 : 0"),
    ("a token does not see itself", "attention_parts.h", "position >= begin && position < end;", "position >= begin && position + 1 < end;"),
    ("what was before is not scaled down", "attention.cu", "    if (page % kStepPages == 0) scale_values(values, factors[page / kStepPages]);\n", ""),
    ("the largest of all steps, not of those so far", "attention.cu", "    if (step == warp)\n", ""),
    ("maxima are read before they are there", "attention.cu", "  block_barrier();\n\n  Softmax all;\n  float factors", "  Softmax all;\n  float factors"),
    ("weights are read before they are there", "attention.cu", "  block_barrier();\n\n  for (float& value : values) value = 0;", "  for (float& value : values) value = 0;"),
    ("int8 values without their scale", "attention_parts.h", "first = first > 0 ? multiply_alone(first, scale) : 0;", "first = first > 0 ? multiply_alone(first, 1) : 0;"),
    ("what is behind the end is not hidden", "attention_parts.h", "  if (num_valid >= kKvBlockTokens) return;\n", "  return;\n"),
    ("a tile's sums are not scaled down", "attention_prefill.cu", "scale_values(lookers.values[i][part], factor);", ";"),
    ("a tile's later tokens see what the first sees", "attention_prefill.cu", "return seen_from(position + token * kWarps, window); }", "return seen_from(position, window); }"),
    ("a tile's step is overwritten while it is read", "attention_prefill.cu", "    block_barrier();  // everybody's copies are there, and nobody reads the step before\n", ""),
    ("widened keys are read before they are there", "attention_prefill.cu", "      widen_step(shared.stages, step);\n      block_barrier();\n", "      widen_step(shared.stages, step);\n"),
    ("a tile's chunk is added twice", "attention_prefill.cu", "    lookers.clear(i);\n  }\n}", "  }\n}"),
    ("a tile's chunks are one", "attention_prefill.cu", "(step % kChunkSteps == kChunkSteps - 1 || step == last)", "(step == last)"),
    ("a tile ends one chunk early", "attention_prefill.cu", "args.partial ? op.args.max_chunks + 1 : 1", "args.partial ? op.args.max_chunks - 1 : 1"),
    ("keys are not rotated", "elementwise.cu", "    if (!is_value) {", "    if (head < args.num_heads) {"),
    ("the higher expert among equals", "experts.cu", "(a == b && of_a < of_b)", "(a == b && of_a > of_b)"),
    ("counts are not cleared", "experts.cu", "    args.counts[expert] = 0;\n", ""),
    ("a slot is placed twice", "experts.cu", "place += all;", "place += before;"),
    ("the higher token among equals", "choose.cu", "other.token < mine.token", "other.token > mine.token"),
    ("masks are forgotten", "choose.cu", "  forbid(args, row, logits);\n", ""),
    ("changes come too late", "choose.cu", "  change(args, row, logits);\n  block_barrier();\n", ""),
]


def noticed(name: str, file: str, old: str, new: str, folder: Path) -> str | None:
    """What noticed the mutant; None where nothing did."""
    text = (KERNELS / file).read_text()
    if text.count(old) != 1:
        return f"ERROR: the text that it replaces stands there {text.count(old)} times"
    mutant, program = folder / "kernels/cuda" / file, folder / "tests"
    mutant.parent.mkdir(parents=True)
    mutant.write_text(text.replace(old, new))
    # A header's mutant is in every kernel that includes it.
    sources = [mutant] if file.endswith(".cu") else [path for path in KERNELS.glob("*.cu") if f'"kernels/cuda/{file}"' in path.read_text()]
    broken = []
    for source in sources:
        broken.append(str(folder / f"{source.name}.o"))
        made = subprocess.run(["g++", f"-I{folder}", *FLAGS, "-x", "c++", "-c", str(source), "-o", broken[-1]], capture_output=True, text=True)
        if made.returncode != 0:
            return f"ERROR: does not compile: {made.stderr[:300]}"
    objects = BUILD / "tests/support/CMakeFiles/gossamer_device.dir"
    others = [str(path) for path in objects.rglob("*.o") if path.name not in {f"{source.name}.o" for source in sources}]
    tests = [str(path) for path in (BUILD / "tests/kernels/CMakeFiles/device_kernels_test.dir").rglob("*.o")]
    rooms = [str(BUILD / f"src/{room}/libgossamer_{room}.a") for room in ("model", "kv", "kernels", "checkpoint", "tokenizer", "base")]
    subprocess.run(["g++", *broken, *others, *tests, *rooms, "-o", str(program), *(f"-l{library}" for library in (
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
