"""Sorting short lists of numbers, smallest first."""
import random

from .common import Turn, efforts, spell_list, vary

SORT_FORMS = ["Sort these numbers: {l}", "Sort {l}", "Sort {l}.", "Sort the list {l}", "Sort this list: {l}", "Sort the numbers {l}", "Put these numbers in order: {l}", "Sort {l} in ascending order.",
      "Sort from smallest to largest: {l}", "Can you sort {l}?"]


def _written(rng: random.Random, items: list[str]) -> str:
    roll = rng.random()
    if roll < 0.75:
        return ", ".join(items)
    if roll < 0.85:
        return " ".join(items)
    return "[" + ", ".join(items) + "]" if roll < 0.92 else spell_list(items)


def sorting(rng: random.Random) -> Turn:
    numbers = rng.sample(range(rng.choice([20, 100, 100, 100])), rng.choice([3, 3, 3, 3, 4]))
    items, ordered = [str(n) for n in numbers], [str(n) for n in sorted(numbers)]
    answer = ", ".join(ordered)
    question = vary(rng, rng.choice(SORT_FORMS).format(l=_written(rng, items)), lower=0)
    # the list is said again first, in one form whatever the question's: so are sums, and it is what made them work
    return Turn("sorting", question, efforts(f"{' '.join(items)} → {' '.join(ordered)}", "I sort the list.", "The user wants a list in order. I begin with the smallest, and go on number by number."), answer,
                {"kind": "equals", "text": answer}, key=f"sort {' '.join(items)}")
