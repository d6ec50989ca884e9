// OpenAI's client for Node and the Vercel AI SDK, unmodified, against the demo model at $GOSSAMER_URL.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const baseURL = process.env.GOSSAMER_URL + "/v1";
const CAPITAL = [{ role: "user", content: "What is the capital of France?" }];
const WEATHER = "What is the weather in Paris?";
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const model = (await client.models.list()).data[0].id;

test("openai: whole and streamed answers are the same", async () => {
  const whole = await client.chat.completions.create({ model, messages: CAPITAL, temperature: 0 });
  assert.match(whole.choices[0].message.content, /Paris/);
  assert.ok(whole.choices[0].message.reasoning);
  const stream = await client.chat.completions.create({
    model, messages: CAPITAL, temperature: 0, stream: true, stream_options: { include_usage: true } });
  let content = "", usage;
  for await (const chunk of stream) {
    content += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(content, whole.choices[0].message.content);
  assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
});

test("openai: the runner calls a tool and goes on", async () => {
  const asked = [];
  const runner = client.chat.completions.runTools({
    model, temperature: 0, messages: [{ role: "user", content: WEATHER }],
    tools: [{ type: "function", function: {
      name: "get_weather", description: "Gets the weather of a place.", parse: JSON.parse,
      parameters: { type: "object", properties: { location: { type: "string" } }, required: ["location"] },
      function: async ({ location }) => { asked.push(location); return JSON.stringify({ temperature: 21, sky: "sunny" }); } } }] });
  assert.ok(await runner.finalContent());
  assert.deepEqual(asked, ["Paris"]);
});

test("openai: errors have their classes", async () => {
  await assert.rejects(client.chat.completions.create({ model: "gpt-4", messages: CAPITAL }), OpenAI.NotFoundError);
  await assert.rejects(client.chat.completions.create({ model, messages: CAPITAL, temperature: 9 }), OpenAI.BadRequestError);
});

const gossamer = createOpenAICompatible({ name: "gossamer", baseURL, includeUsage: true });
const weather = tool({
  description: "Gets the weather of a place.", inputSchema: z.object({ location: z.string() }),
  execute: async () => ({ temperature: 21, sky: "sunny" }) });

test("AI SDK: text, reasoning and usage", async () => {
  const whole = await generateText({ model: gossamer(model), prompt: CAPITAL[0].content, temperature: 0 });
  assert.match(whole.text, /Paris/);
  assert.ok(whole.reasoningText);
  assert.equal(whole.finishReason, "stop");
  assert.ok(whole.usage.outputTokens > 0);
  const streamed = streamText({ model: gossamer(model), prompt: CAPITAL[0].content, temperature: 0 });
  let text = "";
  for await (const piece of streamed.textStream) text += piece;
  assert.equal(text, whole.text);
  assert.equal((await streamed.usage).outputTokens, whole.usage.outputTokens);
});

test("AI SDK: a tool, in several steps", async () => {
  for (const run of [generateText, async (options) => { const r = streamText(options); await r.consumeStream(); return r; }]) {
    const result = await run({ model: gossamer(model), prompt: WEATHER, tools: { get_weather: weather }, temperature: 0,
                               stopWhen: stepCountIs(3) });
    const steps = await result.steps;
    assert.equal(steps[0].toolCalls[0].toolName, "get_weather");
    assert.deepEqual(steps[0].toolCalls[0].input, { location: "Paris" });
    assert.ok(await result.text);
  }
});
