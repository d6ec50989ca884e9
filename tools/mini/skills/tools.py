"""Calling declared functions: which one fits, its arguments as JSON, and reporting what came back."""
import json
import random
from dataclasses import dataclass
from typing import Any, Callable

from .common import ToolUse, Turn, efforts, spell_list
from .jsonout import dump
from .words import SORT_WORDS, THINGS, city, code, made_up, person

Maker = Callable[[random.Random], Any]


@dataclass
class Parameter:
    """names are alternatives; `optional` ones appear in the call only when the question mentions them."""
    names: list[str]
    type: str
    make: Maker
    about: str
    optional: bool = False
    enum: list[str] | None = None
    mention: str = ""  # how an optional value is said, with {v}


@dataclass
class Family:
    """A kind of function: its name, descriptions, parameters and the ways people ask for it ({0}, {1}: values)."""
    name: str
    about: list[str]
    parameters: list[Parameter]
    questions: list[str]
    returns: list[str]


def _pick(*items: Any) -> Maker:
    return lambda r: r.choice(items)


def _int(low: int, high: int) -> Maker:
    return lambda r: r.randint(low, high)


def _decimal(low: int, high: int) -> Maker:
    return lambda r: r.randint(low, high) if r.random() < 0.5 else r.randint(low * 10, high * 10) / 10


def _time(r: random.Random) -> str:
    return f"{r.randint(0, 23)}:{r.choice(['00', '15', '30', '45'])}"


def _words(r: random.Random) -> str:
    return " ".join(r.sample(SORT_WORDS, r.choice([1, 2])))


def _title(r: random.Random) -> str:
    return " ".join(w.capitalize() for w in r.sample(SORT_WORDS, 2)) if r.random() < 0.6 else made_up(r)


CURRENCIES = ["USD", "EUR", "GBP", "JPY", "CHF", "SEK", "CAD", "AUD", "INR", "CNY"]
ROOMS = ["kitchen", "bedroom", "bathroom", "office", "garage", "hall", "garden", "living room", "basement", "attic"]
CELSIUS = ["celsius", "fahrenheit"]
PLACE = ["location", "city"]
PLACE_ABOUT = "The city and state, e.g. San Francisco, CA|The city|Name of the city|The location|City name|The place to look up"
WEATHER_ABOUT = ["Get the weather for a city.", "Gets the current weather in the provided location.", "Get the current weather in a given location", "Get current weather"]
WEATHER_QUESTIONS = ["What is the weather in {0}?", "What's the weather like in {0}?", "What is the weather like in {0}?", "How is the weather in {0}?", "weather in {0}", "Weather in {0}?", "Tell me the weather in {0}.", "What is the temperature in {0}?", "Is it raining in {0}?",
                     "Is it cold in {0}?", "How warm is it in {0}?", "What's the weather in {0} today?", "What is the weather in {0} right now?", "Get the weather for {0}.", "I am in {0}. What is the weather?", "Do I need an umbrella in {0}?", "Check the weather in {0}.", "Is it sunny in {0}?", "What is the current weather in {0}?"]
WEATHER_RETURNS = ["temperature", "condition", "humidity", "wind", "sunny"]

FAMILIES: list[Family] = [
    Family("get_weather", WEATHER_ABOUT, [Parameter(PLACE, "string", city, PLACE_ABOUT)], WEATHER_QUESTIONS, WEATHER_RETURNS),
    Family("get_current_weather", WEATHER_ABOUT,
           [Parameter(PLACE, "string", city, PLACE_ABOUT),
            Parameter(["unit"], "string", _pick(*CELSIUS), "The unit|Temperature unit", True, CELSIUS, "in {v}|in degrees {v}|Use {v}.")],
           WEATHER_QUESTIONS, WEATHER_RETURNS),
    Family("get_time", ["Get the current time in a city.", "Returns the local time.", "Current time for a place", "Get the time"],
           [Parameter(["location"], "string", city, PLACE_ABOUT)], ["What time is it in {0}?", "What is the time in {0}?", "Tell me the time in {0}.", "time in {0}", "What's the current time in {0}?", "How late is it in {0}?", "what time is it now in {0}"], ["time", "timezone", "day"]),
    Family("get_stock_price", ["Get the current price of a stock.", "Stock price by symbol.", "Returns the stock price."], [Parameter(["symbol"], "string", lambda r: "".join(r.choice("ABCDEFGHIKLMNOPRSTVX") for _ in range(r.randint(2, 4))), "The stock symbol|Ticker symbol")],
           ["What is the stock price of {0}?", "How much is {0} stock?", "Get the price of {0}.", "What is {0} trading at?", "stock price {0}", "What's the price of {0} stock?"], ["price", "currency", "change"]),
    Family("search", ["Search the web.", "Searches documents.", "Search for a query", "Find information."], [Parameter(["query"], "string", _words, "The search query|What to search for")],
           ["Search for {0}.", "Search the web for {0}", "Find information about {0}.", "Look up {0}.", "search {0}", "Google {0}", "What can you find about {0}?"], ["title", "count", "best"]),
    Family("send_message", ["Send a message to a contact.", "Sends a text message.", "Message somebody."], [Parameter(["to"], "string", person, "Who gets the message|The contact"), Parameter(["text"], "string", _words, "The text|What to send")],
           ["Send {0} the message {1}.", "Send the message {1} to {0}.", "Text {0}: {1}", "Tell {0}: {1}", "Message {0} with {1}"], ["status", "id"]),
    Family("set_timer", ["Start a timer.", "Set a timer for some minutes.", "Sets a timer"], [Parameter(["minutes"], "integer", _int(1, 120), "Minutes|How many minutes")],
           ["Set a timer for {0} minutes.", "Start a {0} minute timer.", "Timer for {0} minutes", "Wake me in {0} minutes.", "Set a {0} minutes timer", "Can you set a timer for {0} minutes?"], ["status", "ends"]),
    Family("set_alarm", ["Set an alarm.", "Set an alarm at a time of day."], [Parameter(["time"], "string", _time, "The time, e.g. 7:30|When")], ["Set an alarm for {0}.", "Wake me up at {0}.", "Alarm at {0}", "Set the alarm to {0}."], ["status", "alarm"]),
    Family("play_music", ["Play a song.", "Plays music.", "Play music by title"], [Parameter(["song"], "string", _title, "The song|Title of the song")], ["Play {0}.", "Play the song {0}.", "I want to hear {0}.", "Put on {0}.", "Can you play {0}?"], ["status", "playing", "length"]),
    Family("set_light", ["Turn a light on or off.", "Switches the light in a room.", "Control the lights"], [Parameter(["room"], "string", _pick(*ROOMS), "The room|Which room"), Parameter(["on"], "boolean", _pick(True, False), "true to turn on|On or off")],
           ["Turn {1} the light in the {0}.", "Turn {1} the {0} light.", "Switch {1} the lights in the {0}", "{0} light {1}", "Please turn {1} the {0} lights"], ["status", "room"]),
    Family("random_number", ["Get a random number.", "Random number between two limits."], [Parameter(["min"], "integer", _int(0, 50), "Lower limit|The smallest number"), Parameter(["max"], "integer", _int(51, 999), "Upper limit|The largest number")],
           ["Give me a random number between {0} and {1}.", "Pick a number from {0} to {1}.", "random number {0} to {1}"], ["number", "value"]),
    Family("get_location", ["Gets the location of the user.", "Where the user is.", "Returns the current location"], [], ["Where am I?", "What is my location?", "Get my location.", "Where am I right now?", "Which city am I in?"], ["city", "country"]),
    Family("get_date", ["Get the current date.", "Returns today's date."], [], ["What day is it?", "What is the date today?", "What's today's date?", "Tell me the date."], ["date", "day"]),
    Family("flip_coin", ["Flip a coin.", "Tosses a coin."], [], ["Flip a coin.", "Toss a coin", "Heads or tails?", "Please flip a coin for me."], ["result", "side"]),
]

@dataclass
class Bound:
    """A family made concrete: one description, one name for each parameter."""
    family: Family
    name: str
    keys: list[str]
    schema: dict


def bind(rng: random.Random, family: Family) -> Bound:
    name, keys, properties, required = family.name, [], {}, []
    described = rng.random() < 0.55
    for p in family.parameters:
        key = rng.choice([n for n in p.names if n not in keys])
        keys.append(key)
        schema: dict[str, Any] = {"type": p.type}
        if described:
            schema["description"] = rng.choice(p.about.split("|"))
        if p.enum:
            schema["enum"] = p.enum
            if p.optional and rng.random() < 0.4:
                schema["default"] = p.enum[0]
        properties[key] = schema
        if not p.optional:
            required.append(key)
    tool: dict[str, Any] = {"name": name, "description": rng.choice(family.about)}
    if properties:
        tool["parameters"] = {"type": "object", "properties": properties, "required": required}
    return Bound(family, name, keys, tool)


def _said(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def _ask(rng: random.Random, tool: Bound) -> tuple[str, dict[str, Any]]:
    """A question for the function and the arguments it asks for."""
    family, values, arguments = tool.family, [], {}
    for p, key in zip(family.parameters, tool.keys):
        v = p.make(rng)
        values.append(v)
        if not p.optional:
            arguments[key] = v
    question = rng.choice(family.questions).format(*map(_said, values))
    for p, key, v in zip(family.parameters, tool.keys, values):
        if p.optional and rng.random() < 0.5:
            mention = rng.choice(p.mention.split("|")).format(v=v if rng.random() < 0.7 else str(v).capitalize() if p.enum else v)
            question = f"{question.rstrip('?.')} {mention}{'?' if question[-1] == '?' else '.'}" if mention[0].islower() else f"{question} {mention}"
            arguments[key] = v
    return question, arguments


CONDITIONS = ["sunny", "cloudy", "rainy", "windy", "snowy", "foggy", "clear"]
RETURN_VALUES: dict[str, Maker] = {
    "temperature": _decimal(-10, 40), "condition": _pick(*CONDITIONS), "humidity": _int(10, 99), "wind": _int(0, 60), "sunny": _pick(True, False), "rain": _pick(True, False), "time": _time, "timezone": _pick("UTC", "CET", "EST", "GMT", "PST", "JST"),
    "day": _pick("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"), "result": _int(0, 9999), "value": _int(0, 9999), "price": _decimal(1, 999), "currency": _pick(*CURRENCIES), "change": _decimal(-9, 9),
    "count": _int(0, 500), "title": _title, "best": _words, "status": _pick("ok", "done", "sent", "success", "pending", "shipped", "open", "closed", "ready", "active", "failed"), "id": code, "ends": _time, "alarm": _time, 
    "playing": _title, "length": _time, "room": _pick(*ROOMS), "total": _int(1, 99), "number": _int(0, 999), "city": city, "country": lambda r: made_up(r), "date": lambda r: f"{r.randint(2024, 2027)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}",
    "side": _pick("heads", "tails"), "name": person, "owner": person, "size": _int(1, 999), "state": _pick("open", "closed", "running", "stopped", "new"), "location": city, "type": _pick(*THINGS)}


def report(arguments: dict[str, Any], values: dict[str, Any]) -> str:
    """The final answer for a result that is a flat object."""
    said = spell_list([f"the {k.replace('_', ' ')} is {str(v).lower() if isinstance(v, bool) else v}" for k, v in values.items()])
    first = next(iter(arguments.values()), None)
    return f"{said[0].upper()}{said[1:]}." if first is None or isinstance(first, bool) else f"For {first}: {said}."


def _result(rng: random.Random, family: Family, arguments: dict[str, Any]) -> tuple[str, str, list[str]]:
    """The text that comes back, the final answer, and what it has to contain."""
    roll = rng.random()
    if roll < 0.07:
        error = rng.choice(["not found", "no access", "timeout", "unknown id", "service unavailable", "invalid input", "no result"])
        return dump({"error": error}), f"The function reported an error: {error}.", [error]
    keys = rng.sample(family.returns, rng.randint(1, min(2, len(family.returns))))
    values = {k: RETURN_VALUES[k](rng) for k in keys}
    if roll < 0.15:
        text = rng.choice([f"{v}" for v in values.values() if not isinstance(v, bool)] or ["ok"])
        return text, f"The result is {text}.", [text]
    text = dump(values) if rng.random() < 0.7 else json.dumps(values, ensure_ascii=False)
    return text, report(arguments, values), [f"{str(v).lower() if isinstance(v, bool) else v}" for v in values.values()]


def declared(rng: random.Random, count: int, families: list[Family] = FAMILIES) -> list[Bound]:
    """Functions of different families; of the two for the weather one alone, as a question would fit both."""
    while True:
        chosen = rng.sample(families, count)
        if sum(family.returns is WEATHER_RETURNS for family in chosen) < 2:
            return [bind(rng, family) for family in chosen]


def _considered(bound: list[Bound], fitting: Bound | None) -> str:
    """The functions one by one with a word on each, up to the one that fits. A name is said before its verdict, so that the verdict
    is of a function and not of a feeling; the parameters are said so that what the call copies stands just before it."""
    said = []
    for b in bound:
        said.append(f"{b.name}({' '.join(b.keys)})? {'Yes' if b is fitting else 'No'}.")
        if b is fitting:
            break
    return " ".join(said)


def tools(rng: random.Random) -> Turn:
    bound = declared(rng, rng.choices([1, 2], [80, 20])[0])
    tool = rng.choice(bound)
    question, arguments = _ask(rng, tool)
    if rng.random() < 0.2:
        question = rng.choice([question.rstrip("?."), "Please: " + question, question + " Thanks!"])
    text, answer, needed = _result(rng, tool.family, arguments)
    think = efforts(f"{_considered(bound, tool)} {tool.name} {dump(arguments)}", *LOOKING)
    after = efforts("Report the result.", "The function has returned.", "The function has returned. I use only the values in its result and add nothing.")
    return Turn("tools", question, think, answer, {"kind": "contains", "all": needed}, key=f"tool {tool.name} {dump(arguments)}", exam=len(bound) == 1, tools=[b.schema for b in bound],
                tool_use=ToolUse(tool.name, arguments, text, after))


# How medium and high effort begin where functions are declared, whether one fits or none.
LOOKING = ("Does a function fit?", "I look at the declared functions. Where one does what the user wants, I write its arguments as valid JSON.")

# Functions that no small talk, capital, sum or unknown request can be taken for.
NARROW = [f for f in FAMILIES if f.name in ("get_stock_price", "set_timer", "set_alarm", "set_light", "random_number", "flip_coin")]


def undeclared(rng: random.Random, plain: Turn) -> Turn:
    """A question of another skill while functions are declared that do not help with it."""
    bound = declared(rng, rng.choices([1, 2], [80, 20])[0], NARROW)
    low, medium, high = efforts(_considered(bound, None), *LOOKING)
    plain.think = (f"{low} {plain.think[0]}", f"{medium} {plain.think[1]}", f"{high} {plain.think[2]}")
    plain.exam = plain.exam and len(bound) == 1
    plain.tools = [t.schema for t in bound]
    plain.skill = "no tool needed"
    return plain
