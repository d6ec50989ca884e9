"""The Responses API through OpenAI's client and its agents' SDK, unmodified, against the demo model."""
import json
import sys
import time
import unittest
from pathlib import Path

import openai
from agents import Agent, ModelSettings, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from serving import Serving  # noqa: E402

CAPITAL = "What is the capital of France?"
WEATHER = {"type": "function", "name": "get_weather", "description": "Gets the weather of a place.", "strict": False, "parameters": {
    "type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}}


def strict(value: BaseModel) -> None:
    """The client does not validate what it reads: its own models do."""
    type(value).model_validate_json(value.to_json(), strict=True)


class Responses(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Serving()
        cls.client = OpenAI(base_url=cls.server.url + "/v1", api_key="none", max_retries=0)
        cls.model = cls.client.models.list().data[0].id

    @classmethod
    def tearDownClass(cls) -> None:
        cls.client.close()
        cls.assertEqual(cls(), cls.server.stop(), 0)
        cls.server.__exit__()

    def create(self, input=CAPITAL, **more):
        return self.client.responses.create(model=self.model, input=input, temperature=0, **more)

    def test_an_answer(self):
        answer = self.create()
        self.assertIsInstance(answer, Response)
        strict(answer)
        self.assertEqual(answer.status, "completed")
        self.assertIn("Paris", answer.output_text)
        self.assertEqual([item.type for item in answer.output], ["reasoning", "message"])
        self.assertTrue(answer.output[0].content[0].text)
        self.assertGreater(answer.usage.output_tokens_details.reasoning_tokens, 0)
        self.assertEqual(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens)

    def test_a_stream_is_the_answer(self):
        whole = self.create()
        with self.client.responses.stream(model=self.model, input=CAPITAL, temperature=0) as stream:
            events = list(stream)
            final = stream.get_final_response()
        self.assertEqual(final.output_text, whole.output_text)
        self.assertEqual("".join(e.delta for e in events if e.type == "response.output_text.delta"), whole.output_text)
        self.assertEqual("".join(e.delta for e in events if e.type == "response.reasoning_text.delta"), whole.output[0].content[0].text)
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))

    def test_events_are_in_form(self):
        for event in self.create(stream=True):
            strict(event)

    def test_a_tool_loop(self):
        question = "What is the weather in Paris?"
        asked = self.create(question, tools=[WEATHER])
        strict(asked)
        [call] = [item for item in asked.output if item.type == "function_call"]
        self.assertEqual((call.name, json.loads(call.arguments)), ("get_weather", {"location": "Paris"}))
        self.assertNotEqual(call.id, call.call_id)
        result = {"type": "function_call_output", "call_id": call.call_id, "output": '{"temperature": 21, "sky": "sunny"}'}
        by_id = self.create([result], previous_response_id=asked.id, tools=[WEATHER])
        replayed = self.create([{"role": "user", "content": question}, *[item.to_dict() for item in asked.output], result], tools=[WEATHER])
        self.assertTrue(by_id.output_text)
        self.assertEqual(by_id.output_text, replayed.output_text)
        self.assertEqual(by_id.usage.input_tokens, replayed.usage.input_tokens)

    def test_a_streamed_call(self):
        with self.client.responses.stream(model=self.model, input="What is the weather in Paris?", temperature=0, tools=[WEATHER]) as stream:
            events = list(stream)
            final = stream.get_final_response()
        pieces = "".join(e.delta for e in events if e.type == "response.function_call_arguments.delta")
        [call] = [item for item in final.output if item.type == "function_call"]
        self.assertEqual(json.loads(pieces), {"location": "Paris"})
        self.assertEqual(call.arguments, pieces)

    def test_parse(self):
        class Person(BaseModel):
            name: str
            age: int

        answer = self.client.responses.parse(model=self.model, temperature=0, text_format=Person,
                                             input="Reply in JSON with keys name and age: Ada is 36 years old.")
        self.assertEqual(answer.output_parsed, Person(name="Ada", age=36))

    def test_a_chain(self):
        first = self.create("My name is Ada.")
        second = self.create("What is my name?", previous_response_id=first.id)
        self.assertIn("Ada", second.output_text)
        self.assertEqual(second.previous_response_id, first.id)
        with self.assertRaises(openai.NotFoundError):
            self.create("And now?", previous_response_id="resp_unknown")

    def test_stored_until_deleted(self):
        made = self.create(metadata={"for": "test"})
        self.assertEqual(self.client.responses.retrieve(made.id).to_dict(), made.to_dict())
        items = self.client.responses.input_items.list(made.id)
        self.assertEqual(items.data[0].content[0].text, CAPITAL)
        self.client.responses.delete(made.id)
        with self.assertRaises(openai.NotFoundError):
            self.client.responses.retrieve(made.id)
        unstored = self.create(store=False)
        with self.assertRaises(openai.NotFoundError):
            self.client.responses.retrieve(unstored.id)

    def test_sealed_reasoning(self):
        asked = self.create("What is the weather in Paris?", tools=[WEATHER], store=False, include=["reasoning.encrypted_content"])
        items = [item.to_dict() for item in asked.output]
        result = {"type": "function_call_output", "call_id": items[-1]["call_id"], "output": '{"temperature": 21}'}
        opened = self.create([{"role": "user", "content": "What is the weather in Paris?"}, *items, result], tools=[WEATHER], store=False)
        self.assertIn("encrypted_content", items[0])
        items[0]["content"] = None
        sealed = self.create([{"role": "user", "content": "What is the weather in Paris?"}, *items, result], tools=[WEATHER], store=False)
        self.assertEqual(sealed.usage.input_tokens, opened.usage.input_tokens)

    def test_a_resumed_stream(self):
        events = list(self.create(stream=True, background=True))
        id = events[0].response.id
        rest = list(self.client.responses.retrieve(id, stream=True, starting_after=5))
        self.assertEqual([e.to_dict() for e in rest], [e.to_dict() for e in events[6:]])

    def test_the_background(self):
        begun = self.create(background=True)
        self.assertIn(begun.status, ("queued", "in_progress", "completed"))
        end = time.monotonic() + 60
        while (polled := self.client.responses.retrieve(begun.id)).status in ("queued", "in_progress"):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)
        self.assertIn("Paris", polled.output_text)
        self.assertEqual(self.client.responses.cancel(begun.id).status, "completed")

    def test_what_is_cut_off(self):
        answer = self.create(max_output_tokens=4)
        strict(answer)
        self.assertEqual((answer.status, answer.incomplete_details.reason), ("incomplete", "max_output_tokens"))

    def test_unknown_tools_are_ignored(self):
        raw = self.client.responses.with_raw_response.create(model=self.model, input=CAPITAL, tools=[{"type": "web_search"}, WEATHER])
        self.assertIn("web_search", raw.headers["x-gossamer-warning"])
        self.assertEqual([tool.name for tool in raw.parse().tools], ["get_weather"])
        with self.assertRaises(openai.BadRequestError):
            self.create(tools=[{"type": "web_search"}], tool_choice={"type": "web_search"})

    def test_logprobs(self):
        answer = self.create(include=["message.output_text.logprobs"], top_logprobs=2)
        strict(answer)
        [message] = [item for item in answer.output if item.type == "message"]
        self.assertEqual("".join(token.token for token in message.content[0].logprobs), answer.output_text)
        self.assertEqual(len(message.content[0].logprobs[0].top_logprobs), 2)


class Agents(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        set_tracing_disabled(True)
        self.server = Serving()
        self.client = AsyncOpenAI(base_url=self.server.url + "/v1", api_key="none", max_retries=0)
        self.asked = []

        @function_tool
        def get_weather(location: str) -> str:
            """Gets the weather of a place."""
            self.asked.append(location)
            return '{"temperature": 21, "sky": "sunny"}'

        model = (await self.client.models.list()).data[0].id
        self.agent = Agent(name="Weather", tools=[get_weather], model_settings=ModelSettings(temperature=0),
                           model=OpenAIResponsesModel(model=model, openai_client=self.client))

    async def asyncTearDown(self):
        await self.client.close()
        self.server.stop()
        self.server.__exit__()

    async def test_an_agent_calls_its_tool(self):
        result = await Runner.run(self.agent, "What is the weather in Paris?")
        self.assertEqual(self.asked, ["Paris"])
        self.assertTrue(result.final_output)

    async def test_an_agent_streams(self):
        result = Runner.run_streamed(self.agent, "What is the weather in Paris?")
        kinds = [event.type async for event in result.stream_events()]
        self.assertIn("raw_response_event", kinds)
        self.assertEqual(self.asked, ["Paris"])
        self.assertTrue(result.final_output)


if __name__ == "__main__":
    unittest.main(verbosity=1)
