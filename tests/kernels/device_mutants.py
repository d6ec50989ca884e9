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
KERNELS_TEST, GRAPH_TEST = "kernels/device_kernels_test", "model/device_graph_test"  # below tests/: who is to notice
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
    ("changes come too late", "choose.cu", "  change(args, row, logits);\n  block_barrier();\n", ""),
]
# The same, with the file below src/: steps as graphs, and kernels that begin early.
GRAPH_MUTANTS = [
    ("a kernel waits for nobody", "kernels/cuda/elementwise.cu", "  let_next_kernel_begin();  // the product behind it asks for its weights while the kernel before still runs\n  wait_for_kernels_before();\n", ""),
    ("a graph of another split", "model/device_graphs.cc", "return made.key == key;", "return made.key.num_tokens == key.num_tokens;"),
    ("a graph of another bucket", "model/device_graphs.cc", "return made.key == key;", "return made.key.max_chunks[0] == key.max_chunks[0];"),
    ("a graph of another cache", "model/device_forward.cc", "          cache.block(0, 0),\n", "          nullptr,\n"),
    ("graphs outlive their memory", "model/device_memory.cc", "  graphs_.drop();\n", ""),
    ("a bucket is filled up with other tokens", "model/device_forward.cc", "words[field * num_tokens_ + i - num_real];", "words[field * num_tokens_ + i - num_real] + (field == 0);"),
    ("a bucket is filled up with other pages", "model/device_forward.cc", "words[field * num_tokens_ + i - num_real];", "words[field * num_tokens_ + i - num_real] + (field == 2);"),
    ("chunks that no block computes", "model/device_forward.cc", "is_graph ? chunk_bucket(num_chunks)", "is_graph ? (chunk_bucket(num_chunks) + 1) / 2"),
    ("a product looks for its rows too early", "kernels/cuda/products.cu", "  wait_for_kernels_before();\n  let_next_kernel_begin();\n  Tile tile;\n  if (!find_tile(args, 8, blockIdx.y, tile)) return;\n  const std::byte* strip = tile.strips + uint64_t{blockIdx.x} * args.shape.strip_bytes();\n  const uint32_t my_row = tile.begin + group;\n  const uint4* x = my_row < tile.end ? reinterpret_cast<const uint4*>(x_row(args, my_row)) + quad : nullptr;\n", "  Tile tile;\n  if (!find_tile(args, 8, blockIdx.y, tile)) return wait_for_kernels_before();\n  const std::byte* strip = tile.strips + uint64_t{blockIdx.x} * args.shape.strip_bytes();\n  const uint32_t my_row = tile.begin + group;\n  const uint4* x = my_row < tile.end ? reinterpret_cast<const uint4*>(x_row(args, my_row)) + quad : nullptr;\n  wait_for_kernels_before();\n"),
    ("attention reads its query too early", "kernels/cuda/attention.cu", "attend_kernel(AttendOp args) {\n  wait_for_kernels_before();\n  let_next_kernel_begin();\n  const uint32_t token = blockIdx.x, kv_head = blockIdx.y;\n  Shared& shared = *static_cast<Shared*>(shared_memory());\n  const Looker looker = look(args, token, kv_head);\n", "attend_kernel(AttendOp args) {\n  const uint32_t token = blockIdx.x, kv_head = blockIdx.y;\n  Shared& shared = *static_cast<Shared*>(shared_memory());\n  const Looker looker = look(args, token, kv_head);\n  wait_for_kernels_before();\n"),
]


def noticed(path: Path, old: str, new: str, test: str, folder: Path) -> str | None:
    """What noticed the mutant; None where nothing did."""
    text, file = path.read_text(), path.name
    if text.count(old) != 1:
        return f"ERROR: the text that it replaces stands there {text.count(old)} times"
    source, broken, program = folder / file, folder / "broken.o", folder / "tests"
    source.write_text(text.replace(old, new))
    made = subprocess.run(["g++", *FLAGS, "-x", "c++", "-c", str(source), "-o", str(broken)], capture_output=True, text=True)
    if made.returncode != 0:
        return f"ERROR: does not compile: {made.stderr[:300]}"
    objects = BUILD / "tests/support/CMakeFiles/gossamer_device.dir"
    others = [str(path) for path in objects.rglob("*.o") if path.name != f"{file}.o"]
    room, program_name = test.split("/")
    tests = [str(path) for path in (BUILD / f"tests/{room}/CMakeFiles/{program_name}.dir").rglob("*.o")]
    rooms = [str(BUILD / "tests/support/libgossamer_test_support.a")] + [str(BUILD / f"src/{room}/libgossamer_{room}.a") for room in ("model", "kv", "kernels", "checkpoint", "tokenizer", "base")]
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
    mutants = [(name, KERNELS / file, old, new, KERNELS_TEST) for name, file, old, new in MUTANTS]
    mutants += [(name, ROOT / "src" / file, old, new, GRAPH_TEST) for name, file, old, new in GRAPH_MUTANTS]
    chosen = [mutant for mutant in mutants if not sys.argv[1:] or mutant[0] in sys.argv[1:]]
    if not chosen:
        print("no such mutant; there are:", *(mutant[0] for mutant in mutants), sep="\n  ")
        return 2
    if not all((BUILD / "tests" / test).exists() for test in (KERNELS_TEST, GRAPH_TEST)):
        print("build the tests first: ./test -N")
        return 2
    wrong = 0
    for mutant in chosen:
        with tempfile.TemporaryDirectory() as folder:
            found = noticed(*mutant[1:], Path(folder))
        wrong += found is None or found.startswith("ERROR")
        print(f"{mutant[0]:<50} {found or 'SURVIVES'}", flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} noticed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
