"""What every skill shares: the question-and-answer record, phrasing noise, and the keep-out hash."""
import hashlib
import random
from dataclasses import dataclass, field
from typing import Any

EFFORTS = ("low", "medium", "high")
EXAM_PARTS, EXAM_PART = 16, 7


@dataclass
class ToolUse:
    """One call of a declared function: what the assistant writes, what comes back."""
    name: str
    arguments: dict[str, Any]
    result: str
    think_after: tuple[str, str, str]


@dataclass
class Turn:
    """One question with everything needed to train on it or to grade an answer.

    think: the analysis for low, medium and high effort. check: see grading.py. key: what is asked, free of
    phrasing; its hash decides whether training or the exam may have it. closed: a member of a fixed set
    (always in training; the exam may ask it too unless `exam` is false). history: (user, final) turns before.
    """
    skill: str
    question: str
    think: tuple[str, str, str]
    answer: str
    check: dict[str, Any]
    key: str = ""
    closed: bool = False
    exam: bool = True
    instructions: str | None = None
    tools: list[dict] | None = None
    tool_use: ToolUse | None = None
    history: list[tuple[str, str]] = field(default_factory=list)


def held_out(key: str) -> bool:
    """True for the sixteenth of all questions that only the exam may ask."""
    return hashlib.sha256(key.lower().encode()).digest()[0] % EXAM_PARTS == EXAM_PART


def efforts(core: str, medium: str, high: str) -> tuple[str, str, str]:
    """The analyses for low, medium and high effort. All have the same working in them, so that what is learned in
    one is known in all; more effort says more around it."""
    return core, f"{medium} {core}", f"{high} {core}"


def vary(rng: random.Random, text: str, lower: float = 0.08) -> str:
    """The same request as people type it: missing punctuation, politeness, small letters.
    `lower`: how often all of it is in lower case; 0 leaves the case of every letter alone."""
    roll = rng.random()
    if roll < 0.12:
        text = text.rstrip("?.! ")
    elif roll < 0.16:
        text = text.rstrip("?.! ") + rng.choice(["??", " please", ", please.", ", please?", " Thanks!"])
    elif roll < 0.18:
        text = rng.choice(["Hi! ", "Please: ", "Hey, "]) + text
    return text.lower() if rng.random() < lower else text


def spell_list(items: list[str]) -> str:
    """a, b and c"""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]
