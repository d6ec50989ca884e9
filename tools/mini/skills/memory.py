"""Remembering a name over several turns, and saying so when none was given."""
import random

from .common import Turn, efforts, vary
from .words import NAMES, made_up

TELL = ["My name is {n}.", "my name is {n}", "I am {n}.", "I'm {n}.", "Hi, I am {n}.", "Hello, my name is {n}.", "Hi, my name is {n}", "Call me {n}.", "You can call me {n}.", "My name's {n}.",
        "Please remember that my name is {n}.", "Remember: my name is {n}.", "Remember my name: {n}"]
ASK = ["What is my name?"] * 4 + ["What's my name?", "Do you remember my name?", "Do you know my name?", "What was my name?", "Can you tell me my name?", "Tell me my name.", "Say my name.",
       "And what is my name?", "What is my name again?"]
CHANGE = ["Actually, my name is {n}.", "Sorry, my name is {n}.", "No, call me {n}.", "I changed my name to {n}.", "From now on, call me {n}."]


def greet(name: str) -> str:
    return f"Nice to meet you, {name}!"


MEDIUM, HIGH = "This is about the user's name.", "This is about the user's name. I look at what the user told me, and I must not make one up."


def tell(rng: random.Random, name: str) -> tuple[str, str]:
    text = rng.choice(TELL).format(n=name)
    return (text if rng.random() < 0.8 else text.rstrip(".!")), greet(name)


def memory(rng: random.Random, fillers: list[tuple[str, str]]) -> Turn:
    """`fillers` are turns of other skills that stand between the name and the question."""
    name = rng.choice(NAMES) if rng.random() < 0.7 else made_up(rng)
    roll = rng.random()
    if roll < 0.22:  # the turn where the name is told
        question, answer = tell(rng, name)
        return Turn("memory", question, efforts(f"Name: {name}.", MEDIUM, HIGH), answer, {"kind": "contains", "all": [name]}, key=f"memory tell {question}", history=fillers[:rng.choice([0, 0, 0, 1])])
    question = vary(rng, rng.choice(ASK))
    if roll < 0.34:
        return Turn("memory", question, efforts("No name was given.", MEDIUM, HIGH), "You have not told me your name yet.", {"kind": "contains", "all": ["not told me"]}, key=f"memory none {question} {fillers}",
                    history=fillers, exam=False)
    history = [tell(rng, name)] + fillers
    if rng.random() < 0.12:
        name = rng.choice(NAMES) if rng.random() < 0.5 else made_up(rng)
        history.append((rng.choice(CHANGE).format(n=name), greet(name)))
    if rng.random() < 0.2:
        history.insert(0, rng.choice([("Hello!", "Hello! How can I help you?"), ("hi", "Hello! How can I help you?")]))
    return Turn("memory", question, efforts(f"Name: {name}.", MEDIUM, HIGH), f"Your name is {name}.", {"kind": "contains", "all": [f"is {name}."]},
                key=f"memory {name} {question} {history[0][0]}", history=history)
