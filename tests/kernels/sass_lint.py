#!/usr/bin/env python3
"""What the compiler made of the kernels for GPUs: no machine with a GPU is needed to see a spill or a missing instruction.

    sass_lint.py [--arch sm_80]... [--compiler DIR] [--verbose]

Compiles src/kernels/cuda/*.cu for each card (default: sm_80 and sm_90a) and reads the machine code: no kernel keeps numbers
in local memory or calls anything outside itself, none has more than 168 registers, products and attention multiply with tensor
cores, products read weights 16 bytes at a time, and their inner loops stay within a budget of instructions a weight
(docs/cuda.md). Products by warpgroups are there for sm_90a, with its own instructions, and empty for every other card. DIR is where ./gossamer setup cuda and ./test --cuda install the compiler.
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
FORMATS = {"0": "bf16", "1": "f16", "2": "q8", "3": "mxfp4"}
SUMS = {"1": "slices", "2": "one run"}
MATRIX = ("HMMA", "HGMMA")
WEIGHTS_OF_HMMA = 8  # of a lane: 16 x 16 among 32; of HGMMA 64 x 16 among 128
EMPTY = 8  # instructions, without those that fill up a line


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
                if any(t.startswith(MATRIX) for t in body):
                    loops.append(body)
        return max(loops, key=lambda body: sum(t.startswith(MATRIX) for t in body), default=[])

    def instructions_per_weight(self, uses: int) -> float:
        """Of a lane, where every weight meets tensor cores `uses` times."""
        body = self.inner_loop()
        weights = sum(t.startswith(MATRIX) for t in body) * WEIGHTS_OF_HMMA / uses
        return len(body) / weights if weights else float("inf")


def short_name(symbol: str) -> str:
    name = subprocess.run(["c++filt", symbol], capture_output=True, text=True, check=True).stdout.strip()
    name = re.sub(r"\(anonymous namespace\)::|gossamer::kernels::(cuda::)?|^void ", "", name)
    name = re.sub(r"\(StripFormat\)(\d)", lambda m: FORMATS[m[1]], name)
    name = re.sub(r"(\d+)u, \(Sums\)(\d)", lambda m: f"{m[1]}, {SUMS[m[2]]}", name)
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
    (r"attend_kernel<", r"HMMA\.16816\.F32\.BF16", 4, "tensor cores in bf16"),
    (r"strips_of_warpgroups<(mxfp4|q8|f16), 64,", r"HGMMA\.64x64x16\.F32(?!\.BF16)", 4, "products by a warpgroup in half precision"),
    (r"strips_of_warpgroups<(mxfp4|q8|f16), 128,", r"HGMMA\.64x128x16\.F32(?!\.BF16)", 4, "products by a warpgroup in half precision"),
    (r"strips_of_warpgroups<(mxfp4|f16), 256,", r"HGMMA\.64x256x16\.F32(?!\.BF16)", 4, "products by a warpgroup in half precision"),
    (r"strips_of_warpgroups<bf16", r"HGMMA\.64x(64|128|256)x16\.F32\.BF16", 4, "products by a warpgroup in bf16"),
    (r"strips_of_warpgroups<", r"LDG\.E\.NA\.128\.CONSTANT", 1, "weights read 16 bytes at a time, past the cache"),
    (r"strips_of_warpgroups<", r"LDG\.E\.128", 4, "rows of x read 16 bytes at a time"),
    (r"strips_of_warpgroups<", r"STS\s", 16, "rows of x stored by words"),
    (r"strips_of_warpgroups<", r"UBLKPF\.L2", 2, "weights asked for ahead of their use"),
    (r"strips_of_warpgroups<", r"USETMAXREG", 2, "registers given from one warpgroup to others"),
]
# How often a weight meets tensor cores once it is in registers, and the instructions of a lane that it may cost.
BUDGETS = [
    (r"strip_of_slices<mxfp4>", 1, 2.8),
    (r"strip_of_slices<q8>", 1, 2.6),
    (r"strip_of_slices<(f16|bf16)>", 1, 1.4),
    (r"strip_of_warp<mxfp4>", 8, 16.0),
    (r"strip_of_warp<q8>", 8, 16.0),
    (r"strip_of_warp<(f16|bf16)>", 8, 15.0),
    (r"strips_of_warpgroups<mxfp4, \d+, one run>", 1, 3.9),
    (r"strips_of_warpgroups<mxfp4, 64, slices>", 1, 5.6),
    (r"strips_of_warpgroups<mxfp4, 128, slices>", 1, 7.6),
    (r"strips_of_warpgroups<q8, 64, slices>", 1, 5.4),
    (r"strips_of_warpgroups<q8, 128, slices>", 1, 7.4),
    (r"strips_of_warpgroups<(f16|bf16),", 1, 2.3),
]


def is_for_another_card(kernel: Kernel, arch: str) -> bool:
    return kernel.name.startswith("strips_of_warpgroups<") and arch != "sm_90a"


def faults_of(kernel: Kernel, arch: str) -> list[str]:
    faults = []
    if is_for_another_card(kernel, arch):
        used = len(kernel.instructions) - kernel.count("NOP")
        return [f"{used} instructions of a kernel that is for Hopper alone"] if used > EMPTY else []
    if kernel.stack_bytes or kernel.count(r"(LDL|STL)\b"):
        faults.append(f"{kernel.stack_bytes} bytes of local memory, {kernel.count(r'LDL')} loads and {kernel.count(r'STL')} stores of it")
    if kernel.count(r"CALL(?!\.REL)"):  # relative ones go to the rare cases of a division or a root, in the kernel itself
        faults.append("it calls something")
    if kernel.registers > MOST_REGISTERS:
        faults.append(f"{kernel.registers} registers, {MOST_REGISTERS} are the most")
    for name, pattern, least, what in WANTED:
        if re.match(name, kernel.name) and kernel.count(pattern) < least:
            faults.append(f"{kernel.count(pattern)} of {pattern}: {what} are wanted")
    for name, uses, most in BUDGETS:
        if re.match(name, kernel.name) and (cost := kernel.instructions_per_weight(uses)) > most:
            faults.append(f"{cost:.2f} instructions a weight, {most} are the budget")
    return faults


def cost_of(kernel: Kernel) -> str:
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
    print(f"{'':8}{'kernel':42} {'registers':>9} {'instructions':>12} {'a weight':>9}")
    for (source, arch), kernels in zip(jobs, results):
        for kernel in kernels:
            seen += 1
            if is_for_another_card(kernel, arch) and not faults_of(kernel, arch):
                continue
            matched.update(name for name, *_ in WANTED + BUDGETS if re.match(name, kernel.name))
            print(f"{arch:8}{kernel.name:42} {kernel.registers:9} {len(kernel.instructions):12} {cost_of(kernel):>9}")
            if arguments.verbose and kernel.inner_loop():
                print("        ", Counter(t.split()[0] for t in kernel.inner_loop()).most_common(12))
            for fault in faults_of(kernel, arch):
                failed += 1
                print(f"FAILED: {source.name}: {kernel.name} for {arch}: {fault}")
    for name, *_ in WANTED + BUDGETS:
        if not matched[name] and not (name.startswith("strips_of_warpgroups") and "sm_90a" not in {arch for _, arch in jobs}):
            failed += 1
            print(f"FAILED: no kernel is called {name}: a rule without a kernel says nothing")
    print(f"{seen} kernels, {failed} faults")
    return 1 if failed or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
