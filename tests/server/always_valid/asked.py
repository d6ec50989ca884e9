"""What is asked of the server, and what every answer must then be."""
import json
import random
import re
from dataclasses import dataclass, field
from typing import Any, Callable

import small_schema

try:
    import jsonschema
except ImportError:  # the reduced count in the tests needs nothing installed
    jsonschema = None


def strict_object(**properties: Any) -> dict:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


# Small enough for a model that writes anything to be done within 64 tokens.
SCHEMAS = {
    "boolean": strict_object(a={"type": "boolean"}),
    "enum": strict_object(c={"enum": ["r", "g", 1, None]}),
    "array": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "minItems": 1, "maxItems": 2},
    "pattern": strict_object(z={"type": "string", "pattern": "^[A-Z][0-9]$"}),
    "anyOf": {"anyOf": [{"const": "none"}, strict_object(n={"type": "integer", "minimum": 1, "maximum": 12})]},
    "recursive": {"type": "object", "properties": {"n": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["n"],
                  "additionalProperties": False},
    "unicode": strict_object(**{"größe": {"enum": ["groß", "小"]}}),
}
TEXTS = {  # what guided_... and structured_outputs take, and the same as Python's expression
    "regex": ("[a-c]{2,4}(-[0-9]{1,3})?", "[a-c]{2,4}(-[0-9]{1,3})?"),
    "choice": (["yes", "no", "don't know (a/b)"], r"yes|no|don't know \(a/b\)"),
    "grammar": ('start: item ("," item){0,2}\nitem: /[0-9]{1,2}/', "[0-9]{1,2}(,[0-9]{1,2}){0,2}"),
    "ebnf": ('root ::= "<" [a-z]{1,3} ("," [a-z]){0,2} ">"', "<[a-z]{1,3}(,[a-z]){0,2}>"),
}
MAX_TOKENS = 64


@dataclass
class Asked:
    """A request, and what its answers must be."""
    kind: str
    path: str
    body: dict
    recipients: list[str] = field(default_factory=list)     # functions that may be called
    arguments: dict[str, dict] = field(default_factory=dict)  # their schemas; any object for the others
    must_call: bool = False
    content: Callable[[str], str] = lambda text: ""         # what is wrong with the text of an answer that has ended
    may_go_on: bool = False                                 # final messages may come before the last


@dataclass
class Answer:
    finish: str  # "stop", "length", "tool_calls", or what should not be
    content: str
    calls: list[tuple[str, str]]
    ids: list[int] | None = None


def schema_fault(value: Any, schema: dict) -> str:
    fault = small_schema.fault(value, schema)
    if jsonschema and not fault:
        try:
            jsonschema.Draft202012Validator(schema).validate(value)
        except jsonschema.ValidationError as error:
            fault = error.message
    return fault


def json_fault(text: str, schema: dict) -> str:
    try:
        value = json.loads(text, parse_constant=lambda word: 1 / 0)
    except (ValueError, ZeroDivisionError) as error:
        return f"no JSON ({error}): {text!r}"
    return schema_fault(value, schema)


def fault(asked: Asked, answer: Answer) -> str:
    """What is wrong with an answer beside its frames; "" where nothing is."""
    for name, arguments in answer.calls:
        if name not in asked.recipients:
            return f"a call of {name!r}, which nobody declared"
        if answer.finish != "length":
            problem = json_fault(arguments, asked.arguments.get(name, {"type": "object"}))
            if problem:
                return f"the arguments of {name}: {problem}"
    if answer.finish == "length":
        return ""
    if answer.finish not in ("stop", "tool_calls"):
        return f"it ended by {answer.finish!r}"
    if (answer.finish == "tool_calls") != bool(answer.calls):
        return f"{len(answer.calls)} calls, but it ended by {answer.finish}"
    if asked.must_call and not answer.calls:
        return "nothing was called"
    return "" if answer.calls else asked.content(answer.content)


class Asker:
    """Makes requests of all kinds in turn. `ends`, `json_ends`: {token id: bias at temperature 1} of what ends a message,
    and texts and objects of JSON, so that what a random model writes freely does not go on forever."""

    def __init__(self, model: str, seed: int, ends: dict[str, float], json_ends: dict[str, float]):
        self.model, self.rng = model, random.Random(seed)
        self.ends, self.json_ends = ends, json_ends
        self.number = 0
        self.kinds = [self.plain, self.schema, self.tools, self.required, self.named, self.schema_and_tools, self.lax,
                      self.json_object, self.text_form, self.responses, self.ollama, self.completion, self.at_least]

    def next(self) -> Asked:
        kind = self.kinds[self.number % len(self.kinds)]
        self.number += 1
        return kind()

    # ---- parts of requests

    def sampling(self, bias: dict[str, float] | None = None) -> dict:
        temperature = self.rng.choice([1, 2])
        options = {"temperature": temperature, "top_p": 1, "seed": self.rng.randrange(1 << 40)}
        if bias:
            options["logit_bias"] = {token: min(100, weight * temperature) for token, weight in bias.items()}
        return options

    def chat(self, kind: str, bias: dict[str, float] | None = None, **fields: Any) -> Asked:
        body = {"messages": [{"role": "user", "content": f"Question {self.number}"}], "max_completion_tokens": MAX_TOKENS,
                "n": 8, "return_token_ids": True, "reasoning_budget": self.rng.choice([0, 1, 4]),
                "stream": self.rng.random() < 0.25, **self.sampling(bias), **fields}
        return Asked(kind, "/v1/chat/completions", body)

    def schema_choice(self) -> tuple[dict, Callable[[str], str]]:
        schema = SCHEMAS[self.rng.choice(list(SCHEMAS))]
        return schema, lambda text: json_fault(text, schema)

    def functions(self) -> dict[str, dict]:
        objects = [name for name, schema in SCHEMAS.items() if schema.get("type") == "object"]
        return {f"{name}_{self.rng.choice(['a', 'b.c', 'long-name'])}": SCHEMAS[name] for name in self.rng.sample(objects, 3)}

    def add_tools(self, asked: Asked, strict: bool) -> Asked:
        functions = self.functions()
        asked.body["tools"] = [{"type": "function", "function": {"name": name, "parameters": schema, "strict": strict}}
                               for name, schema in functions.items()]
        asked.recipients = list(functions)
        if strict:
            asked.arguments = functions
        return asked

    # ---- kinds

    def plain(self) -> Asked:
        return self.chat("plain", bias=self.ends)

    def schema(self) -> Asked:
        schema, judge = self.schema_choice()
        asked = self.chat("schema", response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
        asked.content = judge
        return asked

    def tools(self) -> Asked:
        return self.add_tools(self.chat("tools, strict", bias=self.ends), strict=True)

    def lax(self) -> Asked:
        return self.add_tools(self.chat("tools, not strict", bias={**self.ends, **self.json_ends}), strict=False)

    def required(self) -> Asked:
        asked = self.add_tools(self.chat("tool_choice required", bias=self.ends, tool_choice="required"), strict=True)
        asked.must_call = True
        return asked

    def named(self) -> Asked:
        asked = self.add_tools(self.chat("tool_choice named", bias=self.ends), strict=True)
        name = self.rng.choice(asked.recipients)
        asked.body["tool_choice"] = {"type": "function", "function": {"name": name}}
        asked.recipients, asked.must_call = [name], True
        return asked

    def schema_and_tools(self) -> Asked:
        asked = self.add_tools(self.schema(), strict=True)
        asked.kind = "schema and tools"
        return asked

    def json_object(self) -> Asked:
        asked = self.chat("json_object", bias=self.json_ends, response_format={"type": "json_object"})
        asked.content = lambda text: json_fault(text, {"type": "object"})
        return asked

    def text_form(self) -> Asked:
        name = self.rng.choice(list(TEXTS))
        form, expression = TEXTS[name]
        if name == "ebnf":
            fields = {"ebnf": form}
        else:
            fields = self.rng.choice([{f"guided_{name}": form}, {"structured_outputs": {name: form}}])
        asked = self.chat(f"guided {name}", **fields)
        asked.content = lambda text: "" if re.fullmatch(expression, text) else f"{text!r} is not of {expression}"
        return asked

    def at_least(self) -> Asked:
        asked = self.chat("min_tokens", bias=self.ends, min_tokens=20)
        asked.may_go_on = True
        return asked

    def responses(self) -> Asked:
        schema, judge = self.schema_choice()
        body = {"input": "Hello", "max_output_tokens": MAX_TOKENS, "store": False, "reasoning": {"max_tokens": 2},
                "text": {"format": {"type": "json_schema", "name": "x", "schema": schema, "strict": True}},
                **self.sampling()}
        asked = Asked("responses", "/v1/responses", body, content=judge)
        if self.rng.random() < 0.5:
            functions = self.functions()
            body["tools"] = [{"type": "function", "name": name, "parameters": one, "strict": True}
                             for name, one in functions.items()]
            asked.recipients, asked.arguments = list(functions), functions
        return asked

    def ollama(self) -> Asked:
        schema, judge = self.schema_choice()
        body = {"model": self.model, "messages": [{"role": "user", "content": "Hello"}], "stream": False, "format": schema,
                "options": {"num_predict": MAX_TOKENS, "thinking_budget": 2, **self.sampling()}}
        return Asked("ollama", "/api/chat", body, content=judge)

    def completion(self) -> Asked:
        schema, judge = self.schema_choice()
        body = {"prompt": "Hello", "max_tokens": MAX_TOKENS, "n": 8, "guided_json": schema, **self.sampling()}
        return Asked("completions", "/v1/completions", body, content=judge)
