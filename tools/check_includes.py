#!/usr/bin/env python3
"""Checks the include direction of src/: a file includes only its own room and the rooms after DEPENDS in its CMakeLists.txt.

A new arrow is a conversation first and then a change there and in src/README.md, which draws them.
Standard library only. Exit status 1 where an include breaks the rule; each is named.
"""
import re
import sys
from pathlib import Path

SRC = Path(__file__).resolve().parents[1] / "src"
DEPENDS = re.compile(r"^gossamer_room\(.*?DEPENDS\s+([a-z_ \n]*)", re.MULTILINE | re.DOTALL)
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def may_include() -> dict[str, set[str]]:
    """The rooms that each room names, and itself."""
    arrows = {}
    for path in SRC.glob("*/CMakeLists.txt"):
        found = DEPENDS.search(path.read_text(encoding="utf-8"))
        arrows[path.parent.name] = {path.parent.name, *(found.group(1).split() if found else [])}
    return arrows


def cycles(arrows: dict[str, set[str]]) -> list[str]:
    """Pairs of rooms of which each reaches the other."""
    reached = {room: set(others) for room, others in arrows.items()}
    for _ in arrows:
        for others in reached.values():
            others |= set().union(*(reached.get(other, set()) for other in others))
    return [f"{a} and {b} depend on each other" for a in arrows for b in arrows if a < b and b in reached[a] and a in reached[b]]


def broken_includes(arrows: dict[str, set[str]]) -> list[str]:
    broken = []
    for path in sorted([*SRC.rglob("*.h"), *SRC.rglob("*.cc"), *SRC.rglob("*.cu")]):
        name, room = path.relative_to(SRC), path.relative_to(SRC).parts[0]
        for included in INCLUDE.findall(path.read_text(encoding="utf-8")):
            other = included.split("/")[0]
            if other not in arrows:
                broken.append(f'{name}: "{included}" is not a path from src/')
            elif other not in arrows[room]:
                broken.append(f'{name}: {room} may not include {other} ("{included}")')
    return broken


def main() -> int:
    arrows = may_include()
    broken = cycles(arrows) + broken_includes(arrows)
    print("\n".join(broken) or f"includes: every arrow between the {len(arrows)} rooms of src/ is agreed")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
