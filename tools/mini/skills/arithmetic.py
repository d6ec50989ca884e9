"""Small arithmetic with worked reasoning.

The analysis works in columns, one digit at a time, so that every step is a fact about small numbers.
"""
import random

from .common import Turn, efforts, vary

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


def mul_work(a: int, b: int) -> str:
    """The working of a × b as one line that ends with the product; b has one digit, or is ten times one."""
    if b < 10:
        return f"{' '.join(mul_steps(a, b))} → {a * b}" if a > 9 else f"{a}×{b}={a * b}"
    assert b % 10 == 0
    return f"{mul_work(a, b // 10)}; ×10 = {a * b}"


def work(op: str, a: int, b: int) -> str:
    """The working of a op b, its last number the result."""
    if op == "+":
        steps = " ".join(add_steps(a, b))
    elif op == "-":
        steps = " ".join(sub_steps(a, b)) if a >= b else f"{b}-{a}={b - a}"
    elif op == "×":
        return f"{a} × {b}: {mul_work(*((a, b) if b < 10 else (b, a)))}"
    else:
        steps = f"{b}×{result(op, a, b)}={a}"
    return f"{a} {op} {b}: {steps} → {result(op, a, b)}"


def result(op: str, a: int, b: int) -> str:
    return str({"+": a + b, "-": a - b, "×": a * b, "÷": a // b if b else 0}[op])


def operands(rng: random.Random) -> tuple[str, int, int, bool]:
    """op, a, b and whether the pair belongs to the small tables that training always has."""
    op = rng.choices("+-×÷", [42, 34, 18, 6])[0]
    if op == "÷":  # the way back through the table; nothing larger
        b, q = rng.randint(1, 10), rng.randint(0, 10)
        return op, b * q, b, True
    if rng.random() < 0.12:
        return op, rng.randint(0, 10), rng.randint(0, 10), True
    if op in "+-":
        top = rng.choice([99, 999, 999])
        a, b = rng.randint(1, top), rng.randint(1, top)
        if op == "-" and a < b:
            a, b = b, a
        return op, a, b, max(a, b) <= 10
    a, b = rng.randint(10, 99) if rng.random() < 0.6 else rng.randint(100, 999), rng.randint(2, 9)
    return (op, b, a, False) if rng.random() < 0.15 else (op, a, b, False)


SYMBOLS = {"+": ["+", "+", "+", "plus"], "-": ["-", "-", "-", "minus"], "×": ["×", "*", "*", "x", "times", "times"],
           "÷": ["/", "/", "÷", "divided by"]}
FORMS = ["What is {e}?"] * 5 + ["What's {e}?", "Calculate {e}.", "Compute {e}.", "{e}", "{e}", "{e} = ?", "{e} =", "How much is {e}?", "Solve {e}.", "Can you calculate {e}?",
         "What is {e}? Show your work."]
VERBS = {"+": ["Add {a} and {b}.", "What is the sum of {a} and {b}?"], "-": ["Subtract {b} from {a}.", "What is the difference between {a} and {b}?"],
         "×": ["Multiply {a} by {b}.", "What is the product of {a} and {b}?"], "÷": ["Divide {a} by {b}."]}


def expression(rng: random.Random, op: str, a: int, b: int) -> str:
    symbol = rng.choice(SYMBOLS[op])
    space = " " if symbol.isalpha() or " " in symbol or rng.random() < 0.75 else ""
    if symbol == "x":
        space = " " if rng.random() < 0.7 else ""
    return f"{a}{space}{symbol}{space}{b}"


def arithmetic(rng: random.Random) -> Turn:
    op, a, b, table = operands(rng)
    if rng.random() < 0.88:
        question = rng.choice(FORMS).format(e=expression(rng, op, a, b))
    else:
        question = rng.choice(VERBS[op]).format(a=a, b=b)
        if "difference" in question and a < b:
            question = f"What is {a} - {b}?"
    r = result(op, a, b)
    return Turn("arithmetic", vary(rng, question), efforts(work(op, a, b), "I work digit by digit.", "The user wants small numbers worked out. I go digit by digit, from the right, and keep what is carried."), f"{a} {op} {b} = {r}.", {"kind": "contains", "all": [f"= {r}."]},
                key=f"arithmetic {a} {op} {b}", closed=table, exam=not table)
