import assert from "node:assert/strict";
import { test } from "node:test";
import * as vscode from "vscode";
import { type Client, type Json, Unreachable } from "../../src/client";
import { Provider, writeInformation } from "../../src/provider";
import { Tokens } from "../../src/tokens";
import { DEMO, Token, serve } from "../stand_in/server";

const INFORMATION = writeInformation(DEMO);
const QUESTION: vscode.LanguageModelChatRequestMessage[] = [
  {
    role: vscode.LanguageModelChatMessageRole.User,
    content: [new vscode.LanguageModelTextPart("Hi")],
    name: undefined,
  },
];
const DONE = { message: { content: "" }, done: true, done_reason: "stop", prompt_eval_count: 2, eval_count: 1 };
const tags = (): Json => ({ models: [DEMO] });

function providerOf(client: Client, thinking = "low"): Provider {
  return new Provider(client, new Tokens(client), () => thinking);
}

async function ask(provider: Provider, options: Json = {}, token = new Token()): Promise<unknown[]> {
  const heard: unknown[] = [];
  const report = (part: unknown): void => void heard.push(part);
  const whole = { toolMode: vscode.LanguageModelChatToolMode.Auto, ...options } as never;
  await provider.provideLanguageModelChatResponse(INFORMATION, QUESTION, whole, { report }, token);
  return heard;
}

test("models that converse are listed with the room there is for question and answer", async (t) => {
  const embedder = { ...DEMO, name: "nomic", capabilities: ["embedding"] };
  const { client } = await serve(t, { "/api/tags": () => ({ models: [DEMO, embedder] }) });
  assert.deepEqual(await providerOf(client).provideLanguageModelChatInformation({ silent: true }), [
    {
      id: "demo",
      name: "demo",
      family: "gpt-oss",
      version: "72c86c93b272",
      detail: "Ossian",
      tooltip: "demo on this machine: 8.0M weights, MXFP4, 8192 tokens of context",
      maxInputTokens: 6144,
      maxOutputTokens: 2048,
      capabilities: { toolCalling: true, imageInput: false },
    },
  ]);
});

test("models stay in the list while the server is away, and who asks aloud is told", async (t) => {
  let here = true;
  const { client } = await serve(t, { "/api/tags": (_, response) => (here ? tags() : void response.destroy()) });
  const provider = providerOf(client);
  await provider.refresh();
  here = false;
  const still = await provider.provideLanguageModelChatInformation({ silent: true });
  assert.deepEqual(
    still.map((model) => model.id),
    ["demo"],
  );
  await assert.rejects(provider.provideLanguageModelChatInformation({ silent: false }), Unreachable);
});

test("VS Code is told when the models change, and only then", async (t) => {
  let models = [DEMO];
  const { client } = await serve(t, { "/api/tags": () => ({ models }) });
  const provider = providerOf(client);
  let told = 0;
  provider.onDidChangeLanguageModelChatInformation(() => (told += 1));
  await provider.refresh();
  await provider.refresh();
  assert.equal(told, 1);
  models = [];
  await provider.refresh();
  assert.equal(told, 2);
});

test("a question carries tools, thinking, the caller's options and the conversation's key", async (t) => {
  const { client, asked } = await serve(t, {
    "/api/tags": tags,
    "/api/chat": () => [{ message: { content: "Hello" } }, DONE],
  });
  const provider = providerOf(client);
  await provider.refresh();
  const heard = await ask(provider, {
    tools: [{ name: "now", description: "The time", inputSchema: { type: "object" } }],
    toolMode: vscode.LanguageModelChatToolMode.Required,
    modelOptions: { temperature: 0.5, _conversationId: "chat-7", _otelTraceContext: {} },
  });
  assert.deepEqual(asked.at(-1)?.body, {
    model: "demo",
    messages: [{ role: "user", content: "Hi" }],
    tools: [{ type: "function", function: { name: "now", description: "The time", parameters: { type: "object" } } }],
    tool_choice: "required",
    think: "low",
    options: { temperature: 0.5 },
    prompt_cache_key: "chat-7",
  });
  assert.deepEqual(heard[0], new vscode.LanguageModelTextPart("Hello"));
  assert.equal(heard.length, 2);
});

test("thinking can be turned off", async (t) => {
  const routes = { "/api/tags": tags, "/api/chat": () => [{ message: { content: "Yes" } }, DONE] };
  const { client, asked } = await serve(t, routes);
  const provider = providerOf(client, "off");
  await provider.refresh();
  await ask(provider);
  assert.equal(asked.at(-1)?.body.think, false);
});

test("cancelling closes the connection and ends without an error", async (t) => {
  const { client, asked } = await serve(t, {
    "/api/chat": (_, response) => void response.write('{"message":{"content":"One"}}\n'),
  });
  const provider = providerOf(client);
  const token = new Token();
  const asking = ask(provider, {}, token);
  setTimeout(() => {
    assert.ok(provider.busy);
    token.cancel();
  }, 50);
  await asking;
  await asked[0]?.left;
  assert.equal(provider.busy, false);
});

for (const [what, lines, sentence] of [
  ["without its end", [{ message: { content: "One" } }], /^The answer broke off: the server has ended/],
  ["of thinking alone", [{ message: { thinking: "Hm" } }, DONE], /^The model thought and then said nothing/],
  ["cut short", [{ ...DONE, done_reason: "length" }], /^The model thought until the context was full/],
  ["that fails", [{ error: "the model's process ended" }], /^the model's process ended$/],
] as const) {
  test(`an answer ${what} is an error in a sentence`, async (t) => {
    const { client } = await serve(t, { "/api/chat": () => lines });
    await assert.rejects(ask(providerOf(client)), { message: sentence, stack: "" });
  });
}

test("a message counts a little more than its text", async (t) => {
  const { client } = await serve(t, {
    "/api/show": () => ({ model_info: {} }),
    "/api/tokenize": () => ({ tokens: [1, 2, 3] }),
  });
  const provider = providerOf(client);
  assert.equal(await provider.provideTokenCount(INFORMATION, "Hi"), 3);
  assert.equal(await provider.provideTokenCount(INFORMATION, QUESTION[0] ?? assert.fail()), 7);
});
