// Ollama's client for JavaScript, unmodified, against the demo model at $GOSSAMER_URL.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ollama } from "ollama";

const client = new Ollama({ host: process.env.GOSSAMER_URL });
const model = (await client.list()).models[0].name;
const CAPITAL = [{ role: "user", content: "What is the capital of France?" }];
const options = { temperature: 0 };

test("ollama: whole and streamed chats are the same", async () => {
  const whole = await client.chat({ model, messages: CAPITAL, options });
  assert.match(whole.message.content, /Paris/);
  assert.ok(whole.message.thinking);
  let content = "", last;
  for await (const line of await client.chat({ model, messages: CAPITAL, options, stream: true })) {
    content += line.message.content;
    last = line;
  }
  assert.equal(content, whole.message.content);
  assert.equal(last.done_reason, "stop");
  assert.equal(last.eval_count, whole.eval_count);
});

test("ollama: generates, shows, and says what it does not have", async () => {
  assert.match((await client.generate({ model, prompt: CAPITAL[0].content, options })).response, /Paris/);
  assert.deepEqual((await client.show({ model })).capabilities, ["completion", "tools", "thinking"]);
  await assert.rejects(client.chat({ model: "llama3", messages: CAPITAL }), /not found/);
});

test("ollama: arguments of a call are an object", async () => {
  const tools = [{ type: "function", function: { name: "get_weather", description: "Gets the weather of a place.",
    parameters: { type: "object", properties: { location: { type: "string" } }, required: ["location"] } } }];
  const asked = await client.chat({ model, options, tools, messages: [{ role: "user", content: "What is the weather in Paris?" }] });
  assert.deepEqual(asked.message.tool_calls[0].function.arguments, { location: "Paris" });
});
