"""Ollama's client for Python, unmodified, against the demo model."""
import sys
import unittest
from pathlib import Path

import ollama

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from serving import Serving  # noqa: E402

CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER = [{"role": "user", "content": "What is the weather in Paris?"}]
FIXED = {"temperature": 0}


def get_weather(location: str) -> str:
    """Gets the weather of a place.

    Args:
      location: The place
    """
    return '{"temperature": 21, "sky": "sunny"}'


class Ollama(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Serving()
        cls.client = ollama.Client(host=cls.server.url)
        cls.model = cls.client.list().models[0].model

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stop()
        cls.server.__exit__()

    def test_lists_and_shows(self):
        self.assertTrue(self.model.endswith(":latest"))
        [listed] = self.client.list().models
        self.assertGreater(listed.size, 1_000_000)
        self.assertEqual(listed.details.family, "gptoss")
        shown = self.client.show(self.model)
        self.assertEqual(shown.capabilities, ["completion", "tools", "thinking"])
        architecture = shown.modelinfo["general.architecture"]
        self.assertGreater(shown.modelinfo[f"{architecture}.context_length"], 1000)
        [running] = self.client.ps().models
        self.assertEqual(running.model, self.model)

    def test_a_chat_whole_and_streamed(self):
        whole = self.client.chat(self.model, CAPITAL, options=FIXED)
        self.assertIn("Paris", whole.message.content)
        self.assertTrue(whole.message.thinking)
        self.assertEqual(whole.done_reason, "stop")
        self.assertGreater(whole.eval_count, 0)
        self.assertGreater(whole.eval_duration, 0)
        lines = list(self.client.chat(self.model, CAPITAL, options=FIXED, stream=True))
        self.assertEqual("".join(line.message.content for line in lines), whole.message.content)
        self.assertEqual("".join(line.message.thinking or "" for line in lines), whole.message.thinking)
        self.assertEqual([line.done for line in lines], [False] * (len(lines) - 1) + [True])

    def test_think(self):
        self.assertIsNone(self.client.chat(self.model, CAPITAL, think=False, options=FIXED).message.thinking)
        self.assertTrue(self.client.chat(self.model, CAPITAL, think="high", options=FIXED).message.thinking)

    def test_generate(self):
        whole = self.client.generate(self.model, "What is the capital of France?", options=FIXED)
        self.assertIn("Paris", whole.response)
        lines = list(self.client.generate(self.model, "What is the capital of France?", options=FIXED, stream=True))
        self.assertEqual("".join(line.response for line in lines), whole.response)
        self.assertEqual(self.client.generate(self.model).done_reason, "load")

    def test_a_tool_loop(self):
        asked = self.client.chat(self.model, WEATHER, tools=[get_weather], options=FIXED)
        [call] = asked.message.tool_calls
        self.assertEqual((call.function.name, call.function.arguments), ("get_weather", {"location": "Paris"}))
        messages = [*WEATHER, asked.message, {"role": "tool", "tool_name": "get_weather", "content": get_weather("Paris")}]
        answer = self.client.chat(self.model, messages, tools=[get_weather], options=FIXED)
        self.assertTrue(answer.message.content)

    def test_errors(self):
        with self.assertRaises(ollama.ResponseError) as caught:
            self.client.chat("llama3", CAPITAL)
        self.assertEqual(caught.exception.status_code, 404)
        self.assertIn("not found", caught.exception.error)
        with self.assertRaises(ollama.ResponseError) as caught:
            self.client.generate(self.model, "Hi", raw=True)
        self.assertEqual(caught.exception.status_code, 400)

    def test_pull(self):
        self.assertEqual(self.client.pull(self.model).status, "success")
        self.assertEqual([line.status for line in self.client.pull(self.model, stream=True)][-1], "success")
        with self.assertRaises(ollama.ResponseError):
            self.client.pull("llama3")


if __name__ == "__main__":
    unittest.main(verbosity=1)
