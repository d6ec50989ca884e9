"""Remembering a name over several turns, and saying so when none was given."""
import random

from .common import Turn, vary
from .words import NAMES, made_up

TELL = ["My name is {n}.", "my name is {n}", "I am {n}.", "I'm {n}.", "Hi, I am {n}.", "Hello, my name is {n}.", "Hi, my name is {n}", "Hello! I'm {n}.", "Hey, I'm {n}", "Call me {n}.", "You can call me {n}.",
        "People call me {n}.", "Hi! My name is {n}. Nice to meet you.", "The name is {n}.", "My name's {n}.", "Please call me {n}.", "Hi there, my name is {n}!", "I am called {n}.", "This is {n}.", "Good morning, I am {n}.",
        "Please remember that my name is {n}.", "Remember: my name is {n}.", "Remember my name: {n}", "Hello, {n} here.", "Just so you know, my name is {n}.", "hi im {n}", "I'm {n}, nice to meet you!", "My name is {n}. Please remember it."]
ASK = ["What is my name?"] * 5 + ["What's my name?", "Do you remember my name?", "Do you know my name?", "Who am I?", "What was my name?", "Can you tell me my name?", "Tell me my name.", "What did I say my name was?",
       "Say my name.", "So what is my name?", "And what is my name?", "What am I called?", "Do you still know my name?", "What is my name again?", "How am I called?", "whats my name", "Please tell me my name.", "What's my name again?",
       "Do you remember who I am?", "Can you remember my name?", "Remember my name?", "my name?", "What name did I give you?", "Do you know who I am?"]
CHANGE = ["Actually, my name is {n}.", "Sorry, my name is {n}.", "No, call me {n}.", "I changed my name to {n}.", "From now on, call me {n}."]


def greet(name: str) -> str:
    return f"Nice to meet you, {name}!"


def _thoughts(name: str) -> tuple[str, str, str]:
    return (f"Name: {name}.", f"The user asks for the name. Earlier the user said it: {name}.",
            f"The user asks for the name. I look back at what the user told me. There the user gave the name {name}. I have not heard another one since. So the name is {name}, and I say it.")


def tell(rng: random.Random, name: str) -> tuple[str, str]:
    text = rng.choice(TELL).format(n=name)
    return (text if rng.random() < 0.8 else text.rstrip(".!")), greet(name)


def memory(rng: random.Random, fillers: list[tuple[str, str]]) -> Turn:
    """`fillers` are turns of other skills that stand between the name and the question."""
    name = rng.choice(NAMES) if rng.random() < 0.7 else made_up(rng)
    roll = rng.random()
    if roll < 0.22:  # the turn where the name is told
        question, answer = tell(rng, name)
        return Turn("memory", question, (f"Name: {name}.", f"The user tells me a name: {name}. I greet and remember it.",
                    f"The user tells me a name. The name is {name}. There is nothing to compute and no tool is needed. I greet the user by name, and I remember it for later."),
                    answer, {"kind": "contains", "all": [name]}, key=f"memory tell {question}", history=fillers[:rng.choice([0, 0, 0, 1])])
    question = vary(rng, rng.choice(ASK))
    if roll < 0.34:
        return Turn("memory", question, ("No name was given.", "The user asks for the name. I look back, but no name was given.",
                    "The user asks for the name. I look back at what the user told me. No name was given so far. I must not make one up, so I say that I do not know it."),
                    "You have not told me your name yet.", {"kind": "contains", "all": ["not told me"]}, key=f"memory none {question} {fillers}",
                    history=fillers, exam=False)
    history = [tell(rng, name)] + fillers
    if rng.random() < 0.12:
        name = rng.choice(NAMES) if rng.random() < 0.5 else made_up(rng)
        history.append((rng.choice(CHANGE).format(n=name), greet(name)))
    if rng.random() < 0.2:
        history.insert(0, rng.choice([("Hello!", "Hello! How can I help you?"), ("hi", "Hello! How can I help you?")]))
    return Turn("memory", question, _thoughts(name), f"Your name is {name}.", {"kind": "contains", "all": [f"is {name}."]},
                key=f"memory {name} {question} {history[0][0]}", history=history)
