"""openai-agents, LangChain and the tutorials' scripts, unmodified, against the demo model."""
import asyncio
import json
import sys
import unittest
from pathlib import Path

import httpx
from agents import Agent, AsyncOpenAI, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from serving import Serving  # noqa: E402

set_tracing_disabled(True)


class Frameworks(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Serving("--served-model-name", "openai/gpt-oss-20b")
        cls.url = cls.server.url + "/v1"

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stop()
        cls.server.__exit__()

    def test_an_agent_calls_a_tool_and_answers(self):
        asked = []

        @function_tool
        def get_weather(location: str) -> str:
            """Gets the weather of a place."""
            asked.append(location)
            return json.dumps({"temperature": 21, "sky": "sunny"})

        async def run(streamed: bool) -> str:
            async with AsyncOpenAI(base_url=self.url, api_key="none") as client:
                agent = Agent(name="weather", instructions="", tools=[get_weather],
                              model=OpenAIChatCompletionsModel(model="openai/gpt-oss-20b", openai_client=client))
                if not streamed:
                    return (await Runner.run(agent, "What is the weather in Paris?")).final_output
                result = Runner.run_streamed(agent, "What is the weather in Paris?")
                async for _ in result.stream_events():
                    pass
                return result.final_output
        for streamed in (False, True):
            self.assertTrue(asyncio.run(run(streamed)))
        self.assertEqual(len(asked), 2)

    def test_langchain(self):
        @tool
        def get_weather(location: str) -> str:
            """Gets the weather of a place."""
            return location

        chat = ChatOpenAI(base_url=self.url, api_key="none", model="openai/gpt-oss-20b", temperature=0, stream_usage=True)
        whole = chat.invoke("What is the capital of France?")
        self.assertIn("Paris", whole.content)
        self.assertGreater(whole.usage_metadata["input_tokens"], 0)
        pieces = list(chat.stream("What is the capital of France?"))
        self.assertEqual("".join(piece.content for piece in pieces), whole.content)
        total = pieces[0]
        for piece in pieces[1:]:
            total = total + piece
        self.assertEqual(total.usage_metadata["output_tokens"], whole.usage_metadata["output_tokens"])
        with_tools = chat.bind_tools([get_weather])
        for answer in (with_tools.invoke("What is the weather in Paris?"), sum_of(with_tools.stream("What is the weather in Paris?"))):
            (call,) = answer.tool_calls
            self.assertEqual((call["name"], call["args"]), ("get_weather", {"location": "Paris"}))

    def test_the_stress_test_of_the_tutorials(self):
        """httpx with http2=True, many at once, usage and ttft from the body."""
        async def fire() -> list[dict]:
            async with httpx.AsyncClient(http2=True, timeout=120) as client:
                async def one(i: int) -> dict:
                    answer = await client.post(self.url + "/chat/completions", json={
                        "model": "openai/gpt-oss-20b", "messages": [{"role": "user", "content": f"What is {i} + 586?"}], "max_tokens": 64})
                    answer.raise_for_status()
                    return answer.json()
                return await asyncio.gather(*(one(i) for i in range(48)))
        for answer in asyncio.run(fire()):
            self.assertGreater(answer["usage"]["completion_tokens"], 0)
            self.assertGreater(answer["ttft"], 0)


def sum_of(pieces):
    pieces = list(pieces)
    total = pieces[0]
    for piece in pieces[1:]:
        total = total + piece
    return total


if __name__ == "__main__":
    unittest.main()
