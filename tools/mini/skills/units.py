"""Unit conversion: powers of ten by shifting the point, whole factors by multiplying."""
import random
from decimal import Decimal

from .arithmetic import mul_work
from .common import Turn, efforts, vary

# (from, to, power of ten): exact shifts, both ways
SHIFTS = [("km", "m", 3), ("m", "cm", 2), ("cm", "mm", 1), ("kg", "g", 3), ("g", "mg", 3), ("l", "ml", 3), ("t", "kg", 3), ("m", "mm", 3), ("l", "cl", 2), ("cl", "ml", 1)]
# (from, to, factor): whole factors of one digit, or ten times one
FACTORS = [("hours", "minutes", 60), ("minutes", "seconds", 60), ("weeks", "days", 7), ("yards", "feet", 3), ("gallons", "quarts", 4)]

LONG = {"km": ["km", "km", "kilometers", "kilometres"], "m": ["m", "m", "meters", "metres"], "cm": ["cm", "cm", "centimeters"], "mm": ["mm", "millimeters"],
        "kg": ["kg", "kg", "kilograms", "kilos"], "g": ["g", "grams", "grams"], "mg": ["mg", "milligrams"], "l": ["l", "liters", "litres", "liters"],
        "ml": ["ml", "milliliters"], "t": ["t", "tons", "tonnes"], "cl": ["cl", "centiliters"],
        "hours": ["hours", "hours", "h"], "minutes": ["minutes", "minutes", "min"],
        "seconds": ["seconds", "seconds", "s"], "feet": ["feet", "feet", "ft"]}
SINGULAR = {"hours": "hour", "minutes": "minute", "weeks": "week", "feet": "foot", "yards": "yard", "gallons": "gallon", "meters": "meter"}
FORMS = ["Convert {v} {f} to {t}.", "Convert {v} {f} to {t}", "What is {v} {f} in {t}?", "How many {t} are {v} {f}?", "How many {t} are in {v} {f}?", "{v} {f} in {t}", "{v} {f} to {t}",
         "How much is {v} {f} in {t}?", "Convert {v} {f} into {t}."]


def plain(x: Decimal) -> str:
    text = format(x, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _turn(rng: random.Random, value: str, source: str, target: str, work: str, answer: str, **kw) -> Turn:
    f, t = rng.choice(LONG.get(source, [source])), rng.choice(LONG.get(target, [target]))
    if value == "1" and f == source:
        f = SINGULAR.get(f, f)
    text = f"{value} {source} = {answer} {target}."
    return Turn("units", vary(rng, rng.choice(FORMS).format(v=value, f=f, t=t)), efforts(work, "I convert the units.", "The user wants a value in another unit. First I need the rule between the two units."), text,
                {"kind": "contains", "all": [f" {answer} {target}"]}, key=f"units {value} {source} {target}", **kw)


def _shift(rng: random.Random) -> Turn:
    big, small, power = rng.choice(SHIFTS)
    factor = 10 ** power
    if rng.random() < 0.7:
        value = Decimal(rng.randint(1, 999)) / 10 if rng.random() < 0.3 else Decimal(rng.randint(1, rng.choice([99, 9999, 9999])))
        return _turn(rng, plain(value), big, small, f"1 {big} = {factor} {small}. {plain(value)} × {factor} = {plain(value * factor)}.", plain(value * factor))
    value = Decimal(rng.randint(1, 999))
    return _turn(rng, plain(value * factor), small, big, f"{factor} {small} = 1 {big}. {plain(value * factor)} ÷ {factor} = {plain(value)}.", plain(value))


def _factor(rng: random.Random) -> Turn:
    big, small, factor = rng.choice(FACTORS)
    n = rng.randint(1, 12) if rng.random() < 0.4 else rng.randint(1, 99)
    closed = n <= 12
    return _turn(rng, str(n), big, small, f"1 {SINGULAR[big]} = {factor} {small}. {mul_work(n, factor)}.", str(n * factor), closed=closed, exam=not closed)


def units(rng: random.Random) -> Turn:
    return rng.choices([_shift, _factor], [75, 25])[0](rng)
