#!/usr/bin/env python3
"""Breaks the kernels for GPUs one way at a time and checks that a test on the emulated device notices.

    tests/kernels/device_mutants.py                # all of them, some minutes; ./test --all does the same
    tests/kernels/device_mutants.py 'no sink'

As tests/engine/mutants.py: each mutant replaces one piece of text of one file, which is compiled and linked with the objects of
build/test for all the rest. First the tests of that kind of kernel run, then the others where those noticed nothing.
Standard library only.
"""
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "test"
KERNELS = ROOT / "src/kernels/cuda"
DEVICE = BUILD / "tests/support/CMakeFiles/gossamer_device.dir"
FLAGS = ["-std=c++20", "-O1", "-fno-strict-aliasing", "-Wno-unknown-pragmas", f"-I{ROOT}/src", f"-I{ROOT}/tests"]  # and definitions()
LIBRARIES = [str(path) for path in [*BUILD.glob("tests/support/libgossamer_test_support.a"), *BUILD.glob("tests/checkpoint/libgossamer_tiny_checkpoint.a")]]
LIBRARIES += [str(BUILD / f"src/{room}/libgossamer_{room}.a") for room in ("model", "kv", "sampling", "kernels", "checkpoint", "tokenizer", "base")]
LIBRARIES += [f"-l{library}" for library in ("boost_context", "gtest_main", "gmock", "gtest", "fmt", "hwloc", "xxhash", "zstd", "pthread")]
COMMON = "kernels/cuda/launch.h"  # what every kernel includes first: compiled once
SECONDS = 240

# Which tests look at a file first, in which program (none: KERNELS_TEST); then all others. What stands here decides how long
# all of it takes, and nothing else.
KERNELS_TEST, GRAPH_TEST, DEVICE_TEST, SYNTHETIC_TEST = "device_kernels_test", "device_graph_test", "device_test", "synthetic_device_test"
FIRST = {
    "attention.cu": "DeviceSinks*:DeviceAttention.*:*PagesLieBeyond*",
    "attention_parts.h": "DeviceSinks*:*DeviceChecks*attention*int8*",
    "attention_prefill.cu": "DevicePrefillAttention*",
    "cache_place.h": "*TokensWriteTheirOwnPlaces*:*PagesLieBeyond*",
    "choose.cu": "DeviceChoice*",
    "elementwise.cu": "DeviceElementwise*:DeviceAttention.Keys*",
    "exp_weight.h": "DeviceSample.Weights*",
    "experts.cu": "DeviceExperts*:DeviceFew*",
    "few_tokens.cu": "DeviceFew*",
    "host_experts.cu": "*DeviceChecks*host*",
    "pack_strips.cc": "StripLayout*:PackStrips*",
    "product_parts.h": "*DeviceChecks.Pass/experts:DeviceHopper*",
    "products.cu": "*DeviceChecks*product*",
    "products_hopper.cu": "DeviceHopper*",
    "device_hopper.h": "DeviceHopper*",
    "reduce.h": "DeviceElementwise*:DeviceExperts*",
    "roof_kernels.cu": "DeviceRoofs*",
    "row_select.h": "DeviceChoice*:DeviceSample*",
    "sample.cu": "DeviceSample*",
    "strip_sums.h": "DeviceHopper*",
    "synthetic.cu": (SYNTHETIC_TEST, "*"),
    "top_p.h": "DeviceSample*",
    "model/device_forward.cc": (GRAPH_TEST, "DeviceGraphSteps.*"),
    "model/device_graphs.cc": (GRAPH_TEST, "DeviceGraphSteps.*"),
    "model/device_head.cc": (GRAPH_TEST, "DeviceGraphSteps.Begin*"),
    "model/device_host_experts.cc": (DEVICE_TEST, "HostExperts*"),
    "model/device_memory.cc": (GRAPH_TEST, "DeviceGraphSteps.*"),
}
OF_HOST_EXPERTS = (DEVICE_TEST, "HostExperts*")


class Mutant(NamedTuple):
    """`file` is in src/kernels/cuda, with a folder below src/; `first`: the tests that are tried first, where not the file's."""
    name: str
    file: str
    old: str
    new: str
    first: tuple[str, str] | None = None


MUTANTS = [Mutant(*each) for each in (
    ("slices are added before they are there", "products.cu", "  block_barrier();\n  if (warp != 0) return;", "  if (warp != 0) return;"),
    ("a stage is read before it is there", "products.cu", "    block_barrier();  // everybody's copies", "    // everybody's copies"),
    ("one copy too few is waited for", "products.cu", "wait_for_copies<kStages - 2>();", "wait_for_copies<kStages - 1>();"),
    ("scales of rows and columns are exchanged", "strip_sums.h", "byte = 2 * half + below;", "byte = 2 * below + half;"),
    ("nibbles in the wrong order", "strip_sums.h", "number = word << mxfp4_number_shift(p);", "number = word << mxfp4_number_shift(3 - p);"),
    ("a slice is added before its last step", "products.cu", "step == slice_begin(slice + 1, num_steps)", "step + 1 == slice_begin(slice + 1, num_steps)"),
    ("gate and up exchanged", "product_parts.h", "sums[j] + bias[group], sums[2 + j] + bias[group + 8]", "sums[2 + j] + bias[group + 8], sums[j] + bias[group]"),
    ("up is not clamped from below", "product_parts.h", "fminf(fmaxf(up, -limit), limit)", "fminf(up, limit)"),
    ("registers are not handed to a warpgroup's product", "products_hopper.cu", "    wgmma_fence(sums, a);\n#pragma unroll\n    for (uint32_t i = 0; i < 4; ++i) wgmma<true, takes_bf16(kFormat)>(sums, a[i], wgmma_operand_behind(x, i * 32));\n    wgmma_commit();\n    wgmma_wait(sums);\n    ring", "#pragma unroll\n    for (uint32_t i = 0; i < 4; ++i) wgmma<true, takes_bf16(kFormat)>(sums, a[i], wgmma_operand_behind(x, i * 32));\n    wgmma_commit();\n    wgmma_wait(sums);\n    ring"),
    ("a warpgroup's sums are not waited for", "products_hopper.cu", "      wgmma_wait(block);\n", ""),
    ("a stage is multiplied before it is full", "products_hopper.cu", "      ring.wait_full(step);\n      add_step", "      add_step"),
    ("a stage is filled before it is empty", "products_hopper.cu", "      ring.wait_empty(step);\n", ""),
    ("a stage is given back too early", "products_hopper.cu", "    wgmma_commit();\n    wgmma_wait(sums);\n    ring.release(step);", "    wgmma_commit();\n    ring.release(step);\n    wgmma_wait(sums);"),
    ("stores for tensor cores are not fenced", "products_hopper.cu", "      fence_stores();\n", ""),
    ("a stage is full before all lanes have stored", "products_hopper.cu", "    warp_barrier();\n    if (threadIdx.x % 32 == 0) mbarrier_arrive(full", "    if (threadIdx.x % 32 == 0) mbarrier_arrive(full"),
    ("the swizzle of another row", "products_hopper.cu", "swizzled_chunk(first_row, i % 2", "swizzled_chunk(first_row + 1, i % 2"),
    ("the tensor cores know of no swizzle", "device_hopper.h", "uint64_t{1} << 62", "uint64_t{0} << 62"),
    ("shared memory begins anywhere", "products_hopper.cu", " + (0u - shared_address(shared)) % kSwizzleBytes", ""),
    ("words are not transposed", "products_hopper.cu", "swizzled_chunk(first_row, i % 2 * 4 + word) * 16,", "swizzled_chunk(first_row, i % 2 * 4 + quad) * 16 - quad * 4 + word * 4,"),
    ("a folded scale is one octave off", "products_hopper.cu", "weights.fold_factors();", "weights.fold_factors() + 0x04040404u;"),
    ("blocks are added up without starting from zero", "products_hopper.cu", "wgmma<false, false>(block, a[0]", "wgmma<true, false>(block, a[0]"),
    ("no sink", "attention_parts.h", "fmaf(all.sum[i], factor, exp2_fast(sink - largest))", "(all.sum[i] * factor)"),
    ("a window of one less", "attention_parts.h", "end > window ? end - window : 0", "end > window ? end - window + 1 : 0"),
    ("a token does not see itself", "attention_parts.h", "position >= begin && position < end;", "position >= begin && position + 1 < end;"),
    ("maxima are read before they are there", "attention.cu", "  block_barrier();\n\n  Softmax all;\n  float factors", "  Softmax all;\n  float factors"),
    ("int8 values without their scale", "attention_parts.h", "first = first > 0 ? multiply_alone(first, scale) : 0;", "first = first > 0 ? multiply_alone(first, 1) : 0;"),
    ("the same row of the table for all", "elementwise.cu", "args.table + args.tokens[token] * args", "args.table + args.tokens[0] * args"),
    ("the mean of squares without eps", "reduce.h", "static_cast<float>(width) + eps)", "static_cast<float>(width) + 0 * eps)"),
    ("what is behind a row is not zero", "reduce.h", "const float low = i < width ? x[i] * scale * weight[i] : 0;", "const float low = i < width ? x[i] * scale * weight[i] : 1;"),
    ("half precision overflows", "reduce.h", "pack_bf16(low, high) : pack_f16_within(low, high)", "pack_bf16(low, high) : pack_f16(low, high)"),
    ("norms of the first rows, not the chosen ones", "elementwise.cu", "args.rows ? args.rows[row] : row", "row"),
    ("every sequence has the first one's pages", "cache_place.h", "places.table_begin[token] + position", "places.table_begin[token] * 0 + position"),
    ("pages are found in 32 bits when stored", "cache_place.h", "cache.memory + page * cache.page_bytes", "cache.memory + static_cast<uint32_t>(page * cache.page_bytes)"),
    ("pages are found in 32 bits when read", "attention.cu", "memory + table[page] * page_bytes", "memory + static_cast<uint32_t>(table[page] * page_bytes)"),
    ("keys are not rotated", "elementwise.cu", "    if (!is_value) rotate", "    if (head < args.num_heads) rotate"),
    ("the higher expert among equals", "experts.cu", "(a == b && of_a < of_b)", "(a == b && of_a > of_b)"),
    ("counts are not cleared", "experts.cu", "    args.counts[expert] = 0;\n", ""),
    ("the order of experts is forgotten", "experts.cu", "args.order ? args.order[place] : place", "place"),
    ("the host's experts have tiles", "experts.cu", "place + args.num_on_host < args.experts ? (count", "place < args.experts ? (count"),
    ("a slot is placed twice", "experts.cu", "place += all;", "place += before;"),
    ("a tile ends with its expert's rows or later", "experts.cu", "last < begin + count ? last : begin + count", "last"),
    ("a row of NaN chooses experts that are not there", "experts.cu", "if (expert >= args.experts) expert = choice;", "if (expert >= args.experts) expert = args.experts + choice;"),
    ("experts of the last lanes are never chosen", "experts.cu", "lane + 32 * i < args.experts && goes_first", "lane + 32 * i + 1 < args.experts && goes_first"),
    ("nibbles are packed the other way round", "pack_strips.cc", "codes[2 * pair + half];", "codes[2 * pair + 1 - half];"),
    ("scales of rows and columns are packed the other way round", "pack_strips.cc", "block % 2 * 2 + group_row / 8;", "block % 2 + group_row / 8 * 2;"),
    ("up before gate", "pack_strips.cc", "for (const BiasedRows* of : {&gate, &up})", "for (const BiasedRows* of : {&up, &gate})"),
    ("too large a scale is taken", "pack_strips.cc", "if (scale > kHighestScale)", "if (scale > kHighestScale + 1)"),
    ("biases of the strip above", "pack_strips.cc", "strip + shape.bias_offset() + group_row * 4, &rows[i].bias", "strip + shape.bias_offset() + group_row * 4, &rows[i % kStripRows].bias"),
    ("the higher token among equals", "row_select.h", "other.token < mine.token", "other.token > mine.token"),
    ("zeros of two signs are two numbers", "row_select.h", "logit == 0 ? 0.f : logit", "logit"),
    ("a penalty is rounded once less", "row_select.h", "  logit = multiply_exact(logit, logit > 0 ? 1.f / change.repetition : change.repetition);\n  return add_exact(logit, -change.penalty);", "  return fmaf(logit, logit > 0 ? 1.f / change.repetition : change.repetition, -change.penalty);"),
    ("masks are forgotten", "choose.cu", "  forbid(args, row, logits);\n", ""),
    ("halves of a head side by side", "few_tokens.cu", "at_b = dim + kHalfHead;", "at_b = dim + 1;"),
    ("a slice is read before it is there", "few_tokens.cu", "  block_barrier();\n  const uint32_t row = threadIdx.x", "  const uint32_t row = threadIdx.x"),
    ("the weight of the first choice for all", "few_tokens.cu", "sum = fmaf(args.weights[slot], total, sum);", "sum = fmaf(args.weights[token * args.active], total, sum);"),
    ("arrivals are not cleared", "experts.cu", "  if (threadIdx.x == 0) *arrived = 0;\n", ""),
    ("a slot after itself", "experts.cu", "(of_other == expert && other < slot);", "(of_other == expert && other <= slot);"),
    ("changes come too late", "choose.cu", "  change(args, row, logits);\n  block_barrier();\n", ""),
    ("a kernel waits for nobody", "elementwise.cu", "  let_next_kernel_begin();  // the product behind it asks for its weights while the kernel before still runs\n  wait_for_kernels_before();\n", ""),
    ("what a constraint forbids is drawn", "sample.cu", "      logits[token] = -INFINITY;\n", ""),
    ("the changed logit is told", "sample.cu", "      drawn.logit = args.own[row.first_change + low];", "      drawn.logit += 0;"),
    ("top_p of few takes one more", "sample.cu", "if (sum >= wanted) shared.weights[i] = 0;", "if (sum > wanted) shared.weights[i] = 0;"),
    ("top_k of many takes all equal ones", "sample.cu", "if (is_equal && place + 1 == wanted) shared.token", "if (is_equal && place + 1 >= wanted) shared.token"),
    ("min_p is forgotten behind top_p", "sample.cu", "{row.rule.min_p}, sum);", "{0}, sum);"),
    ("sums are added before they are there", "sample.cu", "  block_barrier();\n  if (threadIdx.x == 0) find_stretch", "  if (threadIdx.x == 0) find_stretch"),
    ("a stretch is drawn from before it is there", "sample.cu", "  block_barrier();\n  return threadIdx.x == 0 ? begin", "  return threadIdx.x == 0 ? begin"),
    ("a token that nobody may draw goes on", "sample.cu", "token < args.vocab ? token : 0;", "token;"),
    ("drawn tokens behind the first block are forgotten", "sample.cu", "blockIdx.x * kTakeThreads + threadIdx.x", "threadIdx.x"),
    ("answers wait where the next step writes", "model/device_head.cc", "  if (last_step_ > 0) GOS_TRY_STATUS(send_answers(step_of(last_step_), stream));\n", ""),
    ("orders are written over while they are sent", "model/device_head.cc", "  step.orders.rewind();\n  return {};\n}\n\nstd::span", "  for (Step& each : steps_) each.orders.rewind();\n  std::swap(steps_[0].orders, steps_[1].orders);\n  return {};\n}\n\nstd::span"),
    ("a step begins with what was drawn before the last", "model/device_head.cc", "step_of(last_step_ + 1).stayed", "step_of(last_step_).stayed"),
    ("top_p takes one equal one more", "top_p.h", "if (is_one && place + 1 == last)", "if (is_one && place == last)"),
    ("top_p forgets what lies before a digit", "top_p.h", "    search.before = before;", "    search.before = {0, 0};"),
    ("a product and a sum are rounded once", "exp_weight.h", "  p = add_exact(multiply_exact(p, r), 1.f);\n  return", "  p = fmaf(p, r, 1.f);\n  return"),
    ("what is left over goes to other lanes", "exp_weight.h", "if (lane == 0) add(i);", "if (lane == i - whole) add(i);"),
    ("a graph of another split", "model/device_graphs.cc", "return made.key == key;", "return made.key.num_tokens == key.num_tokens;"),
    ("a graph of another bucket", "model/device_graphs.cc", "return made.key == key;", "return made.key.max_chunks[0] == key.max_chunks[0];"),
    ("a graph of another cache", "model/device_forward.cc", "          cache.block(0, 0),\n", "          nullptr,\n"),
    ("graphs outlive their memory", "model/device_memory.cc", "  graphs_.drop();\n", ""),
    ("a bucket is filled up with other tokens", "model/device_forward.cc", "words[field * num_tokens_ + i - num_real];", "words[field * num_tokens_ + i - num_real] + (field == 0);"),
    ("a bucket is filled up with other pages", "model/device_forward.cc", "words[field * num_tokens_ + i - num_real];", "words[field * num_tokens_ + i - num_real] + (field == 2);"),
    ("chunks that no block computes", "model/device_forward.cc", "is_graph ? chunk_bucket(num_chunks)", "is_graph ? (chunk_bucket(num_chunks) + 1) / 2"),
    ("a product finds its tile too early", "products.cu", "  wait_for_kernels_before();\n  let_next_kernel_begin();\n  Tile tile;\n  if (!find_tile(args, 8, blockIdx.y, tile)) return;", "  Tile tile;\n  const bool found = find_tile(args, 8, blockIdx.y, tile);\n  wait_for_kernels_before();\n  if (!found) return;"),
    ("gate is not clamped", "product_parts.h", "  gate = fminf(gate, limit);\n", ""),
    ("what was there before is forgotten", "product_parts.h", "args.finish == Finish::kAccumulate ? out + value : value;", "value;"),
    ("a norm takes all rows in order", "elementwise.cu", "args.x + uint64_t{args.rows ? args.rows[row] : row} * args.width", "args.x + uint64_t{row} * args.width"),
    ("int8 is cut, not rounded", "elementwise.cu", "rintf(value * inverse)", "truncf(value * inverse)"),
    ("weights of two choices are exchanged", "experts.cu", "fmaf(args.weights[slot],", "fmaf(args.weights[slot ^ 1],"),
    ("the host is told before all of it is there", "host_experts.cu", "  block_barrier();\n  if (threadIdx.x == 0) raise_flag", "  if (threadIdx.x == 0) raise_flag"),
    ("the host's rows begin a place later", "host_experts.cu", "place < first ?", "place <= first ?"),
    ("some of the choices are not told", "host_experts.cu", "i < args.num_slots;", "i + 1 < args.num_slots;"),
    ("questions are read before they are there", "model/device_host_experts.cc", "  GOS_TRY_STATUS(wait_for_flag(told_, stream));\n", ""),
    ("a flag stays up", "model/device_forward.cc", "    host_experts_->expect();\n", "", OF_HOST_EXPERTS),
    ("the last layer's experts are not summed", "model/device_forward.cc", "  start(num_segments() - 1);\n", "  if (!host_experts_) start(0);\n", OF_HOST_EXPERTS),
    ("roof: copies are read before they are there", "roof_kernels.cu", "wait_for_copies<kAsyncStages - 1>();", "wait_for_copies<kAsyncStages>();"),
    ("roof: a chunk is asked for while it is read", "roof_kernels.cu", "    block_barrier();  // this stage was read", "    // this stage was read"),
    ("roof: the last steps are left out", "roof_kernels.cu", "step < num_steps; ++step) {\n    begin(", "step + 1 < num_steps; ++step) {\n    begin("),
    ("roof: a copy leaves some of it out", "roof_kernels.cu", "if constexpr (kCopies) to[", "if constexpr (kCopies) if (j > 0) to["),
    ("roof: fewer instructions than are counted", "roof_kernels.cu", "round < args.rounds;", "round + 1 < args.rounds;"),
    ("codes where there is no column", "synthetic.cu", "group_row < rows && col < cols", "group_row < rows"),
    ("codes where there is no row", "synthetic.cu", "group_row < rows && col < cols", "col < cols"),
    ("all experts are one", "synthetic.cu", "philox({v, strip_index, copy, args.name.tensor}", "philox({v, strip_index, 0, args.name.tensor}"),
    ("a round of Philox less", "synthetic.cu", "round < 10", "round < 9"),
    ("scales without what codes lack", "synthetic.cu", "kLowestScale + kScaleOfCodes", "kLowestScale"),
    ("biases of rows that are not there", "synthetic.cu", "row < edges.rows ?", "row < 16 ?"),
    ("what was before is not scaled down", "attention.cu", "    if (page % kStepPages == 0) scale_values(values, factors[page / kStepPages]);\n", ""),
    ("the largest of all steps, not of those so far", "attention.cu", "    if (step == warp)\n", ""),
    ("weights are read before they are there", "attention.cu", "  block_barrier();\n\n  for (float& value : values) value = 0;", "  for (float& value : values) value = 0;"),
    ("what is behind the end is not hidden", "attention_parts.h", "  if (num_valid >= kKvBlockTokens) return;\n", "  return;\n"),
    ("a tile's sums are not scaled down", "attention_prefill.cu", "scale_values(lookers.values[i][part], factor);", ";"),
    ("a tile's later tokens see what the first sees", "attention_prefill.cu", "return seen_from(position + token * kWarps, window); }", "return seen_from(position, window); }"),
    ("a tile's step is overwritten while it is read", "attention_prefill.cu", "    block_barrier();  // everybody's copies are there, and nobody reads the step before\n", ""),
    ("widened keys are read before they are there", "attention_prefill.cu", "      widen_step(shared.stages, step);\n      block_barrier();\n", "      widen_step(shared.stages, step);\n"),
    ("a tile's chunk is added twice", "attention_prefill.cu", "    lookers.clear(i);\n  }\n}", "  }\n}"),
    ("a tile's chunks are one", "attention_prefill.cu", "(step % kChunkSteps == kChunkSteps - 1 || step == last)", "(step == last)"),
    ("a tile ends one chunk early", "attention_prefill.cu", "args.partial ? op.args.max_chunks + 1 : 1", "args.partial ? op.args.max_chunks - 1 : 1"),
)]


def definitions() -> list[str]:
    """Those with which the build compiles for the emulated device."""
    commands = json.loads((BUILD / "compile_commands.json").read_text())
    command = next(entry["command"] for entry in commands if f"/{DEVICE.name}/" in entry["command"])
    return [word for word in shlex.split(command) if word.startswith("-D")]


def tell(command: list[str]) -> str | None:
    """What a compiler or linker complains of; None where it does not."""
    done = subprocess.run(command, capture_output=True, text=True)
    return f"ERROR: {done.stderr[:600]}" if done.returncode else None


def compile_common(folder: Path) -> None:
    """launch.h with all that it includes, once for all files; a compiler that cannot use it compiles it again."""
    (folder / COMMON).parent.mkdir(parents=True)
    tell(["g++", *FLAGS, "-x", "c++-header", str(ROOT / "src" / COMMON), "-o", str(folder / f"{COMMON}.gch")])


def run_tests(program: Path, tests: str) -> str | None:
    """Which test failed, or how the program ended; None where all pass."""
    try:
        done = subprocess.run([str(program), "--gtest_fail_fast", f"--gtest_filter={tests}"], capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return "hangs"
    if "[==========]" not in done.stdout or "Running 0 tests" in done.stdout:
        return f"ERROR: no test is called {tests}"
    if done.returncode == 0:
        return None
    failed = [line.split("] ")[1].split(" (")[0] for line in done.stdout.splitlines() if line.startswith("[  FAILED  ]")]
    running = [line.split("] ")[1] for line in done.stdout.splitlines() if line.startswith("[ RUN      ]")]
    complaint = (done.stderr.strip().splitlines() or [f"ends with {done.returncode}"])[-1]
    return failed[0] if failed else f"{running[-1] if running else ''}: {complaint}"


def path_of(file: str) -> Path:
    if "/" in file:
        return ROOT / "src" / file
    return next(KERNELS.rglob(file), KERNELS / file)


def sources_of(path: Path) -> list[Path]:
    """What is compiled again for a mutant of this file: itself, or what includes it."""
    if path.suffix != ".h":
        return [path]
    known: set[Path] = set()
    users = {path}
    while users > known:
        known |= users
        included = [f'#include "{user.relative_to(ROOT / "src")}"' for user in known if user.suffix == ".h"]
        users |= {other for other in [*KERNELS.rglob("*.*"), *(ROOT / "src/model").glob("device*.*")] if any(line in other.read_text() for line in included)}
    return sorted(user for user in users if user.suffix != ".h" and any(DEVICE.rglob(f"{user.name}.o")))


def tests_of(mutant: Mutant) -> list[tuple[Path, str]]:
    """Programs of tests, as the folders of their objects, and which of their tests: in the order in which they are tried."""
    folders = {folder.stem: folder for folder in BUILD.glob("tests/*/CMakeFiles/*device*_test.dir")}
    first = mutant.first or FIRST.get(mutant.file)
    program, tests = (KERNELS_TEST, first) if isinstance(first, str) else first or (KERNELS_TEST, "*")
    programs = sorted((KERNELS_TEST, GRAPH_TEST, DEVICE_TEST, SYNTHETIC_TEST), key=lambda each: each != program)
    rest = [(folders[each], f"-{tests}" if each == program else "*") for each in programs]
    return [(folders[program], tests), *(each for each in rest if each[1] != "-*")]


def stale_mutants() -> list[str]:
    """Those whose text moved or stands there twice."""
    counts = ((mutant.name, path_of(mutant.file).read_text().count(mutant.old)) for mutant in MUTANTS)
    return [f"{name}: ERROR: the text that it replaces stands there {count} times" for name, count in counts if count != 1]


def noticed(mutant: Mutant, common: Path) -> str | None:
    """What noticed the mutant; None where nothing did."""
    path = path_of(mutant.file)
    text = path.read_text()
    kept = set(subprocess.run(["ar", "t", str(BUILD / "tests/support/libgossamer_device.a")], capture_output=True, text=True, check=True).stdout.split())
    objects = {object.stem: str(object) for object in DEVICE.rglob("*.o") if object.name in kept}  # files that are gone leave theirs
    sources = sources_of(path)
    if not sources or not objects.keys() >= {source.name for source in sources}:
        return f"ERROR: {mutant.file} is in none of the objects of {DEVICE}"
    with tempfile.TemporaryDirectory() as own:
        broken = Path(own) / path.relative_to(ROOT / "src")
        broken.parent.mkdir(parents=True)
        broken.write_text(text.replace(mutant.old, mutant.new))
        for source in sources:
            objects[source.name] = f"{own}/{source.name}.o"
            if fault := tell(["g++", f"-I{own}", f"-I{common}", *FLAGS, "-x", "c++", "-c", str(broken if source == path else source), "-o", objects[source.name]]):
                return fault
        for folder, tests in tests_of(mutant):
            program = Path(own) / folder.stem
            if not program.exists() and (fault := tell(["g++", *objects.values(), *map(str, folder.rglob("*.o")), *LIBRARIES, "-o", str(program)])):
                return fault
            if found := run_tests(program, tests):
                return found
    return None


def main() -> int:
    chosen = [mutant for mutant in MUTANTS if not sys.argv[1:] or mutant.name in sys.argv[1:]]
    if not chosen:
        print("no such mutant; there are:", *(mutant.name for mutant in MUTANTS), sep="\n  ")
        return 2
    tests = BUILD / "tests/kernels/device_kernels_test"
    if not tests.exists():
        print("build the tests first: ./test -N")
        return 2
    if stale := stale_mutants():
        print(*stale, sep="\n")
        return 1
    FLAGS.extend(definitions())
    wrong, started = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as team:
        sound = team.submit(run_tests, tests, "*")
        compile_common(Path(folder))
        for mutant, found in zip(chosen, team.map(lambda mutant: noticed(mutant, Path(folder)), chosen)):
            wrong += found is None or found.startswith("ERROR")
            print(f"{mutant.name:<58} {found or 'SURVIVES'}", flush=True)
        if sound.result():
            print(f"the kernels as they are fail: {sound.result()}")
            return 1
    print(f"{len(chosen) - wrong} of {len(chosen)} noticed in {time.monotonic() - started:.0f} s")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
