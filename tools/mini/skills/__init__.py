"""The skills of gossamer-mini and the mixture they are drawn in."""
import random
from typing import Callable

from .arithmetic import arithmetic
from .capitals import capitals
from .chat import identity, off_topic, small_talk
from .common import EFFORTS, ToolUse, Turn, held_out
from .jsonout import json_answer
from .memory import memory as _memory
from .sorting import sorting
from .tools import tools, undeclared
from .units import units

Skill = Callable[[random.Random], Turn]


def _fillers(rng: random.Random) -> list[tuple[str, str]]:
    """Turns that stand between a name and the question for it."""
    turns = [rng.choice([small_talk, small_talk, capitals, arithmetic, units])(rng) for _ in range(rng.choice([0, 1, 1, 2]))]
    return [(t.question, t.answer) for t in turns]


def memory(rng: random.Random) -> Turn:
    return _memory(rng, _fillers(rng))


def no_tool(rng: random.Random) -> Turn:
    return undeclared(rng, rng.choices([small_talk, identity, capitals, arithmetic, off_topic], [25, 15, 25, 20, 15])[0](rng))


# skill -> (share of training, maker); the exam asks all of them equally often
SKILLS: dict[str, tuple[float, Skill]] = {
    "small talk": (6, small_talk), "identity": (5, identity), "capitals": (12, capitals), "arithmetic": (18, arithmetic), "units": (9, units), "sorting": (14, sorting), "json": (11, json_answer),
    "memory": (5, memory), "tools": (13, tools), "no tool needed": (7, no_tool), "fallback": (5, off_topic)}


def draw(rng: random.Random, skill: str, exam: bool) -> Turn:
    """A question of the skill that belongs to the exam, or to training: the hash of its key decides."""
    make = SKILLS[skill][1]
    while True:
        turn = make(rng)
        if exam and turn.exam and (turn.closed or held_out(turn.key)):
            return turn
        if not exam and (turn.closed or not held_out(turn.key)):
            return turn


def draw_any(rng: random.Random) -> Turn:
    """A training question, skills in the proportions of the mixture."""
    names = list(SKILLS)
    return draw(rng, rng.choices(names, [SKILLS[n][0] for n in names])[0], exam=False)


__all__ = ["EFFORTS", "SKILLS", "ToolUse", "Turn", "draw", "draw_any", "held_out"]
