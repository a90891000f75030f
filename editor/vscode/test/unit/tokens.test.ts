import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "../../src/client";
import { Tokens, isO200k } from "../../src/tokens";
import { serve } from "../stand_in/server";

const GPT_OSS = { "tokenizer.ggml.pre": "gpt-4o", "tokenizer.ggml.eos_token_id": 200002 };

test("gpt-oss is counted here, exactly, and its marks are plain text", async (t) => {
  const { client, asked } = await serve(t, { "/api/show": () => ({ model_info: GPT_OSS }) });
  const tokens = new Tokens(client);
  assert.equal(await tokens.count("gpt-oss:20b", "hello world"), 2);
  assert.equal(await tokens.count("gpt-oss:20b", "<|end|>"), 5);
  assert.equal(asked.length, 1);
});

test("a small model of the same kind has other words", () => {
  assert.equal(isO200k(GPT_OSS), true);
  assert.equal(isO200k({ ...GPT_OSS, "tokenizer.ggml.eos_token_id": 4089 }), false);
  assert.equal(isO200k({}), false);
});

test("for other models the server is asked, once a text", async (t) => {
  const { client, asked } = await serve(t, {
    "/api/show": () => ({ model_info: {} }),
    "/api/tokenize": ({ text }) => ({ tokens: (text as string).split("") }),
  });
  const tokens = new Tokens(client);
  const counts = [await tokens.count("demo", "abc"), await tokens.count("demo", "abc"), await tokens.count("demo", "")];
  assert.deepEqual(counts, [3, 3, 0]);
  assert.deepEqual(
    asked.map(({ path }) => path),
    ["/api/show", "/api/tokenize", "/api/tokenize"],
  );
});

test("without a server a count is an estimate, until there is one", async (t) => {
  let url = "http://127.0.0.1:9";
  const tokens = new Tokens(new Client(() => Promise.resolve({ url, key: "" })));
  assert.equal(await tokens.count("gpt-oss:20b", "hello world"), 3);
  ({ url } = await serve(t, { "/api/show": () => ({ model_info: GPT_OSS }) }));
  assert.equal(await tokens.count("gpt-oss:20b", "hello world"), 2);
});
