#!/usr/bin/env python3
"""Breaks one rule of the frames at a time and checks that a test notices.

    tests/harmony/frame_mutants.py             # all of them, some minutes; ./test --mutants does the same
    tests/harmony/frame_mutants.py 'two recipients'

As tests/engine/mutants.py: each mutant replaces one piece of text in a copy of the sources. The tests of frames are linked
with it, and with the libraries of build/test for all the rest, and must fail. Standard library only.
"""
import concurrent.futures
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "test"
SOURCES = [ROOT / "src/harmony" / f"{name}.cc" for name in ("frame_automaton", "frame_rules", "frame_vocabulary", "header_grammar", "word_trie")]
TESTS = [ROOT / "tests/harmony" / f"{name}.cc" for name in ("frame_automaton_test", "frame_walk", "frame_walk_test", "jsonl")]
WALK_TOKENS, SECONDS = "40000", 240

# name, file in src/harmony, what stands there, what the mutant says instead
MUTANTS = [
    ("a recipient in the final channel", "header_grammar.cc", "if (place.channel >= 0) return place.permits.with_recipient[place.channel];", "if (place.channel >= 0) return true;"),
    ("two recipients", "header_grammar.cc", "if (!has_recipients_ || place.recipient >= 0) return false;", "if (!has_recipients_) return false;"),
    ("the beginning of a name is a name", "header_grammar.cc", "if (recipient < 0) return false;\n  place.recipient = recipient;", "place.recipient = recipient < 0 ? 0 : recipient;"),
    ("the beginning of a channel is a channel", "header_grammar.cc", "return place.offset == kChannelNames[place.channel].size();", "return true;"),
    ("the beginning of a type is a type", "header_grammar.cc", "return place.type == kUnnamedType || place.offset == kTypes[place.type].size();", "return true;"),
    ("<|channel|> twice", "header_grammar.cc", "if (!behind_role && !behind_recipient) return false;", "if (!behind_role && !behind_recipient && place.part != Part::kChannel) return false;"),
    ("<|channel|> inside the role", "header_grammar.cc", "place.part == Part::kRole && place.offset == kRole.size();", "place.part == Part::kRole;"),
    ("every channel is usable", "header_grammar.cc", "return may_take_type(there) || may_name_recipient(there);", "return true;"),
    ("a message that is not permitted", "header_grammar.cc", "return is_behind_words(place) && may_take_type(place);", "return is_behind_words(place);"),
    ("<|constrain|> anywhere", "header_grammar.cc", "if (place.part != Part::kSpace && !is_behind_words(place)) return false;", ""),
    ("a space anywhere", "header_grammar.cc", "if (byte != ' ' || !is_behind_words(place)) return false;", "if (byte != ' ') return false;"),
    ("a call ends by <|end|> too", "frame_automaton.cc", "return may_end_turn ? kEndsByCall : 0;", "return may_end_turn ? kEndsByCall | kEndsByEnd : 0;"),
    ("reasoning ends the turn", "frame_automaton.cc", "return is_final && may_end_turn ?", "return may_end_turn ?"),
    ("an answer goes on behind its end", "frame_automaton.cc", "state_ = ends_turn ? State::kComplete : State::kBetween;", "state_ = State::kBetween;"),
    ("a spent budget changes no mask", "frame_automaton.cc", "if (in_reasoning() && budget_is_spent()) {", "if (false) {"),
    ("a spent budget opens analysis again", "frame_automaton.cc", "] = !budget_is_spent();", "] = true;"),
    ("nobody counts reasoning", "frame_automaton.cc", "if (in_reasoning()) ++reasoning_tokens_;", ""),
    ("a call that must be made is not", "frame_automaton.cc", "] = !request_->rules.must_call;", "] = true;"),
    ("no least number of tokens", "frame_automaton.cc", "num_tokens_ >= request_->rules.min_tokens", "true"),
    ("headers are single bytes", "frame_automaton.cc", "    allow_text(there, path, hash, mask);\n", ""),
    ("beginnings of tokens are forgotten", "frame_vocabulary.cc", "beginnings_[hash >> kHashShift] = true;", "beginnings_[hash >> kHashShift] = bytes.size() < 6;"),
    ("a token of a header is its first byte", "frame_automaton.cc", "for (const char byte : vocabulary().bytes(token))", "for (const char byte : vocabulary().bytes(token).substr(0, 1))"),
    ("a clone forgets what was reasoned", "frame_automaton.cc", "reasoning_tokens_(other.reasoning_tokens_)", "reasoning_tokens_(0)"),
    ("a clone forgets its header", "frame_automaton.cc", "header_(other.header_)", "header_(HeaderPlace::behind_role(HeaderPermits()))"),
    ("later headers permit everything", "frame_automaton.cc", "HeaderPlace::before_role(permits())", "HeaderPlace::before_role(HeaderPermits())"),
    ("anything stands for <|start|>", "frame_automaton.cc", "if (token != vocabulary().start()) return not_allowed(token, \"the place of <|start|>\");", ""),
    ("special tokens are text", "frame_vocabulary.cc", "if (tokenizer_->kind(token) != TokenKind::kText) continue;", "if (tokenizer_->kind(token) == TokenKind::kUnnamed) continue;"),
    ("any name can be called", "frame_rules.cc", "if (!fits)", "if (false)"),
    ("a named tool need not be declared", "frame_rules.cc", "choice.recipient) == recipients.end())", "choice.recipient) == recipients.begin() && false)"),
    ("tool choice none leaves the tools", "frame_rules.cc", "    case ToolChoice::Kind::kNone:\n      break;", "    case ToolChoice::Kind::kNone:\n      rules.recipients = std::move(recipients);\n      break;"),
]


def compile_source(source: Path, root: Path, out: Path) -> None:
    command = ["g++", "-std=c++20", "-O1", "-DFMT_SHARED", f'-DGOSSAMER_SOURCE_DIR="{ROOT}"', f'-DGOSSAMER_SHARED_DIR="{ROOT}/../shared"', f"-I{root}/src", f"-I{root}/tests",
               "-c", str(root / source.relative_to(ROOT)), "-o", str(out / f"{source.stem}.o")]
    subprocess.run(command, check=True, capture_output=True, text=True)


def run_tests(out: Path) -> str:
    """What the tests say of the objects in `out`: empty where all pass."""
    program = out / "tests"
    libraries = [str(BUILD / "src" / room / f"libgossamer_{room}.a") for room in ("harmony", "sampling", "tokenizer", "base")]
    subprocess.run(["g++", *map(str, out.glob("*.o")), *libraries, "-o", str(program), "-lgtest", "-lgmock", "-lgtest_main", "-lfmt", "-lzstd", "-lpthread"], check=True)
    try:
        done = subprocess.run([str(program), "--gtest_fail_fast"], capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS,
                              env={**os.environ, "GOSSAMER_WALK_TOKENS": WALK_TOKENS})
    except subprocess.TimeoutExpired:
        return "hangs"
    if done.returncode == 0:
        return ""
    failed = [line.split("] ")[1].split(" (")[0] for line in done.stdout.splitlines() if line.startswith("[  FAILED  ]")]
    return failed[0] if failed else f"ends with {done.returncode}"


def try_mutant(mutant: tuple[str, str, str, str], objects: Path) -> tuple[str, str | None]:
    """Name, and what noticed it: None where nothing did."""
    name, file, old, new = mutant
    source = ROOT / "src/harmony" / file
    text = source.read_text()
    if old not in text:
        return name, "ERROR: the text that it replaces is not there any more"
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder), Path(folder) / "objects"
        shutil.copytree(ROOT / "src", root / "src")
        (root / "src/harmony" / file).write_text(text.replace(old, new, 1))
        shutil.copytree(objects, out)
        try:
            compile_source(source, root, out)
        except subprocess.CalledProcessError as problem:
            return name, f"ERROR: does not compile: {problem.stderr[:300]}"
        return name, run_tests(out) or None


def main() -> int:
    chosen = [m for m in MUTANTS if not sys.argv[1:] or m[0] in sys.argv[1:]]
    if not chosen:
        print("no such mutant; there are:", *(m[0] for m in MUTANTS), sep="\n  ")
        return 2
    if not (BUILD / "src/harmony/libgossamer_harmony.a").exists():
        print("build the tests first: ./test -N")
        return 2
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        objects = Path(folder)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as team:
            list(team.map(lambda source: compile_source(source, ROOT, objects), [*SOURCES, *TESTS]))
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
