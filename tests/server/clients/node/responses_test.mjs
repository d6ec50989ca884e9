// The Responses API through OpenAI's client for Node and the Vercel AI SDK, unmodified, against the demo model at $GOSSAMER_URL.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { z } from "zod";

const baseURL = process.env.GOSSAMER_URL + "/v1";
const CAPITAL = "What is the capital of France?";
const WEATHER = "What is the weather in Paris?";
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const model = (await client.models.list()).data[0].id;

test("openai: a stream is the answer", async () => {
  const whole = await client.responses.create({ model, input: CAPITAL, temperature: 0 });
  assert.match(whole.output_text, /Paris/);
  const stream = client.responses.stream({ model, input: CAPITAL, temperature: 0 });
  let text = "";
  stream.on("response.output_text.delta", (event) => { text += event.delta; });
  const final = await stream.finalResponse();
  assert.equal(final.output_text, whole.output_text);
  assert.equal(text, whole.output_text);
});

const openai = createOpenAI({ baseURL, apiKey: "none" });
const tools = { get_weather: tool({ description: "Gets the weather of a place.", inputSchema: z.object({ location: z.string() }),
  execute: async () => ({ temperature: 21, sky: "sunny" }) }) };

test("ai: steps of tools, items by reference", async () => {
  const result = await generateText({ model: openai.responses(model), prompt: WEATHER, tools, temperature: 0, stopWhen: stepCountIs(3) });
  assert.deepEqual(result.steps[0].toolCalls[0].input, { location: "Paris" });
  assert.ok(result.text);
});

test("ai: streamed", async () => {
  const problems = [];
  const result = streamText({ model: openai.responses(model), prompt: WEATHER, tools, temperature: 0, stopWhen: stepCountIs(3),
    onError: (problem) => problems.push(problem) });
  let text = "";
  for await (const piece of result.textStream) text += piece;
  assert.deepEqual(problems, []);
  assert.ok(text);
  assert.equal((await result.steps).length, 2);
});
