#!/usr/bin/env python3
"""Examine the shipped model with the built program, on questions that training never saw.

    tools/mini/exam.py --seed N [--count 400] [--show] [--skill NAME] [--program ./gossamer] [--model models/gossamer-mini]

Questions are freshly generated from the seed; generative skills ask only what the keep-out hash reserves for
the exam (see skills/common.py). Reports accuracy by skill, the length of the analysis by effort, and on the
last line the overall accuracy and the share of completions that are well formed: a strict parse without
error, ended by <|return|> or <|call|>, calls to declared functions with valid JSON arguments that fit the
schema. Nothing is constrained while decoding (`gossamer generate --unconstrained`). Plain Python 3.11, no packages.
"""
import argparse
import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import harmony
from conversation import Conversation, converse
from grading import final_is_right, fits_schema
from program import Answer, answers, text_of
from skills import EFFORTS, SKILLS, Turn, draw

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Question:
    conversation: Conversation
    given: list[Answer] = field(default_factory=list)
    wrong: str | None = None

    @property
    def prompt(self) -> list[harmony.Message]:
        return self.conversation.messages[:self.conversation.answer_from]


def questions(seed: int, count: int, only: str | None) -> list[Question]:
    rng = random.Random(f"exam {seed}")
    names = [only] if only else list(SKILLS)
    asked: set[str] = set()
    return [Question(converse(rng, draw_new(rng, names[n % len(names)], asked), [], EFFORTS[n // len(names) % len(EFFORTS)])) for n in range(count)]


def draw_new(rng: random.Random, skill: str, asked: set[str]) -> Turn:
    """A question whose key is not among those asked: a few fixed sentences of the generators would otherwise come up
    again and again. Members of closed sets may repeat, in other words."""
    for _ in range(1000):
        turn = draw(rng, skill, exam=True)
        if turn.closed or turn.key.lower() not in asked:
            break
    asked.add(turn.key.lower())
    return turn


def malformed(question: Question, answer: Answer) -> str | None:
    """Why the completion is not well formed, or nothing."""
    if answer.error:
        return f"parse error: {answer.error}"
    if not answer.ended:
        return "no end"
    if answer.call:
        name = answer.call["recipient"].removeprefix("functions.")
        tool = next((t for t in question.conversation.turn.tools or [] if t["name"] == name), None)
        if tool is None:
            return f"{name} is not declared"
        try:
            arguments = json.loads(text_of(answer.call))
        except ValueError:
            return "arguments are not JSON"
        return None if fits_schema(tool, arguments) else "arguments do not fit the schema"
    return None if answer.final is not None else "neither a final message nor a call"


def grade_call(question: Question, answer: Answer) -> bool:
    """Is the call the expected one? Otherwise says what is wrong."""
    use = question.conversation.turn.tool_use
    assert use is not None
    if answer.call is None:
        question.wrong = f"no call to {use.name}"
        return False
    text = text_of(answer.call)
    try:
        right = answer.call["recipient"] == f"functions.{use.name}" and json.loads(text) == use.arguments
    except ValueError:
        right = False
    if not right:
        question.wrong = f"expected {use.name} {json.dumps(use.arguments, ensure_ascii=False)}"
    return right


def grade_final(question: Question, answer: Answer) -> None:
    turn = question.conversation.turn
    if answer.final is None or not final_is_right(turn.check, answer.final):
        question.wrong = f"expected {turn.answer}"


def ask(asked: list[Question], program: Path, model: Path, max_tokens: int) -> None:
    """Both rounds: every question, then the results of right calls."""
    again = []
    for q, answer in zip(asked, answers(program, model, [q.prompt for q in asked], max_tokens)):
        q.given.append(answer)
        if q.conversation.turn.tool_use is None:
            grade_final(q, answer)
        elif grade_call(q, answer):
            again.append(q)
    results = []
    for q in again:
        use = q.conversation.turn.tool_use
        assert use is not None
        results.append(q.prompt + q.given[0].messages + [harmony.result(use.name, use.result)])
    for q, answer in zip(again, answers(program, model, results, max_tokens)):
        q.given.append(answer)
        grade_final(q, answer)


def report(asked: list[Question], show: bool) -> None:
    ill = [(q, why) for q in asked for a in q.given if (why := malformed(q, a))]
    if show:
        for q in asked:
            reasons = [q.wrong] + [why for other, why in ill if other is q]
            for why in filter(None, reasons):
                print(f"[{q.conversation.turn.skill}, {q.conversation.effort}] {q.conversation.turn.question!r}\n    {why}\n    got {q.given[-1].text!r}")
    for skill in SKILLS:
        mine = [q for q in asked if q.conversation.turn.skill == skill]
        if mine:
            right = sum(q.wrong is None for q in mine)
            print(f"{skill:16} {right / len(mine):.3f}  ({right} of {len(mine)})")
    for effort in EFFORTS:
        lengths = [len(q.given[0].channel("analysis").split()) for q in asked if q.conversation.effort == effort]
        if lengths:
            print(f"analysis, {effort:6} {sum(lengths) / len(lengths):.1f} words")
    total = sum(len(q.given) for q in asked)
    print(f"overall: {sum(q.wrong is None for q in asked) / len(asked):.2f} well-formed: {1 - len(ill) / total:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--skill", choices=list(SKILLS), help="ask only this skill")
    parser.add_argument("--show", action="store_true", help="list the wrong answers")
    parser.add_argument("--max-tokens", type=int, default=400)
    parser.add_argument("--program", type=Path, default=ROOT / "gossamer")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "gossamer-mini")
    args = parser.parse_args()
    asked = questions(args.seed, args.count, args.skill)
    ask(asked, args.program, args.model, args.max_tokens)
    report(asked, args.show)


if __name__ == "__main__":
    main()
