"""Answers that are JSON and nothing else: facts taken from a sentence, lists, and other skills' answers as JSON."""
import json
import random
from typing import Any, Callable

from .arithmetic import FORMS, expression, operands, result, work
from .capitals import ASK as ASK_CAPITAL, CAPITALS, FAMOUS
from .common import Turn, efforts, spell_list
from .sorting import SORT_FORMS
from .words import SORT_WORDS, THINGS, city, person

JSON_CAPITALS = [c for c in FAMOUS if not c.startswith("the ") and c in CAPITALS]
JOBS = "teacher doctor nurse farmer pilot baker painter lawyer engineer cook driver writer singer student".split()
COLORS = "red blue green yellow black white brown pink purple gray".split()


def dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# (key names, type, sentence pieces with {v}, value maker)
Field = tuple[list[str], str, list[str], Callable[[random.Random], Any]]
FIELDS: list[Field] = [
    (["age", "age", "age", "years"], "integer", ["is {v} years old", "is {v}", "is aged {v}"], lambda r: r.randint(1, 99)),
    (["city", "city", "town", "location", "home", "place"], "string", ["lives in {v}", "is from {v}", "comes from {v}"], city),
    (["job", "job", "profession", "occupation", "work"], "string", ["works as a {v}", "is a {v}"], lambda r: r.choice(JOBS)),
    (["color", "favorite_color", "color", "colour"], "string", ["likes {v}", "likes the color {v}"], lambda r: r.choice(COLORS)),
    (["count", "number", "amount", "quantity"], "integer", ["owns {v} {t}", "has {v} {t}", "bought {v} {t}"], lambda r: r.randint(1, 99)),
]
NAME_KEYS = ["name", "name", "name", "name", "person", "first_name"]
ASK = ["Reply in JSON with keys {k}: {s}", "{s} Reply in JSON with keys {k}.", "{s} Give me JSON with the keys {k}.", "Extract {k} as JSON: {s}", "Return a JSON object with {k}. {s}", "JSON with {k}: {s}"]
INSTRUCT = ["Extract {k} from the user's message. Answer with JSON only.", "Answer with JSON only. Use the keys {k}.", "Reply in JSON with keys {k}.", "Return only a JSON object with {k}.", "You extract data. Output JSON with the keys {k} and nothing else.",
            "Always answer in JSON with the keys {k}.", "Respond with JSON only, with the keys {k}."]
JSON_ONLY = ["Answer with JSON only.", "Answer in JSON.", "Reply in JSON.", "Always reply with JSON.", "Respond only with JSON.", "Return JSON only.", "Answer with JSON only: {\"answer\": ...}", "Output JSON with the key answer.",
             "Reply with a JSON object that has the key \"answer\".", "You answer in JSON with the key answer.", "Answer with JSON only: {\"answer\": string}", "Answer with JSON only: {\"answer\": number}", "Use JSON for your answers."]
USER_JSON = [" Answer in JSON.", " Answer in JSON.", " Reply in JSON.", " Answer with JSON only.", " Answer as JSON.", " Give the answer in JSON.", " in JSON", " as JSON", " Use JSON.", " JSON please.", " Respond in JSON.", " Answer in JSON with the key answer.",
             " Please answer in JSON.", " JSON only."]


def _quoted(rng: random.Random, keys: list[str]) -> str:
    return spell_list([f'"{k}"' for k in keys]) if rng.random() < 0.25 else spell_list(keys)


def _thoughts(value: Any) -> tuple[str, str, str]:
    """An object's keys are said first, in order: what ends an object is then that no key is left, and it cannot go round in circles."""
    keys = f"{' '.join(value)}: " if isinstance(value, dict) else ""
    return efforts(keys + dump(value), "The user wants JSON.", "The user wants JSON only, and nothing else. Strings need quotes, numbers do not.")


def _schema(rng: random.Random, title: str, types: dict[str, str]) -> str:
    schema = {"type": "object", "properties": {k: {"type": t} for k, t in types.items()}, "required": list(types)}
    if rng.random() < 0.5:
        schema["additionalProperties"] = False
    text = dump(schema) if rng.random() < 0.7 else json.dumps(schema)
    return f"# Response Formats\n\n## {title}\n\n{text}"


def extraction(rng: random.Random) -> Turn:
    name, thing = person(rng), rng.choice(THINGS)
    value: dict[str, Any] = {rng.choice(NAME_KEYS): name}
    types: dict[str, str] = {}
    types[next(iter(value))] = "string"
    names, kind, pieces, make = rng.choice(FIELDS)
    v, key = make(rng), rng.choice(names)
    value[key], types[key] = v, kind
    sentence = f"{name} {rng.choice(pieces).format(v=v, t=thing)}."
    keys = _quoted(rng, list(value))
    instructions = None
    roll = rng.random()
    if roll < 0.6:
        question = rng.choice(ASK).format(k=keys, s=sentence)
    elif roll < 0.8:
        question, instructions = sentence, rng.choice(INSTRUCT).format(k=keys)
    else:
        question = rng.choice([sentence, f"Extract the data: {sentence}", f"{sentence} Give me the data."])
        instructions = _schema(rng, rng.choice(["person", "answer", "response", "output", "result", "data", "user"]), {k: types[k] for k in value})
        if rng.random() < 0.4:
            instructions = rng.choice(["You are a helpful assistant.", "Extract the person.", "Answer in JSON."]) + "\n\n" + instructions
    return Turn("json", question, _thoughts(value), dump(value), {"kind": "json", "value": value}, key=f"json {sentence} {keys}", instructions=instructions)


def listing(rng: random.Random) -> Turn:
    items: list[Any] = rng.sample(SORT_WORDS, rng.randint(2, 3)) if rng.random() < 0.6 else [rng.randint(0, 99) for _ in range(rng.randint(2, 3))]
    shown = [str(x) for x in items]
    text = rng.choice([", ".join(shown), spell_list(shown), " ".join(shown)])
    question = rng.choice(["Write {l} as a JSON list.", "Make a JSON list of {l}.", "Turn this into a JSON array: {l}", "JSON array of {l}", "Give me a JSON array with {l}.", "Convert to a JSON list: {l}", "Put {l} into a JSON array."]).format(l=text)
    return Turn("json", question, _thoughts(items), dump(items), {"kind": "json", "value": items}, key=f"json list {shown}")


def literal(rng: random.Random) -> Turn:
    """Keys and values spelled out by the user."""
    value: dict[str, Any] = {}
    for _ in range(rng.choice([1, 2, 2])):
        roll = rng.random()
        key = rng.choice(SORT_WORDS + ["name", "id", "title", "size", "price", "color", "city", "age", "key", "value"])
        value[key] = rng.randint(0, 999) if roll < 0.4 else person(rng) if roll < 0.7 else rng.choice(SORT_WORDS)
    pairs = spell_list([f"{k} {v}" for k, v in value.items()])
    question = rng.choice(["Write a JSON object with {p}.", "Give me a JSON object with {p}.", "Make JSON with {p}.", "JSON object: {p}", "Create a JSON object with {p}.", "I need JSON with {p}."]).format(p=pairs)
    return Turn("json", question, _thoughts(value), dump(value), {"kind": "json", "value": value}, key=f"json literal {pairs}")


def of_skill(rng: random.Random) -> Turn:
    """Another skill's question with the answer as JSON."""
    roll = rng.random()
    if roll < 0.4:
        country = rng.choice(JSON_CAPITALS)
        capital = CAPITALS[country]
        if rng.random() < 0.3:
            question = rng.choice(["Give me the capital of {c} as JSON with the keys country and capital.", "What is the capital of {c}? Answer in JSON with the keys country and capital.", "JSON with country and capital for {c}",
                                   "Return the country and the capital of {c} as JSON.", "Reply in JSON with keys country and capital: {c}"]).format(c=country)
            value: dict[str, Any] = {"country": country, "capital": capital}
            think = efforts(f"{country}: {capital}. {dump(value)}", "The user wants JSON.", "The user wants JSON only, and nothing else. First I find the answer.")
            return Turn("json", question, think, dump(value), {"kind": "json", "value": value}, key=f"json {question}", closed=True)
        question, answer, inner, key, closed = rng.choice(ASK_CAPITAL[:9]).format(c=country), capital, f"{country}: {capital}.", f"capital {country}", True
    elif roll < 0.85:
        op, a, b, closed = operands(rng)
        if op == "-" and a < b:
            a, b = b, a
        question, answer = rng.choice(FORMS[:8]).format(e=expression(rng, op, a, b)), int(result(op, a, b))
        if question[-1] in "=" or question[-1].isdigit():
            question = f"What is {a} {op} {b}?"
        inner, key = work(op, a, b), f"arithmetic {a} {op} {b}"
    else:
        numbers = rng.sample(range(100), 3)
        text = ", ".join(map(str, numbers))
        question, answer, closed = rng.choice(SORT_FORMS[:6]).format(l=text), sorted(numbers), False
        inner, key = f"{' '.join(map(str, numbers))} → {' '.join(map(str, answer))}", f"sort {' '.join(map(str, numbers))}"
    instructions = rng.choice(JSON_ONLY) if rng.random() < 0.5 else None
    if instructions is None:
        question += rng.choice(USER_JSON)
    value = {"answer": answer}
    return Turn("json", question, efforts(f"{inner} {dump(value)}", "The user wants JSON.", "The user wants JSON only, and nothing else. First I find the answer."),
                dump(value), {"kind": "json", "value": value}, key=f"json of {key}", closed=closed, instructions=instructions)


def json_answer(rng: random.Random) -> Turn:
    return rng.choices([extraction, of_skill, literal, listing], [44, 30, 13, 13])[0](rng)
