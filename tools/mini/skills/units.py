"""Unit conversion: powers of ten by shifting the point, whole factors by multiplying, temperatures, and a few rough ones."""
import random
from decimal import Decimal

from .arithmetic import add_steps, mul_work, sub_steps
from .common import Turn, vary

# (from, to, power of ten): exact shifts, both ways
SHIFTS = [("km", "m", 3), ("m", "cm", 2), ("cm", "mm", 1), ("kg", "g", 3), ("g", "mg", 3), ("l", "ml", 3), ("t", "kg", 3), ("m", "mm", 3)]
# (from, to, factor): whole factors; the way back is asked for exact multiples only
FACTORS = [("hours", "minutes", 60), ("minutes", "seconds", 60), ("days", "hours", 24), ("weeks", "days", 7), ("feet", "inches", 12),
           ("yards", "feet", 3), ("years", "months", 12)]
# (from, to, factor in hundredths): rough, and said to be so
ROUGH = [("miles", "km", 160), ("km", "miles", 62), ("kg", "pounds", 220), ("pounds", "kg", 45), ("inches", "cm", 254), ("gallons", "liters", 380),
         ("feet", "meters", 30), ("meters", "feet", 330)]

LONG = {"km": ["km", "km", "kilometers", "kilometres"], "m": ["m", "m", "meters", "metres"], "cm": ["cm", "cm", "centimeters"], "mm": ["mm", "millimeters"],
        "kg": ["kg", "kg", "kilograms", "kilos"], "g": ["g", "grams", "grams"], "mg": ["mg", "milligrams"], "l": ["l", "liters", "litres", "liters"],
        "ml": ["ml", "milliliters"], "t": ["t", "tons", "tonnes"], "pounds": ["pounds", "lbs", "lb"], "°C": ["°C", "C", "degrees Celsius", "Celsius", "celsius"],
        "°F": ["°F", "F", "degrees Fahrenheit", "Fahrenheit", "fahrenheit"], "hours": ["hours", "hours", "h"], "minutes": ["minutes", "minutes", "min"],
        "seconds": ["seconds", "seconds", "s"], "feet": ["feet", "feet", "ft"], "inches": ["inches", "inches", "in"]}
SINGULAR = {"hours": "hour", "minutes": "minute", "days": "day", "weeks": "week", "feet": "foot", "yards": "yard", "years": "year", "miles": "mile",
            "pounds": "pound", "inches": "inch", "gallons": "gallon", "meters": "meter"}
FORMS = ["Convert {v} {f} to {t}.", "Convert {v} {f} to {t}", "convert {v} {f} into {t}", "What is {v} {f} in {t}?", "How many {t} are {v} {f}?", "How many {t} is {v} {f}?",
         "How many {t} are in {v} {f}?", "{v} {f} in {t}", "{v} {f} to {t}", "{v} {f} in {t}?", "Express {v} {f} in {t}.", "How much is {v} {f} in {t}?", "What's {v} {f} in {t}?",
         "Change {v} {f} to {t}.", "I have {v} {f}. How many {t} is that?", "Please convert {v} {f} to {t}.", "Can you convert {v} {f} to {t}?", "{v}{f} to {t}",
         "What is {v} {f} to {t}?", "Turn {v} {f} into {t}.", "Write {v} {f} in {t}."]


def plain(x: Decimal) -> str:
    text = format(x, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _turn(rng: random.Random, value: str, source: str, target: str, work: str, answer: str, rough: bool = False, **kw) -> Turn:
    f, t = rng.choice(LONG.get(source, [source])), rng.choice(LONG.get(target, [target]))
    if value == "1" and f == source:
        f = SINGULAR.get(f, f)
    form = rng.choice(FORMS)
    if form.startswith("{v}{f}") and len(f) > 2:
        form = FORMS[0]
    about = "about " if rough else ""
    sign = "≈" if rough else "="
    medium = f"I convert {source} to {target}. {work}"
    high = f"The user wants {value} {source} in {target}. First I need the rule. {work} I write the value with its unit. {value} {source} is {about}{answer} {target}."
    text = f"{value} {source} {sign} {answer} {target}."
    return Turn("units", vary(rng, form.format(v=value, f=f, t=t)), (work, medium, high), text,
                {"kind": "contains", "all": [f" {answer} {target}"]}, key=f"units {value} {source} {target}", **kw)


def _shift(rng: random.Random) -> Turn:
    big, small, power = rng.choice(SHIFTS)
    roll = rng.random()
    value = Decimal(rng.randint(1, 99) if roll < 0.25 else rng.randint(1, 9999) if roll < 0.6 else rng.randint(1, 99) * 100 if roll < 0.7 else 0)
    if roll >= 0.7:
        value = Decimal(rng.randint(1, 999)) / 10
    factor = 10 ** power
    if rng.random() < 0.5:
        return _turn(rng, plain(value), big, small, f"1 {big} = {factor} {small}. {plain(value)} × {factor} = {plain(value * factor)}.", plain(value * factor))
    return _turn(rng, plain(value), small, big, f"{factor} {small} = 1 {big}. {plain(value)} ÷ {factor} = {plain(value / factor)}.", plain(value / factor))


def _factor(rng: random.Random) -> Turn:
    big, small, factor = rng.choice(FACTORS)
    n = rng.randint(1, 12) if rng.random() < 0.5 else rng.randint(1, 99)
    rule = f"1 {SINGULAR[big]} = {factor} {small}."
    product = n * factor
    closed = n <= 12
    if rng.random() < 0.65:
        return _turn(rng, str(n), big, small, f"{rule} {mul_work(n, factor)}.", str(product), closed=closed, exam=not closed)
    n = rng.randint(1, 12)
    return _turn(rng, str(n * factor), small, big, f"{rule} {n}×{factor}={n * factor}, so {n}.", str(n), closed=True, exam=False)


def _temperature(rng: random.Random) -> Turn:
    if rng.random() < 0.55:
        c = rng.choice([0, 5, 10, 15, 20, 25, 30, 37, 40, 100]) if rng.random() < 0.4 else rng.randint(0, 100)
        tenths = c * 18
        product = plain(Decimal(tenths) / 10)
        work = f"°F = °C × 1.8 + 32. {c}×18={tenths}, so {product}. {product} + 32 = {plain(Decimal(tenths) / 10 + 32)}."
        return _turn(rng, str(c), "°C", "°F", work, plain(Decimal(tenths) / 10 + 32), closed=True, exam=False)
    f = rng.choice([32, 50, 68, 77, 86, 98, 100, 104, 212]) if rng.random() < 0.4 else rng.randint(32, 212)
    d = f - 32
    value = plain((Decimal(d * 5) / 9).quantize(Decimal("0.1")))
    return _turn(rng, str(f), "°F", "°C", f"°C = (°F - 32) × 5 ÷ 9. {f} - 32 = {d}. {d}×5={d * 5}. {d * 5}÷9={value}.", value, closed=True, exam=False)


def _rough(rng: random.Random) -> Turn:
    source, target, hundredths = rng.choice(ROUGH)
    n = rng.choice([1, 2, 3, 5, 10, 20, 26, 30, 42, 50, 60, 70, 80, 90, 100, 150, 180]) if rng.random() < 0.5 else rng.randint(1, 100)
    value = plain(Decimal(n * hundredths) / 100)
    factor = plain(Decimal(hundredths) / 100)
    whole = hundredths // 10 if hundredths % 10 == 0 else hundredths
    work = f"1 {SINGULAR.get(source, source)} is about {factor} {target}. {n}×{whole}={n * whole}, so {value}."
    return _turn(rng, str(n), source, target, work, value, rough=True, closed=True, exam=False)


def units(rng: random.Random) -> Turn:
    return rng.choices([_shift, _factor, _temperature, _rough], [45, 20, 17, 18])[0](rng)
