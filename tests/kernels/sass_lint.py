#!/usr/bin/env python3
"""What the compiler made of the kernels for GPUs: no machine with a GPU is needed to see a spill or a missing instruction.

    sass_lint.py [--arch sm_80]... [--compiler DIR] [--verbose]

Compiles the .cu files of src/kernels/cuda for each card (default: sm_80 and sm_90a) and reads the machine code: no kernel keeps
numbers in local memory or calls anything outside itself, none has more registers than it may, and each has the instructions that
its line in RULES wants, in inner loops within its budget of instructions a weight (docs/cuda.md). A kernel without a line and a
line without a kernel are faults too: what is not looked at is not known. DIR is where ./gossamer setup cuda and ./test --cuda
install the compiler. tests/kernels/sass_lint_test.py tries that each fault is seen.
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
FORMATS = {"0": "bf16", "1": "f16", "2": "q8", "3": "mxfp4"}
TENSOR_CORES = r"H(G)?MMA\b"
OVERLAPPING = r"sm_(90|100|120)"  # cards that can begin a kernel early
WEIGHTS_OF_INSTRUCTION = 8  # of a lane: HMMA 16 x 16 among 32, HGMMA 64 x 16 among 128


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
                loops.append([t for a, t in self.instructions if int(jump[1], 16) <= a <= address])
        loops = [body for body in loops if tensor_instructions(body)]
        return max(loops, key=tensor_instructions, default=[])

    def instructions_per_weight(self, uses: int) -> float:
        """Of a lane, where every weight meets tensor cores `uses` times."""
        body = self.inner_loop()
        weights = tensor_instructions(body) * WEIGHTS_OF_INSTRUCTION / uses
        return len(body) / weights if weights else float("inf")


def tensor_instructions(body: list[str]) -> int:
    return sum(1 for text in body if re.match(TENSOR_CORES, text))


# What a kernel may have to have: a pattern of instructions, how many at least, and what that is; a fourth word names the cards
# for which it is so, where it is not for all.
HALF = (r"HMMA\.16816\.F32(?!\.BF16)", 4, "tensor cores in half precision")
BF16 = (r"HMMA\.16816\.F32\.BF16", 4, "tensor cores in bf16")
WARPGROUP = (r"HGMMA\.64x", 1, "tensor cores by warpgroups")
ONCE = (r"LDG\.E\.NA\.128\.CONSTANT", 1, "weights read 16 bytes at a time, past the cache")
COPIES = (r"LDGSTS\S*\.128", 1, "asynchronous copies of 16 bytes")
BULK = (r"UBLKCP", 1, "bulk copies", "sm_90a")
AHEAD = (r"UBLKPF", 1, "weights asked for ahead of time", r"sm_(90|100|120)")
WARPGROUP_HALF = (r"HGMMA\.64x(64|128|256)x16\.F32(?!\.BF16)", 4, "products by a warpgroup in half precision")
WARPGROUP_BF16 = (r"HGMMA\.64x(64|128|256)x16\.F32\.BF16", 4, "products by a warpgroup in bf16")
OF_WARPGROUPS = [ONCE, (r"LDG\.E\.128", 4, "rows of x read 16 bytes at a time"), (r"STS\s", 16, "rows of x stored by words"),
                 (r"UBLKPF\.L2", 2, "weights asked for ahead of their use"), (r"USETMAXREG", 2, "registers given from one warpgroup to others")]
OF_TILES = [COPIES, (r"LDS\.128", 2 * 32, "operands read 16 bytes at a time"), (r"MOVM\.16\.MT88", 2 * 16, "weights transposed between registers")]
ONE_BY_ONE = [(r"[FD]FMA\b", "products and sums are rounded one by one: the bits are the host's")]
EMPTY = 8  # instructions of a kernel that is for other cards


@dataclass
class Rule:
    kernel: str  # a pattern of the whole name
    wants: list[tuple] = field(default_factory=list)
    uses: int = 0  # how often a weight meets tensor cores once it is in registers; 0: nobody counts
    budget: float = 0  # instructions of a lane that it may cost
    cards: str = "sm_"  # a pattern of the cards for which there is such a kernel
    registers: int = 168  # at most. 65,536 are a multiprocessor's: room for a block of 256 threads and one of 128
    never: list[tuple[str, str]] = field(default_factory=list)  # instructions that it may not have, and why
    overlaps: bool = True  # from Hopper on it begins before the kernels in front of it have ended
    most: int = 1 << 20  # instructions, without those that fill up a line: few of a kernel that is for other cards


# One line a kernel, of a template one for each of its kinds: a pattern for two of them is content with one.
RULES = [
    Rule(r"strip_of_slices<mxfp4>", [HALF, ONCE, AHEAD], 1, 2.8),
    Rule(r"strip_of_slices<q8>", [HALF, ONCE, AHEAD], 1, 2.6),
    Rule(r"strip_of_slices<f16>", [HALF, ONCE, AHEAD], 1, 1.4),
    Rule(r"strip_of_slices<bf16>", [BF16, ONCE, AHEAD], 1, 1.4),
    Rule(r"strip_of_warp<mxfp4>", [HALF, ONCE, COPIES], 8, 16.0),
    Rule(r"strip_of_warp<q8>", [HALF, ONCE, COPIES], 8, 16.0),
    Rule(r"strip_of_warp<f16>", [HALF, ONCE, COPIES], 8, 15.0),
    Rule(r"strip_of_warp<bf16>", [BF16, ONCE, COPIES], 8, 15.0),
    # Of products by warpgroups the last number is the order of sums: 1 in slices, 2 in one run.
    Rule(r"strips_of_warpgroups<mxfp4, \d+, 2>", [WARPGROUP_HALF, *OF_WARPGROUPS], 1, 3.9, cards="sm_90a"),
    Rule(r"strips_of_warpgroups<mxfp4, 64, 1>", [WARPGROUP_HALF, *OF_WARPGROUPS], 1, 5.6, cards="sm_90a"),
    Rule(r"strips_of_warpgroups<mxfp4, 128, 1>", [WARPGROUP_HALF, *OF_WARPGROUPS], 1, 7.6, cards="sm_90a"),
    Rule(r"strips_of_warpgroups<q8, 64, 1>", [WARPGROUP_HALF, *OF_WARPGROUPS], 1, 5.4, cards="sm_90a"),
    Rule(r"strips_of_warpgroups<q8, 128, 1>", [WARPGROUP_HALF, *OF_WARPGROUPS], 1, 7.4, cards="sm_90a"),
    Rule(r"strips_of_warpgroups<f16, .*>", [WARPGROUP_HALF, *OF_WARPGROUPS], 1, 2.3, cards="sm_90a"),
    Rule(r"strips_of_warpgroups<bf16, .*>", [WARPGROUP_BF16, *OF_WARPGROUPS], 1, 2.3, cards="sm_90a"),
    Rule(r"strips_of_warpgroups<.*>", cards="sm_(?!90a)", most=EMPTY, overlaps=False),
    Rule(r"qkv_kernel<mxfp4>", [HALF, ONCE, AHEAD]),
    Rule(r"qkv_kernel<q8>", [HALF, ONCE, AHEAD]),
    Rule(r"qkv_kernel<f16>", [HALF, ONCE, AHEAD]),
    Rule(r"qkv_kernel<bf16>", [BF16, ONCE, AHEAD]),
    Rule(r"contract_kernel<mxfp4>", [HALF, ONCE]),
    Rule(r"contract_kernel<q8>", [HALF, ONCE]),
    Rule(r"contract_kernel<f16>", [HALF, ONCE]),
    Rule(r"contract_kernel<bf16>", [BF16, ONCE]),
    Rule(r"attend_kernel<1>", [BF16, (r"LDG\.E\.128", 16, "keys and values read 16 bytes at a time")]),  # of a cache in bf16
    Rule(r"attend_kernel<2>", [BF16]),  # in int8
    Rule(r"attend_tile_kernel<\d, 4>", [(BF16[0], 4 * 2 * 32, BF16[2]), *OF_TILES], registers=255),  # blocks of 128 threads, of which two are meant
    Rule(r"attend_tile_kernel<\d, 2>", [(BF16[0], 2 * 2 * 32, BF16[2]), *OF_TILES]),
    Rule(r"join_chunks"),
    Rule(r"join_tile_chunks"),
    Rule(r"router_logits"),
    Rule(r"choose_experts"),
    Rule(r"plan_tiles"),
    Rule(r"place_slots"),
    Rule(r"route_and_plan"),
    Rule(r"combine_kernel"),
    Rule(r"combine_with_host_kernel"),
    Rule(r"tell_host_kernel", [(r"STG\.E\.128", 1, "rows stored 16 bytes at a time"), (r"MEMBAR\.\w+\.SYS", 1, "all of it before the flag"), (r"STG\.E\.STRONG\.SYS", 1, "a flag for the host")]),
    Rule(r"embed_kernel"),
    Rule(r"rmsnorm_kernel"),
    Rule(r"rope_store_kernel"),
    Rule(r"choose_kernel"),
    Rule(r"change_kernel"),
    Rule(r"top_k_kernel"),
    Rule(r"weigh_kernel", never=ONE_BY_ONE),
    Rule(r"draw_kernel"),
    Rule(r"take_drawn_kernel"),
    Rule(r"make_up_strip<?.*"),
    Rule(r"make_up_float<?.*"),
    Rule(r"make_up_bf16_numbers<?.*"),
    # What measures must do what it is measured for.
    Rule(r"fill_kernel"),
    Rule(r"loads_kernel<(false|0)>", [(r"LDG\.E\.NA\.128\.CONSTANT", 8, "loads of 16 bytes, past the cache")]),
    Rule(r"loads_kernel<(true|1)>", [(r"LDG\.E\.NA\.128\.CONSTANT", 8, "loads of 16 bytes, past the cache"), (r"STG\.E\.128", 8, "stores of 16 bytes")]),
    Rule(r"async_kernel", [(COPIES[0], 8, COPIES[2])]),
    Rule(r"bulk_kernel", [BULK]),
    Rule(r"mma_kernel<(false|0)>", [(HALF[0], 8, HALF[2])]),
    Rule(r"mma_kernel<(true|1)>", [(BF16[0], 8, BF16[2])]),
    Rule(r"mma_kernel"),  # a single one, of the self-test
    Rule(r"function_kernel"),
    Rule(r"nothing_kernel", overlaps=False),  # what a launch costs that waits for others
    Rule(r"overlapping_kernel"),
]


def short_name(symbol: str) -> str:
    name = subprocess.run(["c++filt", symbol], capture_output=True, text=True, check=True).stdout.strip()
    name = re.sub(r"\(anonymous namespace\)::|gossamer::kernels::(cuda::)?|^void ", "", name)
    name = re.sub(r"\(StripFormat\)(\d)", lambda m: FORMATS[m[1]], name)
    name = re.sub(r"(\d+)u\b", r"\1", name)
    return re.sub(r"\((KvDtype|Sums)\)|\([^<>]*\)$", "", name)


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
    return read_kernels(run([str(tools / "cuobjdump"), "-res-usage", str(cubin)], environment),
                        run([str(tools / "cuobjdump"), "-sass", str(cubin)], environment))


def read_kernels(usage: str, listing: str) -> list[Kernel]:
    """From what cuobjdump -res-usage and -sass print."""
    kernels = {}
    for symbol, registers, stack in re.findall(r"Function (\S+):\s+REG:(\d+) STACK:(\d+)", usage):
        kernels[symbol] = Kernel(short_name(symbol), int(registers), int(stack))
    kernel = None
    for line in listing.splitlines():
        if function := re.search(r"Function : (\S+)", line):
            kernel = kernels.setdefault(function[1], Kernel(short_name(function[1]), 0, 0))
        elif (instruction := re.match(r"\s+/\*([0-9a-f]{4,})\*/\s+(?:@!?\S+\s+)?(.*?)\s*;", line)) and kernel:
            kernel.instructions.append((int(instruction[1], 16), instruction[2]))
    return list(kernels.values())


def rule_of(kernel: Kernel, arch: str, rules: list[Rule]) -> Rule | None:
    return next((rule for rule in rules if re.fullmatch(rule.kernel, kernel.name) and re.match(rule.cards, arch)), None)


def overlap_faults_of(kernel: Kernel) -> list[str]:
    """Of a kernel that may begin before those in front of it have ended: it waits for them before it looks at memory (weights may be
    read and asked for before: nobody writes them), and lets the next one begin."""
    faults = [f"no {instruction}: it does not {what}" for instruction, what in (("ACQBULK", "wait for the kernels before it"), ("PREEXIT", "let the next one begin"))
              if not kernel.count(instruction)]
    for _, text in kernel.instructions:
        if text.startswith("ACQBULK"):
            break
        if re.match(r"(LDG(?!\.E\.NA\.128\.CONSTANT)|LD\b|LD\.|STG|ST\b|ST\.|RED|ATOM|UBLKCP)", text):
            faults.append(f"{text}: memory is looked at before the kernels before are waited for")
    return faults


def faults_of(kernel: Kernel, arch: str, rules: list[Rule]) -> list[str]:
    rule = rule_of(kernel, arch, rules)
    if not rule:
        return ["no line of RULES in tests/kernels/sass_lint.py says what it must have"]
    faults = []
    if not kernel.count(r"EXIT\b") or not kernel.registers:
        faults.append(f"{len(kernel.instructions)} instructions and {kernel.registers} registers were read of it, no end among them: nothing is known")
    if kernel.stack_bytes or kernel.count(r"(LDL|STL)\b"):
        faults.append(f"{kernel.stack_bytes} bytes of local memory, {kernel.count(r'LDL')} loads and {kernel.count(r'STL')} stores of it")
    if kernel.count(r"CALL(?!\.REL)"):  # relative ones go to the rare cases of a division or a root, in the kernel itself
        faults.append("it calls something")
    if kernel.registers > rule.registers:
        faults.append(f"{kernel.registers} registers, {rule.registers} are the most")
    if kernel.count(r"USETMAXREG") and kernel.registers < rule.registers:
        faults.append(f"{kernel.registers} registers: the {rule.registers} of each thread are what warpgroups give each other, and with fewer one waits for ever")
    if (length := len(kernel.instructions) - kernel.count(r"NOP\b")) > rule.most:
        faults.append(f"{length} instructions, {rule.most} are the most")
    for pattern, least, what, *cards in rule.wants:
        if kernel.count(pattern) < least and re.match(cards[0] if cards else "", arch):
            faults.append(f"{kernel.count(pattern)} of {pattern}: {what} are wanted")
    for pattern, why in rule.never:
        if kernel.count(pattern):
            faults.append(f"{kernel.count(pattern)} of {pattern}: {why}")
    if rule.overlaps and re.match(OVERLAPPING, arch):
        faults += overlap_faults_of(kernel)
    if rule.uses and (cost := kernel.instructions_per_weight(rule.uses)) > rule.budget:
        faults.append(f"{cost:.2f} instructions a weight, {rule.budget} are the budget")
    return faults


def absent(kernels: list[Kernel], arch: str, rules: list[Rule]) -> list[str]:
    """Rules of that card whose kernel is not there."""
    used = {id(rule_of(kernel, arch, rules)) for kernel in kernels}
    return [rule.kernel for rule in rules if re.match(rule.cards, arch) and id(rule) not in used]


def cost_of(kernel: Kernel, arch: str) -> str:
    rule = rule_of(kernel, arch, RULES)
    return f"{kernel.instructions_per_weight(rule.uses):.2f}" if rule and rule.uses else ""


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
    cards = arguments.arch or ["sm_80", "sm_90a"]
    jobs = [(source, arch) for arch in cards for source in sorted(SOURCES.rglob("*.cu"))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda job: compiled(*job, tools, folder), jobs))
    failed = 0
    of_card: dict[str, list[Kernel]] = {arch: [] for arch in cards}
    print(f"{'':8}{'kernel':34} {'registers':>9} {'instructions':>12} {'a weight':>9}")
    for (source, arch), kernels in zip(jobs, results):
        of_card[arch] += kernels
        for kernel in kernels:
            print(f"{arch:8}{kernel.name:34} {kernel.registers:9} {len(kernel.instructions):12} {cost_of(kernel, arch):>9}")
            if arguments.verbose and kernel.inner_loop():
                print("        ", Counter(t.split()[0] for t in kernel.inner_loop()).most_common(12))
            for fault in faults_of(kernel, arch, RULES):
                failed += 1
                print(f"FAILED: {source.name}: {kernel.name} for {arch}: {fault}")
    for arch, kernels in of_card.items():
        for name in absent(kernels, arch, RULES):
            failed += 1
            print(f"FAILED: no kernel for {arch} is called {name}: a rule without a kernel says nothing")
    print(f"{sum(map(len, of_card.values()))} kernels, {failed} faults")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
