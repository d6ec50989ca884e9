#!/usr/bin/env python3
"""Breaks one rule of the cache or the scheduler at a time and checks that a test notices.

    tests/engine/mutants.py             # all of them, some minutes; ./test --mutants does the same
    tests/engine/mutants.py 'no fence'  # one

A test that no broken program fails proves nothing. Each mutant replaces one piece of text in a copy of the sources; the
unit tests of kv and scheduler and the storm are built with it and must fail, or hang where they ended before. A mutant
whose text is no longer in the sources is an error: it moves with the code that it breaks.
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [*sorted(ROOT.glob("src/kv/*.cc")), *(ROOT / "src/engine" / f for f in ("scheduler.cc", "tenant_fairness.cc")),
           ROOT / "tests/support/paper_model.cc", *(ROOT / "tests/engine" / f for f in ("scheduler_test.cc", "scheduler_storm_test.cc")),
           ROOT / "tests/kv/kv_manager_test.cc"]
STORM_SEEDS, STORM_SECONDS = "400", 240
NEWEST = "kv_.settle(sequence.pages, sequence.known, sequence.settled, newest_step());"

# name, file, what stands there, what the mutant says instead
MUTANTS = [
    ("sliding pages are freed by what is scheduled", "engine/scheduler.cc", NEWEST,
     NEWEST + " for (uint32_t b = sequence.scheduled / 32, window = kv_.shape().window_pages(); sequence.pages.sliding_begin + window < b;"
     " ++sequence.pages.sliding_begin) { PageId& page = sequence.pages.sliding[sequence.pages.sliding_begin];"
     " if (page != kNoPage) const_cast<PagePool&>(kv_.pool()).drop_reference(page); page = kNoPage; }"),
    ("a hit without its window", "kv/kv_manager.cc", "if (hit.nodes[i]->sliding == kNoPage) end = i;", "{}"),
    ("a hit with a short window", "kv/kv_manager.cc", "end - i <= window;)", "end - i < window;)"),
    ("one group is touched before the other is held", "kv/kv_manager.cc",
     "  for (uint32_t i = pages - window; i < pages; ++i) {\n    sequence.sliding[i]",
     "  if (pool_.num_free() == 0 && pool_.num_evictable() > 0) pool_.drop_reference(take_page());\n"
     "  for (uint32_t i = pages - window; i < pages; ++i) {\n    sequence.sliding[i]"),
    ("admission ignores what running ones still need", "engine/scheduler.cc",
     "pages_still_needed(sequence) + promised + watermark > kv_.pool().num_available()", "false"),
    ("R1: the pool is smaller than the longest sequence", "engine/scheduler.cc", "shape.longest_sequence(pages, unsettled)", "pages * kPageTokens"),
    ("R2: prompts that never fit are accepted", "engine/scheduler.cc", "if (sequence->max_tokens > limits_.max_sequence_tokens)", "if (false)"),
    ("R3: the first in line is preempted", "engine/scheduler.cc", "preempt(*running_.back());", "preempt(*running_.front());\n    return false;"),
    ("R4: pages that are coming are taken from others", "engine/scheduler.cc",
     "if (kv_.pool().num_available() + kv_.pool().num_coming() >= pages) return false;", ""),
    ("R4: who is about to end is preempted", "engine/scheduler.cc",
     "if (std::any_of(running_.begin() + static_cast<ptrdiff_t>(index) + 1, running_.end(), ends)) return false;", ""),
    # R5 alone cannot be broken: what a blocked sequence needs is among the pages that admission sets aside for running ones.
    ("pages are reused while a step reads them", "kv/kv_manager.cc", "if (newest <= retired_) return", "if (newest < ~0ull) return"),
    ("no sliding pages are kept for the end of a prompt", "kv/kv_manager.cc", "if (page < boundary && page + window >= boundary) return true;", ""),
    ("the window is one page short", "kv/kv_manager.cc", "if (page + window >= lowest_settled / kPageTokens) return true;",
     "if (page + window > lowest_settled / kPageTokens) return true;"),
    ("results of before a preemption count", "engine/scheduler.cc", " || found->second->epoch != row.epoch", ""),
    ("tenants share prefixes", "kv/prefix_index.h", "return salt | 1ull << 63;", "return (salt & 0) | 1ull << 63;"),
    ("a shared page is not counted", "kv/kv_manager.cc", "      pool_.add_reference(node->full);\n      park", "      park"),
    ("echo skips what is cached", "engine/scheduler.cc", "if (sequence.pages.shares_prefix && !sequence.computes_whole_prompt)\n    hit", "if (sequence.pages.shares_prefix)\n    hit"),
    ("decode waits behind a prompt", "engine/scheduler.cc", "const uint32_t beside = budget_tokens > answering ? budget_tokens - answering : 0;",
     "const uint32_t beside = budget_tokens;"),
    ("answers that wait for pages keep prompts waiting", "engine/scheduler.cc", "if (plan.rows.empty() && least == 0) return plan_step(now_us, 1);", ""),
    ("a budget of nothing computes prompts", "engine/scheduler.cc", "budget_tokens == 0 && answering > 0 ? 0 : limits_.min_prefill_tokens", "limits_.min_prefill_tokens"),
]


def compile_source(source: Path, root: Path, out: Path) -> None:
    command = ["g++", "-std=c++20", "-O1", f"-I{root}/src", f"-I{root}/tests", "-c", str(root / source.relative_to(ROOT)), "-o", str(out / f"{source.stem}.o")]
    subprocess.run(command, check=True, capture_output=True, text=True)


def run_tests(out: Path) -> str:
    """What the tests say of the objects in `out`: empty where all pass."""
    program = out / "tests"
    subprocess.run(["g++", *map(str, out.glob("*.o")), "-o", str(program), "-lgtest", "-lgmock", "-lgtest_main", "-lfmt", "-lpthread"], check=True)
    try:
        done = subprocess.run([str(program), "--gtest_fail_fast"], capture_output=True, text=True, timeout=STORM_SECONDS,
                              env={**os.environ, "GOSSAMER_STORM_SEEDS": STORM_SEEDS})
    except subprocess.TimeoutExpired:
        return "hangs"
    if done.returncode == 0:
        return ""
    failed = [line.split("] ")[1].split(" (")[0] for line in done.stdout.splitlines() if line.startswith("[  FAILED  ]")]
    return failed[0] if failed else f"ends with {done.returncode}"


def try_mutant(mutant: tuple[str, str, str, str], objects: Path) -> tuple[str, str | None]:
    """Name, and what noticed it: None where nothing did."""
    name, file, old, new = mutant
    text = (ROOT / "src" / file).read_text()
    if old not in text:
        return name, "ERROR: the text that it replaces is not there any more"
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder), Path(folder) / "objects"
        shutil.copytree(ROOT / "src", root / "src")
        shutil.copytree(ROOT / "tests", root / "tests", ignore=shutil.ignore_patterns("data"))
        (root / "src" / file).write_text(text.replace(old, new, 1))
        shutil.copytree(objects, out)
        try:
            for source in SOURCES:
                if file.endswith(".h") or source == ROOT / "src" / file:
                    compile_source(source, root, out)
        except subprocess.CalledProcessError as problem:
            return name, f"ERROR: does not compile: {problem.stderr[:300]}"
        return name, run_tests(out) or None


def main() -> int:
    chosen = [m for m in MUTANTS if not sys.argv[1:] or m[0] in sys.argv[1:]]
    if not chosen:
        print("no such mutant; there are:", *(m[0] for m in MUTANTS), sep="\n  ")
        return 2
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        objects = Path(folder)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as team:
            list(team.map(lambda source: compile_source(source, ROOT, objects), SOURCES))
            clean = run_tests(objects)
            (objects / "tests").unlink()
            if clean:
                print(f"the sources as they are fail: {clean}")
                return 1
            for name, noticed in team.map(lambda mutant: try_mutant(mutant, objects), chosen):
                wrong += noticed is None or noticed.startswith("ERROR")
                print(f"{name:<62} {noticed or 'SURVIVES'}", flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} noticed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
