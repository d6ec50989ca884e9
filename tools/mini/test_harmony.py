"""The renderer against openai-harmony, on generated conversations: same text, history and completion alike.

    TIKTOKEN_ENCODINGS_BASE=FOLDER python test_harmony.py [--count 500]      FOLDER holds o200k_base.tiktoken
"""
import argparse
import json

import openai_harmony

import harmony
from data import conversations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=99)
    args = parser.parse_args()
    encoding = openai_harmony.load_harmony_encoding("HarmonyGptOss")

    def library(messages: list[harmony.Message], training: bool) -> str:
        text = json.dumps({"messages": messages})
        inner = encoding._inner  # takes the JSON as it stands
        if training:
            return encoding.decode_utf8(inner.render_conversation_for_training(conversation_json=text, config={"auto_drop_analysis": False}))
        return encoding.decode_utf8(inner.render_conversation_for_completion(conversation_json=text, next_turn_role="assistant", config={"auto_drop_analysis": True}))

    for c, _ in zip(conversations(args.seed), range(args.count)):
        prompt = c.messages[:c.answer_from]
        ours = "".join(text for text, _ in harmony.render(prompt))
        assert ours == library(prompt, training=False), (ours, library(prompt, training=False))
        # a whole conversation, history as the library shows it, answer as it would be trained
        shown = harmony.visible(prompt) + c.messages[c.answer_from:]
        ours = "".join(text for text, _ in harmony.render(c.messages, c.answer_from))
        assert ours == library(shown, training=True), (ours, library(shown, training=True))
        if c.turn.tool_use:
            after_result = c.messages[:-2]
            ours = "".join(text for text, _ in harmony.render(after_result))
            assert ours == library(after_result, training=False), (ours, library(after_result, training=False))
    print(f"{args.count} conversations render as openai-harmony renders them")


if __name__ == "__main__":
    main()
