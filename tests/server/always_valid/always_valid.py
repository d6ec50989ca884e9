#!/usr/bin/env python3
"""Random models cannot break their answers: thousands of generations through a server, each judged by readers of its own.

    always_valid.py [--count N] [--seconds N] [--model DIR]... [--only-model] [--seed N]

Frames (frames.py), recipients, the JSON of arguments and answers and their schemas (small_schema.py, and jsonschema where
it is installed) are checked in every answer at temperature 1 and 2, at most 64 tokens long. Answers that reach that limit
are counted apart. Default: the demo model with its weights shuffled. $GOSSAMER names the program. Standard library only.
"""
import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from serving import ROOT, Serving  # noqa: E402

import frames  # noqa: E402
from asked import Answer, Asked, Asker, fault, jsonschema  # noqa: E402
from shuffled_model import shuffle_model  # noqa: E402

THREADS = 8
MOST_SHOWN = 10
SAID_EVERY_S = 60
LARGE_VOCABULARY = 100_000


class Client:
    """One connection."""

    def __init__(self, url: str):
        self.connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=300)

    def ask(self, path: str, body: dict) -> tuple[int, str]:
        self.connection.request("POST", path, json.dumps(body))
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode()

    def ask_json(self, path: str, body: dict) -> dict:
        status, text = self.ask(path, body)
        assert status == 200, (status, text)
        return json.loads(text)


def chat_answers(text: str) -> list[Answer]:
    answers = []
    for choice in json.loads(text)["choices"]:
        message = choice["message"]
        calls = [(call["function"]["name"], call["function"]["arguments"]) for call in message.get("tool_calls", [])]
        answers.append(Answer(choice["finish_reason"], message["content"] or "", calls, choice["token_ids"]))
    return answers


def streamed_answers(text: str) -> list[Answer]:
    answers: dict[int, Answer] = {}
    for line in text.split("\n\n"):
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            answer = answers.setdefault(choice["index"], Answer("", "", [], []))
            delta = choice["delta"]
            answer.content += delta.get("content") or ""
            for call in delta.get("tool_calls", []):
                if call["index"] == len(answer.calls):
                    answer.calls.append((call["function"]["name"], ""))
                name, arguments = answer.calls[call["index"]]
                answer.calls[call["index"]] = (name, arguments + call["function"].get("arguments", ""))
            answer.ids += choice.get("token_ids", [])
            answer.finish = choice["finish_reason"] or answer.finish
    return [answers[index] for index in sorted(answers)]


def response_answers(text: str) -> list[Answer]:
    response = json.loads(text)
    content, calls = "", []
    for item in response["output"]:
        if item["type"] == "message":
            content += "".join(part["text"] for part in item["content"])
        if item["type"] == "function_call":
            calls.append((item["name"], item["arguments"]))
    finish = {"completed": "tool_calls" if calls else "stop", "incomplete": "length"}.get(response["status"], response["status"])
    return [Answer(finish, content, calls)]


def ollama_answers(text: str) -> list[Answer]:
    answer = json.loads(text)
    return [Answer(answer["done_reason"], answer["message"]["content"], [])]


def completion_answers(text: str) -> list[Answer]:
    return [Answer(choice["finish_reason"], choice["text"], []) for choice in json.loads(text)["choices"]]


def answers_of(asked: Asked, text: str) -> list[Answer]:
    if asked.body.get("stream"):
        return streamed_answers(text)
    return {"/v1/chat/completions": chat_answers, "/v1/responses": response_answers, "/api/chat": ollama_answers,
            "/v1/completions": completion_answers}[asked.path](text)


class Run:
    """All generations of one model."""

    def __init__(self, url: str, count: int, seconds: float, seed: int):
        self.url, self.count, self.end = url, count, time.monotonic() + seconds
        self.lock = threading.Lock()
        self.asked = self.ended = 0
        self.by_kind: Counter[tuple[str, str]] = Counter()
        self.faults: list[str] = []
        client = Client(url)
        self.special = {name: self.token(client, name) for name in frames.NAMES}
        self.texts: dict[int, str] = {}
        large = self.special[frames.FIRST_SPECIAL] > LARGE_VOCABULARY
        # What it takes to be drawn about once in ten tokens, among so many of about the same probability.
        ends = dict.fromkeys((str(self.special[name]) for name in (frames.END, frames.RETURN, frames.CALL)), 10 if large else 6)
        closers = dict.fromkeys((str(self.token(client, text)) for text in ('"', "}", '":', '"}')), 9 if large else 5)
        self.asker = Asker(self.model_name(), seed, ends, closers)

    def model_name(self) -> str:
        with urllib.request.urlopen(self.url + "/v1/models") as answer:
            return json.load(answer)["data"][0]["id"]

    @staticmethod
    def token(client: Client, text: str) -> int:
        return client.ask_json("/tokenize", {"prompt": text, "parse_special": True})["tokens"][0]

    def text_of(self, client: Client, token: int) -> str:
        if token not in self.texts:
            self.texts[token] = client.ask_json("/detokenize", {"tokens": [token]})["text"]
        return self.texts[token]

    def next(self) -> Asked | None:
        with self.lock:
            if self.asked >= self.count or time.monotonic() > self.end:
                return None
            asked = self.asker.next()
            self.asked += asked.body.get("n", 1)
            return asked

    def work(self) -> None:
        client = Client(self.url)
        judge = frames.Frames(self.special, lambda token: self.text_of(client, token))
        while asked := self.next():
            try:
                status, text = client.ask(asked.path, asked.body)
                answers = answers_of(asked, text) if status == 200 else []
                problems = [self.problem(judge, asked, answer) for answer in answers]
                if len(answers) != asked.body.get("n", 1):
                    problems.append(f"{len(answers)} answers, status {status}: {text[:300]}")
            except Exception as error:  # whatever it is, it is what must not be
                answers, problems = [], [f"{type(error).__name__}: {error}"]
                client = Client(self.url)
            with self.lock:
                for answer in answers:
                    self.by_kind[asked.kind, "length" if answer.finish == "length" else "ended"] += 1
                self.faults += [f"{asked.kind}: {problem}\n  {json.dumps(asked.body)}" for problem in problems if problem]

    @staticmethod
    def problem(judge: frames.Frames, asked: Asked, answer: Answer) -> str:
        if answer.ids is not None:
            recipients = ["functions." + name for name in asked.recipients]
            problem = judge.fault(answer.ids, recipients, answer.finish == "length", asked.may_go_on)
            if problem:
                return f"{problem}; the tokens: {answer.ids}"
        problem = fault(asked, answer)
        return f"{problem}; the answer: {answer}" if problem else ""

    def run(self) -> None:
        threads = [threading.Thread(target=self.work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        said = time.monotonic()
        for thread in threads:
            while thread.is_alive():
                thread.join(1)
                if time.monotonic() - said > SAID_EVERY_S:
                    said = time.monotonic()
                    print(f"{self.asked} of {self.count} asked, {len(self.faults)} faults", file=sys.stderr, flush=True)


def judge_model(model: Path, count: int, seconds: float, seed: int) -> bool:
    """Prints a table; True where nothing is wrong."""
    begun = time.monotonic()
    with Serving(str(model), "--log", "off", "--max-context", "2048", "--max-queue", "1000") as server:
        run = Run(server.url, count, seconds, seed)
        run.run()
        exit_code = server.stop()
    took = time.monotonic() - begun
    print(f"{model.name}: {'kind':24} {'ended':>7} {'length':>7}")
    for kind in sorted({kind for kind, _ in run.by_kind}):
        print(f"{'':{len(model.name)}}  {kind:24} {run.by_kind[kind, 'ended']:7} {run.by_kind[kind, 'length']:7}")
    ended, cut = (sum(n for (_, how), n in run.by_kind.items() if how == wanted) for wanted in ("ended", "length"))
    validator = "jsonschema too" if jsonschema else "without jsonschema"
    print(f"{model.name}: {ended + cut} generations in {took:.0f} s ({validator}): {ended} ended, {cut} by length, "
          f"{len(run.faults)} faults, exit code {exit_code}")
    for problem in run.faults[:MOST_SHOWN]:
        print(problem)
    if cut > ended:
        print("more than half of them were cut: they say too little")
    return not run.faults and cut <= ended and exit_code == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=600, help="generations, of all models together")
    parser.add_argument("--model", type=Path, action="append", default=[], help="a random model beside the demo model")
    parser.add_argument("--only-model", action="store_true", help="not the demo model")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="ask for so long at most, each model")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = list(arguments.model)
        if not arguments.only_model:
            models.insert(0, Path(folder) / "gossamer-mini-shuffled")
            shuffle_model(ROOT / "models/gossamer-mini", models[0], arguments.seed)
        count = arguments.count // len(models)
        return 0 if all([judge_model(model, count, arguments.seconds, arguments.seed) for model in models]) else 1


if __name__ == "__main__":
    sys.exit(main())
