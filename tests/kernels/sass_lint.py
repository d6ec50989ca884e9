#!/usr/bin/env python3
"""What the compiler made of the kernels for GPUs: no machine with a GPU is needed to see a spill or a missing instruction.

    sass_lint.py [--arch sm_80]... [--compiler DIR] [--verbose]

Compiles src/kernels/cuda/*.cu for each card (default: sm_80 and sm_90a) and reads the machine code: no kernel keeps numbers
in local memory or calls anything outside itself, none has more registers than its blocks are meant to have (168), products and attention multiply with tensor
cores, products read weights 16 bytes at a time, and their inner loops stay within a budget of instructions a weight
(docs/cuda.md). DIR is where ./gossamer setup cuda and ./test --cuda install the compiler.
"""
import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "src/kernels/cuda"
FLAGS = ["-std=c++20", "-O3", "--expt-relaxed-constexpr", "-DNDEBUG", f"-I{ROOT / 'src'}"]
MOST_REGISTERS = 168  # 65,536 are a multiprocessor's: room for a block of 256 threads and one of 128
MORE_REGISTERS = [(r"attend_tile_kernel<\d, 4u>", 255)]  # blocks of 128 threads, of which two are meant
FORMATS = {"0": "bf16", "1": "f16", "2": "q8", "3": "mxfp4"}
WEIGHTS_OF_HMMA = 8  # of a lane: 16 x 16 among 32


@dataclass
class Kernel:
    name: str
    registers: int
    stack_bytes: int
    instructions: list[tuple[int, str]] = field(default_factory=list)  # address, text without a guard

    def count(self, pattern: str) -> int:
        return sum(1 for _, text in self.instructions if re.match(pattern, text))

    def inner_loop(self) -> list[str]:
        """The loop with the most tensor-core instructions; of equals the first. None: the kernel has no such loop."""
        loops = []
        for address, text in self.instructions:
            jump = re.match(r"BRA(?:\.\S+)?\s+(?:\S+,\s*)?`?\(?0x([0-9a-f]+)", text)
            if jump and int(jump[1], 16) < address:
                body = [t for a, t in self.instructions if int(jump[1], 16) <= a <= address]
                if any(t.startswith("HMMA") for t in body):
                    loops.append(body)
        return max(loops, key=lambda body: sum(t.startswith("HMMA") for t in body), default=[])

    def instructions_per_weight(self, uses: int) -> float:
        """Of a lane, where every weight meets tensor cores `uses` times."""
        body = self.inner_loop()
        weights = sum(t.startswith("HMMA") for t in body) * WEIGHTS_OF_HMMA / uses
        return len(body) / weights if weights else float("inf")

    def instructions_per_step(self, tokens: int) -> float:
        """Of attention: scores, and then weights with values, are each a stretch without a branch where all tokens see all."""
        targets = {int(at, 16) for _, text in self.instructions if text.startswith("BRA") for at in re.findall(r"0x([0-9a-f]+)", text)}
        stretches: list[list[str]] = [[]]
        for address, text in self.instructions:
            if address in targets:
                stretches.append([])
            stretches[-1].append(text)
            if text.startswith("BRA"):
                stretches.append([])

        def cheapest(weighs: bool) -> float:
            fitting = [s for s in stretches if sum(t.startswith("HMMA") for t in s) >= 16 * tokens
                       and (sum(t.startswith("MUFU.EX2") for t in s) >= 8 * tokens) == weighs]
            return min(map(len, fitting), default=float("inf"))
        return (cheapest(False) + cheapest(True)) / tokens


def short_name(symbol: str) -> str:
    name = subprocess.run(["c++filt", symbol], capture_output=True, text=True, check=True).stdout.strip()
    name = re.sub(r"\(anonymous namespace\)::|gossamer::kernels::(cuda::)?|^void ", "", name)
    name = re.sub(r"\(StripFormat\)(\d)", lambda m: FORMATS[m[1]], name)
    return re.sub(r"\(KvDtype\)|\([^<>]*\)$", "", name)


def run(command: list[str], environment: dict) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def compiled(source: Path, arch: str, tools: Path, folder: Path) -> list[Kernel]:
    environment = dict(os.environ, PATH=f"{tools}:{os.environ['PATH']}")
    cubin = folder / f"{source.stem}.{arch}.cubin"
    remarks = run([str(tools / "nvcc"), *FLAGS, f"-arch={arch}", "-cubin", "-Xptxas", "-v", "-x", "cu", str(source), "-o", str(cubin)],
                  environment)
    for remark in re.findall(r"C75\d\d[^\n]*", remarks):
        sys.exit(f"{source.name} for {arch}: {remark}")
    usage = run([str(tools / "cuobjdump"), "-res-usage", str(cubin)], environment)
    kernels = {}
    for symbol, registers, stack in re.findall(r"Function (\S+):\s+REG:(\d+) STACK:(\d+)", usage):
        kernels[symbol] = Kernel(short_name(symbol), int(registers), int(stack))
    kernel = None
    for line in run([str(tools / "cuobjdump"), "-sass", str(cubin)], environment).splitlines():
        if function := re.search(r"Function : (\S+)", line):
            kernel = kernels[function[1]]
        elif (instruction := re.match(r"\s+/\*([0-9a-f]{4,})\*/\s+(?:@!?\S+\s+)?(.*?)\s*;", line)) and kernel:
            kernel.instructions.append((int(instruction[1], 16), instruction[2]))
    return list(kernels.values())


# A part of the kernel's name, and what holds for it: a pattern of instructions and how many there are at least.
WANTED = [
    (r"strip_of_\w+<(mxfp4|q8|f16)>", r"HMMA\.16816\.F32(?!\.BF16)", 4, "tensor cores in half precision"),
    (r"strip_of_\w+<bf16>", r"HMMA\.16816\.F32\.BF16", 4, "tensor cores in bf16"),
    (r"strip_of_\w+<", r"LDG\.E\.NA\.128\.CONSTANT", 1, "weights read 16 bytes at a time, past the cache"),
    (r"strip_of_warp<", r"LDGSTS\S*\.128", 1, "asynchronous copies of 16 bytes"),
    (r"attend_kernel<", r"HMMA\.16816\.F32\.BF16", 32, "tensor cores in bf16"),
    (r"attend_kernel<", r"LDG\.E\.128", 16, "keys and values read 16 bytes at a time"),
    # Of a step of 64 positions a token has 32 instructions; two kinds of steps.
    (r"attend_tile_kernel<\d, 4u>", r"HMMA\.16816\.F32\.BF16", 4 * 2 * 32, "tensor cores in bf16"),
    (r"attend_tile_kernel<\d, 2u>", r"HMMA\.16816\.F32\.BF16", 2 * 2 * 32, "tensor cores in bf16"),
    (r"attend_tile_kernel<", r"LDGSTS\S*\.128", 4, "asynchronous copies of 16 bytes"),
    (r"attend_tile_kernel<", r"LDS\.128", 2 * 32, "operands read 16 bytes at a time"),
    (r"attend_tile_kernel<", r"MOVM\.16\.MT88", 2 * 16, "weights transposed between registers"),
]
# How often a weight meets tensor cores once it is in registers, and the instructions of a lane that it may cost.
BUDGETS = [
    (r"strip_of_slices<mxfp4>", 1, 2.8),
    (r"strip_of_slices<q8>", 1, 2.6),
    (r"strip_of_slices<(f16|bf16)>", 1, 1.4),
    (r"strip_of_warp<mxfp4>", 8, 16.0),
    (r"strip_of_warp<q8>", 8, 16.0),
    (r"strip_of_warp<(f16|bf16)>", 8, 15.0),
]
# Tokens of a warp, and the instructions of a lane that one of them may cost in a step of 64 positions that all see; 32 of
# them are the tensor cores' own.
STEP_BUDGETS = [
    (r"attend_tile_kernel<1, 4u>", 4, 145),
    (r"attend_tile_kernel<1, 2u>", 2, 155),
    (r"attend_tile_kernel<2, 4u>", 4, 215),
    (r"attend_tile_kernel<2, 2u>", 2, 235),
]


def faults_of(kernel: Kernel) -> list[str]:
    faults = []
    if kernel.stack_bytes or kernel.count(r"(LDL|STL)\b"):
        faults.append(f"{kernel.stack_bytes} bytes of local memory, {kernel.count(r'LDL')} loads and {kernel.count(r'STL')} stores of it")
    if kernel.count(r"CALL(?!\.REL)"):  # relative ones go to the rare cases of a division or a root, in the kernel itself
        faults.append("it calls something")
    most_registers = next((most for name, most in MORE_REGISTERS if re.match(name, kernel.name)), MOST_REGISTERS)
    if kernel.registers > most_registers:
        faults.append(f"{kernel.registers} registers, {most_registers} are the most")
    for name, pattern, least, what in WANTED:
        if re.match(name, kernel.name) and kernel.count(pattern) < least:
            faults.append(f"{kernel.count(pattern)} of {pattern}: {what} are wanted")
    for name, tokens, most in STEP_BUDGETS:
        if re.match(name, kernel.name) and (cost := kernel.instructions_per_step(tokens)) > most:
            faults.append(f"{cost:.0f} instructions for a token and 64 positions, {most} are the budget")
    for name, uses, most in BUDGETS:
        if re.match(name, kernel.name) and (cost := kernel.instructions_per_weight(uses)) > most:
            faults.append(f"{cost:.2f} instructions a weight, {most} are the budget")
    return faults


def cost_of(kernel: Kernel) -> str:
    for name, tokens, _ in STEP_BUDGETS:
        if re.match(name, kernel.name):
            return f"{kernel.instructions_per_step(tokens):.0f}"
    uses = next((uses for name, uses, _ in BUDGETS if re.match(name, kernel.name)), None)
    return f"{kernel.instructions_per_weight(uses):.2f}" if uses else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", action="append", help="a card: sm_80, sm_90a, ...")
    parser.add_argument("--compiler", type=Path, default=ROOT / "build/cuda-wheels")
    parser.add_argument("--verbose", action="store_true", help="which instructions the inner loops have")
    arguments = parser.parse_args()
    tools = next(arguments.compiler.glob("lib/python3*/site-packages/nvidia/cu13/bin"), None)
    if not tools or not (tools / "cuobjdump").exists():
        sys.exit(f"{arguments.compiler} has no compiler with its tools; ./test --cuda installs them")
    folder = ROOT / "build/sass"
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [(source, arch) for arch in arguments.arch or ["sm_80", "sm_90a"] for source in sorted(SOURCES.glob("*.cu"))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: compiled(*job, tools, folder), jobs))
    failed = seen = 0
    matched: Counter[str] = Counter()
    print(f"{'':8}{'kernel':34} {'registers':>9} {'instructions':>12} {'a weight':>9}")
    for (source, arch), kernels in zip(jobs, results):
        for kernel in kernels:
            seen += 1
            matched.update(name for name, *_ in WANTED + BUDGETS + STEP_BUDGETS + MORE_REGISTERS if re.match(name, kernel.name))
            print(f"{arch:8}{kernel.name:34} {kernel.registers:9} {len(kernel.instructions):12} {cost_of(kernel):>9}")
            if arguments.verbose and kernel.inner_loop():
                print("        ", Counter(t.split()[0] for t in kernel.inner_loop()).most_common(12))
            for fault in faults_of(kernel):
                failed += 1
                print(f"FAILED: {source.name}: {kernel.name} for {arch}: {fault}")
    for name, *_ in WANTED + BUDGETS + STEP_BUDGETS + MORE_REGISTERS:
        if not matched[name]:
            failed += 1
            print(f"FAILED: no kernel is called {name}: a rule without a kernel says nothing")
    print(f"{seen} kernels, {failed} faults")
    return 1 if failed or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
