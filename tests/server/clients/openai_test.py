"""OpenAI's client for Python, unmodified, against the demo model."""
import asyncio
import json
import sys
import unittest
from pathlib import Path

import openai
from openai import AsyncOpenAI, OpenAI
from openai.types import Completion, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from serving import Serving  # noqa: E402

CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER = [{"type": "function", "function": {"name": "get_weather", "description": "Gets the weather of a place.", "parameters": {
    "type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}}}]


def strict(cls: type[BaseModel], value: BaseModel) -> None:
    """The client does not validate what is not streamed: its own models do."""
    cls.model_validate(value.to_dict(), strict=True)


class Chat(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Serving()
        cls.client = OpenAI(base_url=cls.server.url + "/v1", api_key="none", max_retries=0)
        cls.model = cls.client.models.list().data[0].id

    @classmethod
    def tearDownClass(cls) -> None:
        cls.assertEqual(cls(), cls.server.stop(), 0)
        cls.server.__exit__()
        cls.client.close()

    def chat(self, messages=CAPITAL, **more):
        return self.client.chat.completions.create(model=self.model, messages=messages, temperature=0, **more)

    def test_models(self):
        for model in self.client.models.list():
            strict(Model, model)
            self.assertEqual(self.client.models.retrieve(model.id).id, model.id)
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.models.retrieve("gpt-4")
        self.assertEqual(caught.exception.code, "model_not_found")

    def test_an_answer(self):
        answer = self.chat()
        strict(ChatCompletion, answer)
        message = answer.choices[0].message
        self.assertIn("Paris", message.content)
        self.assertTrue(message.reasoning)
        self.assertEqual(message.reasoning, message.reasoning_content)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertGreater(answer.usage.completion_tokens_details.reasoning_tokens, 0)
        self.assertGreater(answer.ttft, 0)
        self.assertTrue(answer._request_id)

    def test_the_same_streamed(self):
        whole = self.chat()
        content = reasoning = ""
        finishes, usage, ids = [], [], set()
        for chunk in self.chat(stream=True, stream_options={"include_usage": True}):
            strict(ChatCompletionChunk, chunk)
            ids.add(chunk.id)
            usage += [chunk.usage] if chunk.usage else []
            for choice in chunk.choices:
                content += choice.delta.content or ""
                reasoning += getattr(choice.delta, "reasoning", None) or ""
                finishes += [choice.finish_reason] if choice.finish_reason else []
        self.assertEqual((content, reasoning), (whole.choices[0].message.content, whole.choices[0].message.reasoning))
        self.assertEqual(finishes, ["stop"])
        self.assertEqual(len(ids), 1)
        self.assertEqual(len(usage), 1)
        self.assertEqual(usage[0].completion_tokens, whole.usage.completion_tokens)

    def test_the_stream_helper(self):
        with self.client.chat.completions.stream(model=self.model, messages=CAPITAL, temperature=0) as stream:
            deltas = [event.delta for event in stream if event.type == "content.delta"]
            final = stream.get_final_completion()
        self.assertEqual("".join(deltas), final.choices[0].message.content)

    def test_a_prefix_is_computed_once(self):
        long = CAPITAL + [{"role": "assistant", "content": "Paris."}] * 1 + [{"role": "user", "content": "And of Italy? " * 20}]
        self.chat(long)
        self.assertGreater(self.chat(long).usage.prompt_tokens_details.cached_tokens, 0)

    def test_tools_there_and_back(self):
        messages = [{"role": "user", "content": "What is the weather in Paris?"}]
        first = self.chat(messages, tools=WEATHER)
        strict(ChatCompletion, first)
        self.assertEqual(first.choices[0].finish_reason, "tool_calls")
        (call,) = first.choices[0].message.tool_calls
        self.assertEqual(call.function.name, "get_weather")
        self.assertEqual(json.loads(call.function.arguments), {"location": "Paris"})
        messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": '{"temperature": 21, "sky": "sunny"}'}]
        second = self.chat(messages, tools=WEATHER)
        self.assertTrue(second.choices[0].message.content)
        self.assertEqual(second.choices[0].finish_reason, "stop")

    def test_tools_streamed(self):
        with self.client.chat.completions.stream(model=self.model, messages=[{"role": "user", "content": "What is the weather in Paris?"}],
                                                 tools=WEATHER, temperature=0) as stream:
            for _ in stream:
                pass
            call = stream.get_final_completion().choices[0].message.tool_calls[0]
        self.assertEqual(json.loads(call.function.arguments), {"location": "Paris"})

    def test_tool_choice_none_hides_the_tools(self):
        answer = self.chat([{"role": "user", "content": "What is the weather in Paris?"}], tools=WEATHER, tool_choice="none")
        self.assertFalse(answer.choices[0].message.tool_calls)

    def test_several_choices_a_seed_and_a_limit(self):
        def ask():
            return [c.message.content for c in self.client.chat.completions.create(
                model=self.model, messages=CAPITAL, n=3, seed=5, temperature=1).choices]
        self.assertEqual(ask(), ask())
        short = self.chat(max_completion_tokens=3)
        self.assertEqual((short.choices[0].finish_reason, short.usage.completion_tokens), ("length", 3))

    def test_stops(self):
        answer = self.chat(stop=[" Paris"])
        self.assertNotIn("Paris", answer.choices[0].message.content)
        self.assertEqual(answer.choices[0].finish_reason, "stop")

    def test_logprobs(self):
        answer = self.chat(logprobs=True, top_logprobs=3)
        strict(ChatCompletion, answer)
        tokens = answer.choices[0].logprobs.content
        self.assertEqual("".join(t.token for t in tokens), answer.choices[0].message.content)
        for token in tokens:
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(len(token.top_logprobs), 3)
            self.assertEqual(token.top_logprobs[0].token, token.token)

    def test_completions(self):
        answer = self.client.completions.create(model=self.model, prompt="The capital of France is", max_tokens=4, temperature=0)
        strict(Completion, answer)
        self.assertEqual(answer.usage.completion_tokens, 4)
        streamed = "".join(c.choices[0].text for c in self.client.completions.create(
            model=self.model, prompt="The capital of France is", max_tokens=4, temperature=0, stream=True))
        self.assertEqual(streamed, answer.choices[0].text)

    def test_a_prompts_own_logprobs_are_those_of_decoding(self):
        made = self.client.completions.create(model=self.model, prompt="The capital of France is", max_tokens=6, temperature=0, logprobs=1,
                                              extra_body={"return_token_ids": True}).choices[0]
        told = self.client.completions.create(model=self.model, prompt=made.prompt_token_ids + made.token_ids, max_tokens=1, echo=True,
                                              logprobs=1, temperature=0).choices[0]
        self.assertIsNone(told.logprobs.token_logprobs[0])
        self.assertEqual(len(told.logprobs.token_logprobs), len(made.prompt_token_ids) + len(made.token_ids) + 1)
        self.assertTrue(made.logprobs.tokens)
        again = told.logprobs.token_logprobs[len(made.prompt_token_ids):]
        for token, one, other in zip(made.logprobs.tokens, made.logprobs.token_logprobs, again):
            self.assertAlmostEqual(one, other, delta=0.05, msg=token)

    def test_errors_have_their_classes(self):
        for more, error, param in ((dict(temperature=9), openai.BadRequestError, "temperature"), (dict(stop=3), openai.BadRequestError, "stop")):
            with self.assertRaises(error) as caught:
                self.client.chat.completions.create(model=self.model, messages=CAPITAL, **more)
            self.assertEqual(caught.exception.param, param)
        with self.assertRaises(openai.NotFoundError):
            self.client.chat.completions.create(model="gpt-4", messages=CAPITAL)
        with self.assertRaises(openai.BadRequestError) as caught:
            self.chat([{"role": "user", "content": "word " * 200_000}])
        self.assertEqual(caught.exception.code, "context_length_exceeded")

    def test_many_at_once_are_answered_as_alone(self):
        alone = self.chat().choices[0].message.content

        async def all_of_them() -> list[str]:
            async with AsyncOpenAI(base_url=self.server.url + "/v1", api_key="none") as client:
                answers = await asyncio.gather(*(client.chat.completions.create(model=self.model, messages=CAPITAL, temperature=0)
                                                 for _ in range(32)))
            return [answer.choices[0].message.content for answer in answers]
        self.assertEqual(set(asyncio.run(all_of_them())), {alone})

    def test_who_leaves_a_stream_frees_its_place(self):
        stream = self.chat(stream=True, logit_bias={}, max_tokens=5000)
        next(iter(stream))
        stream.close()
        self.assertIn("Paris", self.chat().choices[0].message.content)


class Keys(unittest.TestCase):
    def test_wrong_key(self):
        with Serving("--api-key", "right") as server:
            with self.assertRaises(openai.AuthenticationError) as caught:
                OpenAI(base_url=server.url + "/v1", api_key="wrong").models.list()
            self.assertEqual(caught.exception.code, "invalid_api_key")
            self.assertTrue(OpenAI(base_url=server.url + "/v1", api_key="right").models.list().data)


if __name__ == "__main__":
    unittest.main()
