"""The judges of always_valid.py notice what is wrong. Standard library only."""
import re
import unittest

import frames
import small_schema
from asked import SCHEMAS, Answer, Asked, fault

SPECIAL = {name: 1000 + number for number, name in enumerate((frames.FIRST_SPECIAL, *frames.NAMES[:-1]))}
PIECE = re.compile("|".join(map(re.escape, SPECIAL)) + "|.", re.DOTALL)


def tokens(text: str) -> list[int]:
    """Special tokens, and one for each other character."""
    return [SPECIAL.get(piece, ord(piece[0])) for piece in PIECE.findall(text)]


class Frames(unittest.TestCase):
    def fault(self, text: str, was_cut: bool = False, may_go_on: bool = False) -> str:
        return frames.Frames(SPECIAL, chr).fault(tokens(text), ["functions.f"], was_cut, may_go_on)

    FINAL = "<|channel|>final<|message|>x<|return|>"
    THOUGHT = "<|channel|>analysis<|message|>x<|end|><|start|>assistant"
    CALL = "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>"

    def test_what_is_in_form(self) -> None:
        for text in (self.FINAL, self.THOUGHT + self.FINAL, self.CALL, self.THOUGHT + self.CALL, self.FINAL[:-10] + "<|end|>",
                     " to=functions.f<|channel|>analysis code<|message|>x<|call|>"):
            self.assertEqual(self.fault(text), "", text)
            for length in range(len(tokens(text))):
                cut = "".join(PIECE.findall(text)[:length])
                self.assertEqual(self.fault(cut, was_cut=True), "", cut)
                self.assertNotEqual(self.fault(cut), "", cut)

    def test_what_is_not(self) -> None:
        for text in ("x", "<|message|>x<|return|>", "<|channel|>other<|message|>x<|end|>", self.FINAL + "x", self.FINAL * 2,
                     self.CALL.replace(".f", ".g"), self.CALL.replace("<|call|>", "<|end|>"),
                     self.FINAL.replace("<|return|>", "<|call|>"), self.THOUGHT.replace("assistant", "user") + self.FINAL,
                     self.THOUGHT.replace("<|end|>", "<|return|>"), "<|channel|>final to=functions.f<|message|>x<|call|>",
                     " to=functions.f" + self.CALL, self.FINAL.replace("x", "<|constrain|>"),
                     self.FINAL.replace("x", frames.FIRST_SPECIAL), self.THOUGHT, self.FINAL[:-10] + "<|end|><|start|>assistant" + self.FINAL):
            self.assertNotEqual(self.fault(text), "", text)
        self.assertEqual(self.fault(self.FINAL[:-10] + "<|end|><|start|>assistant" + self.FINAL, may_go_on=True), "")


class Answers(unittest.TestCase):
    def test_faults(self) -> None:
        asked = Asked("kind", "/", {}, ["f"], {"f": SCHEMAS["boolean"]}, content=lambda text: "" if text == "yes" else "no")
        for answer, is_good in ((Answer("stop", "yes", []), True), (Answer("stop", "x", []), False),
                                (Answer("length", "x", []), True), (Answer("error", "yes", []), False),
                                (Answer("tool_calls", "", [("f", '{"a": true}')]), True),
                                (Answer("tool_calls", "", [("f", '{"a": 1}')]), False),
                                (Answer("tool_calls", "", [("f", '{"a": tr')]), False),
                                (Answer("length", "", [("f", '{"a": tr')]), True),
                                (Answer("length", "", [("g", "{}")]), False), (Answer("tool_calls", "", []), False)):
            self.assertEqual(fault(asked, answer) == "", is_good, answer)
        asked.must_call = True
        self.assertNotEqual(fault(asked, Answer("stop", "yes", [])), "")

    def test_schemas(self) -> None:
        for name, good, bad in (("boolean", {"a": True}, {"a": 1}), ("enum", {"c": 1}, {"c": True}), ("array", [1, 2], [1, 2, 3]),
                                ("pattern", {"z": "A1"}, {"z": "a1"}), ("anyOf", "none", {"n": 0}), ("unicode", {"größe": "小"}, {}),
                                ("recursive", {"n": {"n": None}}, {"n": {"m": None}})):
            self.assertEqual(small_schema.fault(good, SCHEMAS[name]), "", name)
            self.assertNotEqual(small_schema.fault(bad, SCHEMAS[name]), "", name)


if __name__ == "__main__":
    unittest.main()
