// Drives a real VS Code (code-server in a headless browser) against `ossian serve --fake`, and checks what a person
// sees and what goes over the wire. README.md beside this file tells how to run it.
import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  SETTINGS,
  VSC,
  ask,
  end,
  listenIn,
  openBrowser,
  openWindow,
  pick,
  proved,
  shoot,
  shown,
  startCode,
  startOssian,
  unfold,
} from "./window.mjs";

const CODE_PORT = 18080;
const WIRE_PORT = 18081;
const OSSIAN_PORT = 18082;

const OUT = join(VSC, "out");
const WORKSPACE = join(VSC, "shop");
const DATA = join(VSC, "data");
const PROFILE = join(VSC, "profile");

const THOUGHTS = [
  "The file is open in the editor: total sums the prices.",
  "The notes may say it.",
  "They do.",
];
const NOTES = "# Notes\n\nThe shop opens at nine.\n";
const FILES = {
  "shop.py": "def total(prices):\n    return sum(prices)\n",
  "notes.md": NOTES,
};
const LOOK = {
  filePath: join(WORKSPACE, "notes.md"),
  startLine: 1,
  endLine: 3,
};
const ANSWERS = [
  "It returns the **sum of the prices**; for no prices at all it returns 0.",
  "The shop opens at **nine**.",
];
const SCRIPT = [
  [{ thinking: THOUGHTS[0] }, { text: ANSWERS[0] }],
  [
    { thinking: THOUGHTS[1] },
    { tool_call: { name: "read_file", arguments: LOOK } },
  ],
  [{ thinking: THOUGHTS[2] }, { text: ANSWERS[1] }],
  [
    { thinking: "Once more." },
    { text: "This came through the Custom Endpoint." },
  ],
];
const OLLAMA = {
  vendor: "ollama",
  name: "Ollama",
  url: `http://127.0.0.1:${WIRE_PORT}`,
};
const CUSTOM = {
  vendor: "customendpoint",
  name: "Ossian",
  apiKey: "",
  apiType: "chat-completions",
  models: [
    {
      id: "fake",
      name: "fake with effort",
      url: `http://127.0.0.1:${WIRE_PORT}/v1`,
      toolCalling: true,
      vision: false,
      thinking: true,
      supportsReasoningEffort: ["low", "medium", "high"],
      maxInputTokens: 49152,
      maxOutputTokens: 16384,
    },
  ],
};

/** A new user: an empty profile, a workspace of two files, one group of each provider. */
function furnish() {
  for (const folder of [OUT, WORKSPACE, DATA, PROFILE])
    rmSync(folder, { recursive: true, force: true });
  for (const folder of [OUT, WORKSPACE, join(DATA, "User")])
    mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(FILES))
    writeFileSync(join(WORKSPACE, name), text);
  writeFileSync(
    join(DATA, "User", "chatLanguageModels.json"),
    JSON.stringify([OLLAMA, CUSTOM]),
  );
  writeFileSync(join(DATA, "User", "settings.json"), JSON.stringify(SETTINGS));
  writeFileSync(join(OUT, "script.json"), JSON.stringify(SCRIPT));
}

async function talk(page, calls) {
  const asked = () =>
    calls.filter((call) => call.path === "/v1/chat/completions");
  const body = (call) => JSON.parse(call.sent);
  const picture = (name) => shoot(page, join(OUT, `${name}.png`));

  await pick(page, /^fakeOllama/);
  proved(
    "the model is in the picker, found through /api/version, /api/tags and /api/show",
  );

  const lengths = await ask(page, "What does total return?", "it returns 0.");
  assert.ok(lengths.size > 3, `the answer came in ${lengths.size} pieces`);
  await unfold(page);
  await shown(page, THOUGHTS[0]);
  await picture("vscode-chat");
  proved(
    `the answer streams (seen growing ${lengths.size} times), and the thinking is shown`,
  );

  await ask(page, "When does the shop open?", "at nine.");
  await unfold(page);
  await shown(page, /Read notes.md/);
  await shown(page, THOUGHTS[1]);
  await picture("vscode-agent");
  const [first, second, third] = asked().map(body);
  assert.equal(asked().length, 3);
  assert.ok(first.tools.some((tool) => tool.function.name === "read_file"));
  const [call, result] = third.messages.slice(-2);
  assert.deepEqual(JSON.parse(call.tool_calls[0].function.arguments), LOOK);
  assert.deepEqual([result.role, result.content], ["tool", NOTES.trim()]);
  proved("agent mode calls a tool, and goes on after the result");
  assert.ok(call.cot_id && call.cot_summary === THOUGHTS[1]);
  proved("the thinking before the call comes back with the result");
  assert.deepEqual(
    third.messages.slice(0, second.messages.length),
    second.messages,
  );
  assert.deepEqual([second.tools, third.tools], [first.tools, first.tools]);
  proved(
    "a later request only appends to an earlier one, so that the prompt cache serves",
  );

  await pick(page, /^fake with effort/);
  await ask(page, "And by the other way?", "the Custom Endpoint.");
  assert.equal(body(asked().at(-1)).reasoning_effort, "medium");
  await picture("vscode-custom");
  proved("the Custom Endpoint answers, and sends the thinking effort");

  for (const { heard } of asked()) {
    assert.match(heard, /"finish_reason":"(stop|tool_calls)"/);
    assert.match(
      heard,
      /"usage":\{"prompt_tokens":\d+,"completion_tokens":\d+,"total_tokens":\d+/,
    );
    assert.ok(heard.endsWith("data: [DONE]\n\n"));
  }
  assert.deepEqual([...new Set(calls.map((call) => call.status))], [200]);
  proved(
    `all ${calls.length} requests were answered with 200, every stream with finish_reason, usage and [DONE]`,
  );
}

async function main() {
  furnish();
  const calls = [];
  const closing = [];
  let page;
  try {
    const wire = listenIn(WIRE_PORT, { port: OSSIAN_PORT }, calls);
    closing.push(() => (wire.close(), wire.closeAllConnections()));
    const script = [
      "--fake",
      "--script",
      join(OUT, "script.json"),
      "--pause",
      "0.1",
    ];
    // Left to itself it serves what this machine's memory allows, and VS Code begins to shorten the conversation.
    const ossian = await startOssian(OSSIAN_PORT, join(OUT, "ossian"), script, { OSSIAN_CONTEXT_LENGTH: "131072" });
    closing.push(() => end(ossian));
    const code = await startCode(CODE_PORT, {
      data: DATA,
      extensions: join(VSC, "ext"),
      workspace: WORKSPACE,
    });
    closing.push(() => end(code));
    const browser = await openBrowser(PROFILE);
    closing.push(() => browser.close());
    page = browser.pages()[0];
    await openWindow(page, CODE_PORT, WORKSPACE, "shop.py", "fake");
    await talk(page, calls);
  } catch (error) {
    await page?.screenshot({ path: join(OUT, "failed.png") });
    throw error;
  } finally {
    writeFileSync(join(OUT, "wire.json"), JSON.stringify(calls, null, 1));
    for (const close of closing.reverse()) await close();
  }
}

await main();
