"""Sorting short lists of numbers and of common words."""
import random

from .common import Turn, spell_list, vary
from .words import NAMES, SORT_WORDS

UP = ["Sort these numbers: {l}", "Sort {l}", "Sort {l}.", "sort {l}", "Sort the list {l}", "Sort this list: {l}", "Sort the numbers {l}", "Sort the following numbers: {l}",
      "Put these numbers in order: {l}", "Order these numbers: {l}", "Arrange {l} from smallest to largest.", "Sort {l} in ascending order.", "Sort ascending: {l}",
      "Sort from smallest to largest: {l}", "Sort these numbers from low to high: {l}", "List these from smallest to biggest: {l}", "Can you sort {l}?", "Please sort these: {l}",
      "Sort these numbers in ascending order: {l}", "Put {l} in ascending order.", "Order {l} from lowest to highest", "Sort: {l}", "Sort the list: {l}", "Please sort the numbers {l}."]
DOWN = ["Sort {l} in descending order.", "Sort these numbers in descending order: {l}", "Sort descending: {l}", "Sort from largest to smallest: {l}", "Arrange {l} from largest to smallest.",
        "Sort these numbers from high to low: {l}", "Order {l} from highest to lowest.", "Put these numbers in descending order: {l}", "List these from biggest to smallest: {l}",
        "Sort {l} from largest to smallest", "Sort in reverse order: {l}", "Please sort {l} from high to low."]
WORDS = ["Sort these words: {l}", "Sort these words alphabetically: {l}", "Sort {l} alphabetically.", "Put these words in alphabetical order: {l}", "Sort the words {l}", "Alphabetize {l}",
         "Sort {l}", "Sort the list: {l}", "Sort this list: {l}", "Order these words alphabetically: {l}", "Sort alphabetically: {l}", "Can you sort {l} in alphabetical order?",
         "Arrange these words in alphabetical order: {l}", "Please sort these words: {l}", "Sort the following words: {l}", "sort {l} from a to z", "Sort: {l}"]


def _written(rng: random.Random, items: list[str]) -> str:
    roll = rng.random()
    if roll < 0.62:
        return ", ".join(items)
    if roll < 0.74:
        return " ".join(items)
    if roll < 0.84:
        return "[" + ", ".join(items) + "]"
    if roll < 0.89:
        return ",".join(items)
    return spell_list(items)


def _selection(items: list[str], ordered: list[str], first: str) -> str:
    """Selection written out: take the first of the rest, again and again."""
    left, out = list(items), []
    for n, x in enumerate(ordered[:-1]):
        left.remove(x)
        out.append(f"{first.capitalize() if n == 0 else 'Next'} {x}, left {' '.join(left)}.")
    return " ".join(out + [f"Last {ordered[-1]}."])


def sorting(rng: random.Random) -> Turn:
    if rng.random() < 0.3:
        items = rng.sample(NAMES if rng.random() < 0.15 else SORT_WORDS, rng.choice([3, 3, 4, 4, 5]))
        if rng.random() < 0.1:
            items = [w.capitalize() for w in items]
        ordered, forms, first, order = sorted(items), WORDS, "first", "alphabetical"
    else:
        top = rng.choice([20, 99, 99, 99, 99, 999])
        numbers = [rng.randint(0, top) for _ in range(rng.choice([3, 3, 4, 4, 5, 5, 6] if top < 100 else [3, 4]))]
        down = rng.random() < 0.35
        items, ordered = [str(n) for n in numbers], [str(n) for n in sorted(numbers, reverse=down)]
        forms, first, order = (DOWN, "largest", "descending") if down else (UP, "smallest", "ascending")
    answer = ", ".join(ordered)
    question = vary(rng, rng.choice(forms).format(l=_written(rng, items)), ask=False, lower=0 if order == "alphabetical" else 0.12)
    selection = _selection(items, ordered, first)
    return Turn("sorting", question,
                (f"{order}: {' '.join(ordered)}", f"I sort in {order} order. {selection}",
                 f"The user wants these {len(items)} items in {order} order: {' '.join(items)}. I take the {first} of the rest each time. {selection} So the order is {answer}. That is {len(items)} items, as given."),
                answer, {"kind": "equals", "text": answer}, key=f"sort {order} {' '.join(items)}")
