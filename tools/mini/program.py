"""The built program as the exam uses it: `generate` and `parse`, one JSON object a line in and out. Standard library only."""
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harmony import Message


@dataclass
class Answer:
    """A completion: its messages as the strict parser sees them, and whether it ended by <|return|> or <|call|>."""
    text: str
    messages: list[Message]
    error: str | None
    ended: bool

    def channel(self, name: str) -> str:
        return "".join(text_of(m) for m in self.messages if m.get("channel") == name and "recipient" not in m)

    @property
    def call(self) -> Message | None:
        """The function call that the completion ends with."""
        last = self.messages[-1] if self.messages else {}
        return last if last.get("recipient", "").startswith("functions.") else None

    @property
    def final(self) -> str | None:
        last = self.messages[-1] if self.messages else {}
        return text_of(last) if last.get("channel") == "final" else None


def text_of(message: Message) -> str:
    """The text of a message whose content is one text, in either of the forms openai-harmony writes."""
    content = message["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def _exchange(command: list[str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.strip()]
    if done.returncode != 0 or len(answers) != len(rows):
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}, {len(answers)} answers to {len(rows)} requests")
    return answers


def answers(program: Path, model: Path, conversations: list[list[Message]], max_tokens: int) -> list[Answer]:
    """Greedy completions of the conversations, parsed in strict mode, in order."""
    if not conversations:
        return []
    requests = [{"conversation": {"messages": m}, "max_tokens": max_tokens, "temperature": 0} for m in conversations]
    completions = _exchange([str(program), "generate", "--unconstrained", "--model", str(model)], requests)
    parsed = _exchange([str(program), "parse", "--mode", "strict", "--model", str(model)], [{"tokens": c["tokens"], "role": "assistant"} for c in completions])
    out = []
    for c, p in zip(completions, parsed):
        error = str(p.get("error", f"at token {p['error_at']}")) if "error_at" in p else p.get("eos_error")
        ended = c["finish_reason"] == "stop" and c["text"].endswith(("<|return|>", "<|call|>"))
        out.append(Answer(c["text"], p["messages"], error, ended))
    return out
