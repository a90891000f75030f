import assert from "node:assert/strict";
import { test } from "node:test";
import type * as vscode from "vscode";
import type { Client } from "../../src/client";
import { GhostText, type Told, type Wishes } from "../../src/ghost";
import { DEMO, Token, serve } from "../stand_in/server";

const WISHES: Wishes = { enabled: true, model: "", pause: 0, patience: 2_000 };
const loaded = (): unknown => ({ models: [DEMO] });

class Heard implements Told {
  readonly words: string[] = [];
  asking(): void {
    this.words.push("asking");
  }
  shown(): void {
    this.words.push("shown");
  }
  silent(why: string): void {
    this.words.push(why);
  }
}

function ghostOf(client: Client, wishes: Partial<Wishes> = {}, models = [DEMO], busy = false): [GhostText, Heard] {
  const told = new Heard();
  const set = (): Wishes => ({ ...WISHES, ...wishes });
  return [new GhostText({ client, told, wishes: set, busy: () => busy, models: () => Promise.resolve(models) }), told];
}

/** What is shown at the mark | of a text. */
async function show(
  ghost: GhostText,
  marked: string,
  { token = new Token(), chosen }: { token?: Token; chosen?: { range: unknown; text: string } } = {},
): Promise<string[]> {
  const offset = marked.indexOf("|");
  const document = {
    languageId: "python",
    getText: () => marked.replace("|", ""),
    offsetAt: (at: unknown) => at as number,
  } as unknown as vscode.TextDocument;
  const context = { triggerKind: 1, selectedCompletionInfo: chosen } as unknown as vscode.InlineCompletionContext;
  const items = await ghost.provideInlineCompletionItems(document, offset as never, context, token);
  return items.map((item) => item.insertText as string);
}

test("one line is asked for in a line, many where a block opens", async (t) => {
  const { client, asked } = await serve(t, { "/api/ps": loaded, "/infill": () => ({ content: "a + b\nprint(1)" }) });
  const [ghost, told] = ghostOf(client);
  assert.deepEqual(await show(ghost, "return |\n"), ["a + b"]);
  assert.deepEqual(await show(ghost, "def f(a, b):\n    |"), ["a + b\nprint(1)"]);
  const bodies = asked.filter(({ path }) => path === "/infill").map(({ body }) => body);
  const common = { model: "demo", t_max_predict_ms: 2_000 };
  assert.deepEqual(bodies, [
    { ...common, input_prefix: "return ", input_suffix: "\n", n_predict: 48, stop: ["\n"] },
    { ...common, input_prefix: "def f(a, b):\n    ", input_suffix: "", n_predict: 160 },
  ]);
  assert.deepEqual(told.words, ["asking", "shown", "asking", "shown"]);
});

test("typing into the grey text asks nothing", async (t) => {
  const { client, asked } = await serve(t, { "/api/ps": loaded, "/infill": () => ({ content: "a + b" }) });
  const [ghost] = ghostOf(client);
  await show(ghost, "return |\n");
  const before = asked.length;
  assert.deepEqual(await show(ghost, "return a +|\n"), [" b"]);
  assert.equal(asked.length, before);
});

test("what is chosen in the list of completions counts as typed", async (t) => {
  const { client, asked } = await serve(t, { "/api/ps": loaded, "/infill": () => ({ content: "(x)" }) });
  const [ghost] = ghostOf(client);
  const chosen = { range: { start: 4, end: 6 }, text: "print" };
  assert.deepEqual(await show(ghost, "    pr|\n", { chosen }), ["print(x)"]);
  assert.equal(asked.at(-1)?.body.input_prefix, "    print");
});

test("typing on before the pause is over asks nothing", async (t) => {
  const { client, asked } = await serve(t, {});
  const [ghost, told] = ghostOf(client, { pause: 10_000 });
  const token = new Token();
  setTimeout(() => {
    token.cancel();
  }, 20);
  assert.deepEqual(await show(ghost, "return |\n", { token }), []);
  assert.deepEqual([asked, told.words], [[], []]);
});

test("typing on while it is written closes the connection", async (t) => {
  const { client, asked } = await serve(t, { "/api/ps": loaded, "/infill": () => undefined });
  const [ghost] = ghostOf(client);
  const token = new Token();
  const showing = show(ghost, "return |\n", { token });
  while (asked.at(-1)?.path !== "/infill") await new Promise((done) => setTimeout(done, 5));
  token.cancel();
  assert.deepEqual(await showing, []);
  await asked.at(-1)?.left;
});

test("a model that is not in memory is loaded, and nobody waits", async (t) => {
  let models: unknown[] = [];
  const { client, asked } = await serve(t, {
    "/api/ps": () => ({ models }),
    "/api/chat": () => ((models = [DEMO]), { done: true }),
    "/infill": () => ({ content: "a" }),
  });
  const [ghost, told] = ghostOf(client);
  assert.deepEqual(await show(ghost, "return |\n"), []);
  while (asked.at(-1)?.path !== "/api/chat") await new Promise((done) => setTimeout(done, 5));
  assert.deepEqual(asked.at(-1)?.body, { model: "demo", messages: [], stream: false });
  assert.deepEqual(await show(ghost, "return |\n"), ["a"]);
  assert.deepEqual(told.words, ["demo is being loaded", "asking", "shown"]);
});

test("an answer that is too late is dropped, and the next is not asked for", async (t) => {
  const { client } = await serve(t, { "/api/ps": loaded, "/infill": () => undefined });
  const [ghost, told] = ghostOf(client, { patience: 20 });
  await show(ghost, "return |\n"); // no time is known yet
  await show(ghost, "return 1|\n"); // the one that is tried now and then
  await show(ghost, "return 12|\n");
  const late = "the answer would have come too late";
  assert.deepEqual(told.words.slice(0, 4), ["asking", late, "asking", late]);
  assert.match(told.words[4] ?? "", /^an answer takes 0\.\d s on this machine, too long to wait$/);
});

for (const [name, wishes, models, busy, why] of [
  ["turned off", { enabled: false }, [DEMO], false, "turned off"],
  ["a chat is answered", {}, [DEMO], true, "the model is answering a chat"],
  ["no model can", {}, [], false, "no model here can fill in code; pull gpt-oss:20b"],
  [
    "the model that was set is not here",
    { model: "x" },
    [DEMO],
    false,
    "x, which the setting ossian.ghostText.model names, is not here or cannot fill in code",
  ],
] as const) {
  test(`it says why it is silent: ${name}`, async (t) => {
    const { client } = await serve(t, { "/api/ps": loaded });
    const [ghost, told] = ghostOf(client, wishes, [...models], busy);
    assert.deepEqual([await show(ghost, "return |\n"), told.words], [[], [why]]);
  });
}
