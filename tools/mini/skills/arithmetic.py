"""Small arithmetic with worked reasoning, and word problems on top of it.

The analysis works in columns, one digit at a time, so that every step is a fact about small numbers. The
helpers return the working for low effort (bare), and for medium effort (in words).
"""
import random

from .common import Turn, vary
from .words import THINGS, made_up, NAMES

PLACES = ["Ones", "Tens", "Hundreds", "Thousands", "Ten thousands"]


def _digits(n: int, width: int) -> list[int]:
    """Digits from the ones upward, padded to width."""
    return [n // 10 ** i % 10 for i in range(width)]


def add_steps(a: int, b: int) -> list[str]:
    width, carry, out = max(len(str(a)), len(str(b))), 0, []
    for i in range(width):
        terms = [str(n // 10 ** i % 10) for n in (a, b) if i < len(str(n))] + (["1"] if carry else [])
        total = sum(map(int, terms))
        out.append("+".join(terms) + f"={total}" if len(terms) > 1 else f"{total}")
        carry = total // 10
    return out


def sub_steps(a: int, b: int) -> list[str]:
    """a >= b; a column that borrows shows the digit plus ten."""
    borrow, out = 0, []
    for x, y in zip(_digits(a, len(str(a))), _digits(b, len(str(a)))):
        x, borrow = x - borrow, 0
        if x < y:
            x, borrow = x + 10, 1
        out.append(f"{x}-{y}={x - y}")
    return out


def mul_steps(a: int, d: int) -> list[str]:
    """a times the single digit d."""
    carry, out = 0, []
    for x in _digits(a, len(str(a))):
        total = x * d + carry
        out.append(f"{x}×{d}={x * d}" + (f"+{carry}={total}" if carry else ""))
        carry = total // 10
    return out


def div_steps(a: int, d: int) -> list[str]:
    """Long division of a by the single digit d."""
    rest, out = 0, []
    for n, x in enumerate(map(int, str(a))):
        rest = rest * 10 + x
        if rest < d and n < len(str(a)) - 1 and not out:
            continue
        out.append(f"{rest}÷{d}={rest // d} r {rest % d}")
        rest %= d
    return out


def mul_work(a: int, b: int) -> str:
    """The working of a × b, b up to two digits, as one line that ends with the product."""
    if b < 10:
        return f"{' '.join(mul_steps(a, b))} → {a * b}" if a > 9 else f"{a}×{b}={a * b}"
    if b % 10 == 0:
        return f"{mul_work(a, b // 10)}; ×10 = {a * b}"
    tens, ones = a * (b // 10) * 10, a * (b % 10)
    return f"{mul_work(a, b % 10)}; {mul_work(a, b // 10)}0; {' '.join(add_steps(tens, ones))} → {a * b}"


def _places(steps: list[str]) -> str:
    return " ".join(f"{p}: {s}." for p, s in zip(PLACES, steps))


def work(op: str, a: int, b: int) -> tuple[str, str, str]:
    """Analyses of a op b for the three efforts; the last step names the result."""
    r = result(op, a, b)
    if op == "+":
        low, steps = " ".join(add_steps(a, b)), _places(add_steps(a, b))
        check = f"Check: {r} - {b}: {' '.join(sub_steps(a + b, b))} → {a}. That fits."
    elif op == "-" and a < b:
        low, steps = f"{a}<{b} {' '.join(sub_steps(b, a))}", f"{a} is less than {b}, so it is negative. {b} - {a}: {_places(sub_steps(b, a))}"
        check = f"Check: {b} - {a} is {b - a}, so the answer is {r}."
    elif op == "-":
        low, steps = " ".join(sub_steps(a, b)), _places(sub_steps(a, b))
        check = f"Check: {r} + {b}: {' '.join(add_steps(a - b, b))} → {a}. That fits."
    elif op == "×":
        x, y = (a, b) if b <= a or a > 99 else (b, a)
        low = mul_work(x, y)
        steps = f"Work: {low}."
        check = f"Check: {mul_work(x, y)}. The same again."
        return f"{a} × {b}: {low}", f"{a} × {b}: I multiply. {steps} The result is {r}.", f"The user wants {a} × {b}. I multiply step by step. {steps} So it is {r}. {check} The result is {r}."
    else:
        low = (" ".join(div_steps(a, b)) if b < 10 else f"{b}×{a // b}={a // b * b}") + f" → {r}"
        steps = f"Work: {low}."
        check = f"Check: {b} times {a // b} is {a // b * b}" + (f", plus {a % b} is {a}." if a % b else ".") + " That fits."
        return f"{a} ÷ {b}: {low}", f"{a} ÷ {b}: I divide. {steps} The result is {r}.", f"The user wants {a} ÷ {b}. I divide step by step. {steps} {check} The result is {r}."
    verb = "add" if op == "+" else "subtract"
    asked = f"{a} {op} {b}"
    return (f"{asked}: {low} → {r}", f"{asked}: I {verb} in columns. {steps} The result is {r}.",
            f"The user wants {asked}. I {verb} column by column, from the right. {steps} So it is {r}. {check} The result is {r}.")


def result(op: str, a: int, b: int) -> str:
    if op == "÷":
        return f"{a // b}" + (f" remainder {a % b}" if a % b else "")
    return str({"+": a + b, "-": a - b, "×": a * b}[op])


def operands(rng: random.Random) -> tuple[str, int, int, bool]:
    """op, a, b and whether the pair belongs to the small tables that training always has."""
    op = rng.choices("+-×÷", [38, 30, 20, 12])[0]
    if rng.random() < 0.15:  # tables
        if op == "÷":
            b, q = rng.randint(1, 12), rng.randint(0, 12)
            return op, b * q, b, True
        return op, rng.randint(0, 12), rng.randint(0, 12), True
    if op in "+-":
        a, b = (rng.randint(1, rng.choice([99, 999, 999])) for _ in "ab")
        if op == "-" and a < b and rng.random() < 0.85:
            a, b = b, a
        return op, a, b, max(a, b) <= 12
    if op == "×":
        roll = rng.random()
        if roll < 0.5:
            a, b = rng.randint(10, 99), rng.randint(2, 9)
        elif roll < 0.65:
            a, b = rng.randint(100, 999), rng.randint(2, 9)
        elif roll < 0.75:
            a, b = rng.randint(2, 999), rng.choice([10, 100])
        elif roll < 0.9:
            a, b = rng.randint(11, 30), rng.randint(11, 30)
        else:
            a, b = rng.randint(11, 99), rng.randint(11, 99)
        return (op, b, a, False) if rng.random() < 0.3 else (op, a, b, False)
    b = rng.randint(2, 9)
    if rng.random() < 0.25:
        return op, rng.randint(b, 199), b, False
    return op, b * rng.randint(2, 199), b, False


SYMBOLS = {"+": ["+", "+", "+", "plus"], "-": ["-", "-", "-", "minus"], "×": ["×", "*", "*", "x", "times", "times", "multiplied by"],
           "÷": ["/", "/", "÷", "divided by", "divided by"]}
FORMS = ["What is {e}?"] * 5 + ["what's {e}?", "What's {e}?", "Calculate {e}.", "Compute {e}.", "{e}", "{e}", "{e} = ?", "{e}=", "{e} =", "How much is {e}?",
         "Solve {e}.", "Work out {e}.", "Can you calculate {e}?", "Can you compute {e}?", "Tell me what {e} is.", "What does {e} equal?",
         "What is the result of {e}?", "Please calculate {e}", "Evaluate {e}.", "I need to know {e}.", "{e}?", "Give me the answer to {e}.", "What do you get for {e}?",
         "Do the math: {e}", "Quick math: {e}", "What is {e}? Show your work.", "What is {e}? Think step by step.", "Find {e}.", "What is {e} equal to?"]
VERBS = {"+": ["Add {a} and {b}.", "What is the sum of {a} and {b}?", "Add {b} to {a}.", "Sum {a} and {b}", "How much is {a} and {b} together?"],
         "-": ["Subtract {b} from {a}.", "What is the difference between {a} and {b}?", "Take {b} away from {a}.", "What do I get if I subtract {b} from {a}?"],
         "×": ["Multiply {a} by {b}.", "What is the product of {a} and {b}?", "Multiply {a} and {b}.", "Multiply {a} with {b}"],
         "÷": ["Divide {a} by {b}.", "How often does {b} go into {a}?", "What do I get if I divide {a} by {b}?"]}


def expression(rng: random.Random, op: str, a: int, b: int) -> str:
    symbol = rng.choice(SYMBOLS[op])
    space = " " if symbol.isalpha() or " " in symbol or rng.random() < 0.75 else ""
    if symbol == "x":
        space = " " if rng.random() < 0.7 else ""
    return f"{a}{space}{symbol}{space}{b}"


def three_terms(rng: random.Random) -> Turn:
    """a + b + c, as two additions."""
    a, b, c = (rng.randint(1, 99) for _ in range(3))
    first, asked = a + b, f"{a} + {b} + {c}"
    low = f"{asked}: {' '.join(add_steps(a, b))} → {first}; {' '.join(add_steps(first, c))} → {first + c}"
    sums = f"{a} + {b}: {_places(add_steps(a, b))} That is {first}. {first} + {c}: {_places(add_steps(first, c))} The result is {first + c}."
    gap = rng.choice([" ", " ", ""])
    return Turn("arithmetic", vary(rng, rng.choice(FORMS).format(e=f"{gap}+{gap}".join(map(str, (a, b, c))))),
                (low, f"{asked}: I add one after the other. {sums}", f"The user wants {asked}. I add the first two numbers, then the third, column by column. {sums}"),
                f"{asked} = {first + c}.", {"kind": "contains", "all": [f"= {first + c}."]}, key=f"arithmetic {asked}")


def arithmetic(rng: random.Random) -> Turn:
    if rng.random() < 0.04:
        return three_terms(rng)
    op, a, b, table = operands(rng)
    if rng.random() < 0.82:
        question = rng.choice(FORMS).format(e=expression(rng, op, a, b))
    else:
        question = rng.choice(VERBS[op]).format(a=a, b=b)
        if "difference" in question and a < b:
            question = f"What is {a} - {b}?"
    r = result(op, a, b)
    return Turn("arithmetic", vary(rng, question), work(op, a, b), f"{a} {op} {b} = {r}.", {"kind": "contains", "all": [f"= {r}."]},
                key=f"arithmetic {a} {op} {b}", closed=table, exam=not table)


STORIES = [  # op, question, answer; {n} a name, {t} things
    ("+", "{n} has {a} {t} and buys {b} more. How many {t} does {n} have now?", "{n} has {r} {t} now."),
    ("+", "{n} has {a} {t}. {m} gives {n} {b} more. How many {t} does {n} have?", "{n} has {r} {t}."),
    ("+", "{n} has {a} {t} and {m} has {b} {t}. How many {t} do they have together?", "Together they have {r} {t}."),
    ("+", "If I have {a} {t} and get {b} more, how many do I have?", "You have {r} {t}."),
    ("+", "There are {a} {t} in one box and {b} in another. How many {t} are there in total?", "There are {r} {t} in total."),
    ("+", "I have {a} {t}. I buy {b} more. How many {t} do I have now?", "You have {r} {t} now."),
    ("-", "{n} has {a} {t} and gives {b} to {m}. How many {t} does {n} have left?", "{n} has {r} {t} left."),
    ("-", "{n} had {a} {t}. {n} lost {b} of them. How many {t} are left?", "There are {r} {t} left."),
    ("-", "If I have {a} {t} and eat {b}, how many are left?", "There are {r} {t} left."),
    ("-", "I have {a} {t} and give away {b}. How many {t} do I have left?", "You have {r} {t} left."),
    ("-", "There are {a} {t} on the table. {n} takes {b}. How many {t} remain?", "There are {r} {t} left."),
    ("-", "{n} has {a} {t} and {m} has {b}. How many more {t} does {n} have than {m}?", "{n} has {r} {t} more than {m}."),
    ("×", "There are {b} boxes with {a} {t} each. How many {t} are there in total?", "There are {r} {t} in total."),
    ("×", "{n} buys {b} bags of {a} {t}. How many {t} is that?", "That is {r} {t}."),
    ("×", "One box holds {a} {t}. How many {t} do {b} boxes hold?", "{b} boxes hold {r} {t}."),
    ("×", "A ticket costs {a} dollars. How much do {b} tickets cost?", "{b} tickets cost {r} dollars."),
    ("×", "If one book costs {a} euros, how much do {b} books cost?", "{b} books cost {r} euros."),
    ("÷", "{n} shares {a} {t} equally among {b} friends. How many {t} does each friend get?", "Each friend gets {r} {t}."),
    ("÷", "{a} {t} are put into {b} boxes equally. How many {t} are in each box?", "Each box holds {r} {t}."),
]


def word_problem(rng: random.Random) -> Turn:
    op, question, answer = rng.choice(STORIES)
    if op in "+-":
        a, b = rng.randint(2, 99), rng.randint(2, 99)
        if op == "-":
            a, b = (a, b) if a > b else (b, a) if b > a else (a + 5, b)
    else:
        a, b = rng.randint(2, 60), rng.randint(2, 9)
        if op == "÷":
            a *= b
    names = [made_up(rng) if rng.random() < 0.2 else x for x in rng.sample(NAMES, 2)]
    r = result(op, a, b)
    fields = {"a": a, "b": b, "r": r, "n": names[0], "m": names[1], "t": rng.choice(THINGS)}
    low, medium, high = work(op, a, b)
    return Turn("word problems", vary(rng, question.format(**fields), lower=0), (low, f"The story asks for {medium}", f"This is a story about numbers. {high}"),
                answer.format(**fields), {"kind": "contains", "all": [f" {r} "], "pad": True}, key="story " + question.format(**fields))
