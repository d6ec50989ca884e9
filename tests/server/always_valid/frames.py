"""Harmony's frames, read again from scratch: which tokens an answer may have, as docs/structured-output.md says it.

Shares nothing with the program but the text of single tokens. Standard library only.
"""
from itertools import product
from typing import Callable

START, END, MESSAGE, CHANNEL, CONSTRAIN, RETURN, CALL = (
    "<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>")
FIRST_SPECIAL = "<|startoftext|>"  # no text token has an id from here on
NAMES = (START, END, MESSAGE, CHANNEL, CONSTRAIN, RETURN, CALL, FIRST_SPECIAL)

TYPES = ["", *(space + CONSTRAIN + word for space, word in product(("", " "), ("", "json", "code"))), " json", " code"]


def legal_headers(recipients: list[str]) -> dict[str, tuple[str, str]]:
    """Every header between the role and <|message|>, with its channel and its recipient ("" for nobody)."""
    headers = {}
    for kind in TYPES:
        for channel in ("analysis", "commentary", "final"):
            headers[f"{CHANNEL}{channel}{kind}{MESSAGE}"] = (channel, "")
        for channel, to in product(("analysis", "commentary"), recipients):
            headers[f" to={to}{CHANNEL}{channel}{kind}{MESSAGE}"] = (channel, to)
            headers[f"{CHANNEL}{channel} to={to}{kind}{MESSAGE}"] = (channel, to)
    return headers


class Frames:
    """Judges the tokens of answers. `special`: ids of NAMES; `text_of`: the text of one token."""

    def __init__(self, special: dict[str, int], text_of: Callable[[int], str]):
        self.first_special = special[FIRST_SPECIAL]
        self.names = {token: name for name, token in special.items()}
        self.text_of = text_of

    def fault(self, ids: list[int], recipients: list[str], was_cut: bool, may_go_on: bool) -> str:
        """What is wrong with an answer behind <|start|>assistant; "" where nothing is. `was_cut`: it may end anywhere.
        `may_go_on`: a final message may end with <|end|> before others."""
        headers = legal_headers(recipients)
        header: str | None = ""  # None: in a body
        behind_role = True       # else behind <|end|>: "<|start|>assistant" comes first
        channel = recipient = ""
        for position, token in enumerate(ids):
            last = position + 1 == len(ids)
            if header is None:
                if token < self.first_special:
                    continue
                name = self.names.get(token, f"special token {token}")
                ends = [CALL] if recipient else [RETURN, END] if channel == "final" else [END]
                if name not in ends:
                    return f"{name} in a message of {channel} to {recipient or 'nobody'}"
                if name == END and (channel != "final" or (may_go_on and not last)):
                    header, behind_role = "", False
                    continue
                return "" if last else f"{len(ids) - position - 1} tokens behind the end"
            header += self.names.get(token) or (self.text_of(token) if token < self.first_special else f"<{token}>")
            written = header if behind_role else header.removeprefix(START + "assistant")
            if not behind_role and written == header:
                if not (START + "assistant").startswith(header):
                    return f"{header!r} behind <|end|>"
            elif written in headers:
                channel, recipient = headers[written]
                header = None
            elif not any(legal.startswith(written) for legal in headers):
                return f"the header {written!r}"
        return "" if was_cut else "the answer does not end"
