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


POLITE_BEFORE = ["please ", "Please ", "Can you please ", "Could you ", "can you ", "Can you ", "Hey, ", "Hi, ", "Hello, ", "Hi! ",
                 "I need you to ", "I want you to ", "Help me: ", "quick: ", "Now ", "ok, ", "Okay, "]
ASK_BEFORE = ["Hey, ", "Hi, ", "Hello, ", "hi! ", "Hi! ", "Please tell me: ", "Can you tell me: ", "Quick question: ", "ok, ", "Okay, ", "So, ",
              "And ", "Tell me: ", "I wonder, ", "please: ", "Question: ", "Q: "]


def vary(rng: random.Random, text: str, ask: bool = True, lower: float = 0.12) -> str:
    """The same request as people type it: politeness, case, missing or doubled punctuation.
    `lower`: how often all of it is in lower case; 0 leaves the case of every letter alone."""
    if rng.random() < 0.16:
        before = rng.choice(ASK_BEFORE if ask else POLITE_BEFORE)
        text = before + (text[0].lower() + text[1:] if lower and text[:2] != "I " else text)
    roll = rng.random()
    if roll < 0.12:
        text = text.rstrip("?.! ")
    elif roll < 0.15:
        text = text.rstrip("?.! ") + rng.choice(["??", " ?", "!", "...", "?!", " please?", ", please", " please", " thanks", ", thanks!"])
    elif roll < 0.18:
        text = text.rstrip("?.! ") + rng.choice([", please?", " please.", ", please.", " Thanks!", "? Thanks.", "? please"])
    if rng.random() < lower:
        text = text.lower()
    elif lower and rng.random() < 0.02:
        text = text.upper()
    return text


def spell_list(items: list[str]) -> str:
    """a, b and c"""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]
