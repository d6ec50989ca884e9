"""Sorting short lists of numbers and of a few common words."""
import random

from .common import Turn, efforts, spell_list, vary

# the words that can be sorted: their order has to be learned one by one
POOL = """apple banana carrot cherry corn date egg fig fish grape honey ice juice kiwi lemon mango melon nut olive onion orange peach pear
pepper plum potato rice salt soup sugar tea tomato""".split()

UP = ["Sort these numbers: {l}", "Sort {l}", "Sort {l}.", "Sort the list {l}", "Sort this list: {l}", "Sort the numbers {l}", "Put these numbers in order: {l}", "Sort {l} in ascending order.",
      "Sort from smallest to largest: {l}", "Can you sort {l}?"]
DOWN = ["Sort {l} in descending order.", "Sort these numbers in descending order: {l}", "Sort from largest to smallest: {l}", "Sort descending: {l}"]
WORDS = ["Sort these words: {l}", "Sort these words alphabetically: {l}", "Sort {l} alphabetically.", "Put these words in alphabetical order: {l}", "Sort the words {l}", "Sort {l}", "Sort: {l}"]


def _written(rng: random.Random, items: list[str]) -> str:
    roll = rng.random()
    if roll < 0.75:
        return ", ".join(items)
    if roll < 0.85:
        return " ".join(items)
    return "[" + ", ".join(items) + "]" if roll < 0.92 else spell_list(items)


def sorting(rng: random.Random) -> Turn:
    if rng.random() < 0.2:
        items = rng.sample(POOL, rng.choice([3, 3, 4]))
        ordered, forms, order = sorted(items), WORDS, "alphabetical"
    else:
        numbers = rng.sample(range(rng.choice([20, 100, 100, 100])), rng.choice([3, 3, 4, 4, 5]))
        down = rng.random() < 0.25
        items, ordered = [str(n) for n in numbers], [str(n) for n in sorted(numbers, reverse=down)]
        forms, order = (DOWN, "descending") if down else (UP, "ascending")
    answer = ", ".join(ordered)
    question = vary(rng, rng.choice(forms).format(l=_written(rng, items)), lower=0)
    return Turn("sorting", question, efforts(f"{order}: {' '.join(ordered)}", "I sort the list.", "The user wants a list in order. I find out the order that is meant, and sort item by item."), answer,
                {"kind": "equals", "text": answer}, key=f"sort {order} {' '.join(items)}")
