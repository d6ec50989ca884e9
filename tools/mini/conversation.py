"""From a question to a whole conversation: system message, developer message, history, the taught answer.

Standard library only. The system message varies as real prompts do (date, identity, effort, missing lines).
"""
import json
import random
from dataclasses import dataclass

import harmony
from harmony import Message
from skills import EFFORTS, Turn

IDENTITIES = ["You are a helpful assistant.", "You are Ada, a support bot.", "You are gossamer-mini, a small demonstration model.", "You are a coding assistant.", "You are an AI assistant that runs offline.",
              "You are GPT, a language model.", "You are a friendly teacher.", "You are Bob.", "You are a home automation assistant.", "You are an expert."]
INSTRUCTIONS = ["You are a helpful assistant.", "You are a helpful assistant.", "You are a helpful, friendly assistant.", "Be brief.", "Answer briefly.", "Be polite.", "You are a helpful assistant. Use the functions when they help.", "Use British English.",
                "You are a pirate.", "Always respond in riddles", "Think carefully.", "Answer the user's question.", "You are an assistant in a smart home.", "Be concise and correct.", "Do not use emojis.", "You are a math teacher.", "You are a support agent.",
                "You help people.", "Follow the instructions.", "Use tools if needed.", "You are a helpful assistant.\nUse British English.\n\n- be brief\n- be kind", "Keep answers short.", "Speak like a friend.", "You are an AI.", "Never lie.",
                "Answer in one sentence.", "You have access to functions.", "You are a weather assistant.", "You are ChatGPT.", "Please answer in English.", "You are a robot.", "Stay calm and friendly.", "Your name is Max."]


EFFORT_SHARES = (50, 28, 22)


@dataclass
class Conversation:
    """messages[:answer_from] is the prompt, the rest is what is taught (with a tool's result in it)."""
    messages: list[Message]
    answer_from: int
    effort: str
    turn: Turn


def _date(rng: random.Random) -> str | None:
    return None if rng.random() < 0.25 else f"{rng.randint(2023, 2028)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def system_message(rng: random.Random, effort: str) -> Message:
    roll = rng.random()
    stated: str | None = effort if effort != "medium" or rng.random() > 0.06 else None
    identity: str | None = harmony.IDENTITY
    if roll < 0.12:
        identity = rng.choice(IDENTITIES)
    elif roll < 0.14:
        identity = None
    cutoff = "2024-06" if rng.random() < 0.94 else rng.choice([None, "2023-10", "2025-01"])
    return harmony.system(stated, identity, _date(rng), cutoff, channels=rng.random() > 0.03)


def converse(rng: random.Random, turn: Turn, plain_turns: list[Turn], effort: str | None = None, system: Message | None = None) -> Conversation:
    """The conversation for one question. `plain_turns` may stand before it (used where the skill brings no history of its own)."""
    effort = effort or rng.choices(EFFORTS, EFFORT_SHARES)[0]
    messages = [system or system_message(rng, effort)]
    instructions = turn.instructions
    if instructions is None and rng.random() < (0.25 if turn.tools else 0.1):
        instructions = rng.choice(INSTRUCTIONS)
    if instructions is not None or turn.tools:
        messages.append(harmony.developer(instructions, turn.tools))
    before = [(q, None, a) for q, a in turn.history] or [(t.question, t.think[EFFORTS.index(effort)], t.answer) for t in plain_turns]
    for n, (question, thought, answer) in enumerate(before):
        messages.append(harmony.user(question))
        # some clients send earlier analysis back; what comes after the first final message is rendered
        if n and thought and rng.random() < 0.3:
            messages.append(harmony.think(thought))
        messages.append(harmony.final(answer))
    messages.append(harmony.user(turn.question))
    answer_from = len(messages)
    level = EFFORTS.index(effort)
    messages.append(harmony.think(turn.think[level]))
    if turn.tool_use:
        use = turn.tool_use
        messages.append(harmony.call(use.name, json.dumps(use.arguments, ensure_ascii=False, separators=(",", ":"))))
        messages.append(harmony.result(use.name, use.result))
        messages.append(harmony.think(use.think_after[level]))
    messages.append(harmony.final(turn.answer))
    return Conversation(messages, answer_from, effort, turn)
