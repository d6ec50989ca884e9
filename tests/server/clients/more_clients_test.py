"""LiteLLM, pydantic-ai, instructor, simonw's llm and Prometheus' parser, unmodified, against the demo model."""
import json
import os
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # it would ask the network for prices

import instructor
import litellm
from openai import OpenAI
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, Field
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from serving import Serving  # noqa: E402

CAPITAL = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER = "What is the weather in Paris?"
TOOLS = [{"type": "function", "function": {"name": "get_weather", "description": "Gets the weather of a place.", "parameters": {
    "type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}}}]


def get_weather(location: str) -> str:
    """Gets the weather of a place."""
    return json.dumps({"temperature": 21, "sky": "sunny"})


class MoreClients(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Serving("--max-context", "2048")
        cls.root, cls.url = cls.server.url, cls.server.url + "/v1"
        with urllib.request.urlopen(cls.url + "/models") as answer:
            cls.model = json.load(answer)["data"][0]["id"]

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stop()
        cls.server.__exit__()

    def test_litellm(self):
        for model, base in ((f"openai/{self.model}", self.url), (f"hosted_vllm/{self.model}", self.url), (f"ollama_chat/{self.model}", self.root)):
            with self.subTest(model):
                options = {"model": model, "api_base": base, "api_key": "none", "messages": CAPITAL, "temperature": 0}
                whole = litellm.completion(**options)
                self.assertIn("Paris", whole.choices[0].message.content)
                self.assertTrue(whole.choices[0].message.reasoning_content)
                self.assertGreater(whole.usage.completion_tokens, 0)
                pieces = [chunk.choices[0].delta.content or "" for chunk in litellm.completion(**options, stream=True) if chunk.choices]
                self.assertEqual("".join(pieces), whole.choices[0].message.content)
                asked = litellm.completion(**{**options, "messages": [{"role": "user", "content": WEATHER}]}, tools=TOOLS)
                (call,) = asked.choices[0].message.tool_calls
                self.assertEqual(json.loads(call.function.arguments), {"location": "Paris"})
        with self.assertRaises(litellm.ContextWindowExceededError):
            litellm.completion(model=f"openai/{self.model}", api_base=self.url, api_key="none", max_retries=0,
                               messages=[{"role": "user", "content": "word " * 5000}])

    def test_pydantic_ai(self):
        provider = OpenAIProvider(base_url=self.url, api_key="none")
        for kind in (OpenAIChatModel, OpenAIResponsesModel):
            with self.subTest(kind.__name__):
                agent = Agent(kind(self.model, provider=provider), tools=[get_weather], model_settings={"temperature": 0})
                self.assertIn("Paris", agent.run_sync(CAPITAL[0]["content"]).output)
                result = agent.run_sync(WEATHER)
                self.assertTrue(result.output)
                calls = [part for message in result.all_messages() for part in message.parts if part.part_kind == "tool-call"]
                self.assertEqual([call.tool_name for call in calls], ["get_weather"])
                self.assertGreater(result.usage.output_tokens, 0)

    def test_instructor(self):
        class get_weather(BaseModel):  # the name that the demo model knows
            """Gets the weather of a place."""
            location: str = Field(description="The place")

        client = instructor.from_openai(OpenAI(base_url=self.url, api_key="none"), mode=instructor.Mode.TOOLS)
        found = client.chat.completions.create(model=self.model, response_model=get_weather, temperature=0, max_retries=0,
                                               messages=[{"role": "user", "content": WEATHER}])
        self.assertEqual(found.location, "Paris")

    def test_llm(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "extra-openai-models.yaml").write_text(
                f"- model_id: ours\n  model_name: {self.model}\n  api_base: {self.url}\n  supports_tools: true\n")
            for more in ([], ["--no-stream"]):
                done = subprocess.run([sys.executable, "-m", "llm", "-m", "ours", "--key", "none", "-o", "temperature", "0", *more, CAPITAL[0]["content"]],
                                      env={**os.environ, "LLM_USER_PATH": folder}, capture_output=True, text=True, timeout=120, check=False)
                self.assertIn("Paris", done.stdout, done.stderr)

    def test_prometheus_reads_the_metrics(self):
        with urllib.request.urlopen(self.root + "/metrics") as answer:
            self.assertTrue(answer.headers["Content-Type"].startswith("text/plain; version=0.0.4"))
            families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}
        for name, kind in (("gossamer_prompt_tokens", "counter"), ("gossamer_requests_running", "gauge"),
                           ("vllm:time_to_first_token_seconds", "histogram"), ("vllm:request_success", "counter"),
                           ("vllm:iteration_tokens_total", "histogram")):
            self.assertEqual(families[name].type, kind, name)
            self.assertTrue(families[name].samples, name)


if __name__ == "__main__":
    unittest.main()
