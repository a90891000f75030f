// VS Code without our extension: every other way in, and every kind of trouble: what a person does, and what they then read.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { FIRST_PORT, PICTURES, WORKSPACE, customEndpoint, inWindow, startDemo } from "./person.mjs";
import { PATIENCE_MS, ask, end, pick, proved, send, shoot, shown, sleep, start, unfold } from "./window.mjs";

const PYTHON = process.env.PYTHON ?? "python";
const BREAKING_PORT = FIRST_PORT + 3;
const DEMO_PORT = FIRST_PORT + 4;
const THOUGHT = "The notes may say it.";
const NOTES = "# Notes\n\nThe shop opens at nine.\n";
const LOOK = { filePath: join(WORKSPACE, "notes.md"), startLine: 1, endLine: 3 };
const CALL = [{ thinking: THOUGHT }, { tool_call: { name: "read_file", arguments: LOOK } }];
const WRITTEN = join(WORKSPACE, "hours.md");
const BLOCK = "```markdown\n<!-- filepath: " + WRITTEN + " -->\nThe shop opens at nine.\n```\n";
const LONG = Array.from({ length: 200 }, (_, number) => `word${number}`).join(" ");
const SCRIPT = [
  ...["responses", "messages"].flatMap((way) => [CALL, [{ thinking: "They do." }, { text: `Nine, by ${way}.` }]]),
  [{ text: "This is ask mode." }],
  [{ text: BLOCK }],
  [{ text: LONG }],
  [{ text: LONG }],
  [{ text: "The second chat answers." }],
];
const BREAKING = `http://127.0.0.1:${BREAKING_PORT}`;
const DEMO = `http://127.0.0.1:${DEMO_PORT}`;
const TYPES = ["chat-completions", "responses", "messages"];
const GROUPS = [
  customEndpoint("by responses", { apiType: "responses" }),
  customEndpoint("by messages", { apiType: "messages" }),
  customEndpoint("missing", { id: "nobody" }),
  customEndpoint("full", { id: "full", url: BREAKING }),
  customEndpoint("too small", { id: "demo", url: DEMO }),
  ...TYPES.map((apiType) => customEndpoint(`dying ${apiType}`, { id: "dying", apiType, url: BREAKING })),
];

const PANEL = ".part.auxiliarybar";
const EDITOR = ".part.editor";

/** Ask in the chat of a part of the window, and wait until the answer shows these words. */
async function askFor(page, question, words, part = PANEL) {
  const rows = page.locator(`${part} .monaco-list-row:has(.interactive-response)`);
  // The list shows only the rows that fit, so each is known by its number and not by its place.
  const answers = () => rows.evaluateAll((rows) => rows.map((row) => [Number(row.dataset.index), row.textContent]));
  const before = Math.max(-1, ...(await answers()).map(([number]) => number));
  await send(page, question, part);
  let text = "nothing";
  for (const began = Date.now(); Date.now() - began < PATIENCE_MS; await sleep(200)) {
    text = (await answers()).filter(([number]) => number > before).map(([, said]) => said)[0] ?? text;
    if (words.every((word) => text.includes(word))) return text;
  }
  throw new Error(`no answer with ${words}; it says: ${text}`);
}

async function command(page, title) {
  await page.keyboard.press("F1");
  await page.locator(".quick-input-widget input").fill(`>${title}`);
  await page.locator(".quick-input-list .monaco-list-row").first().waitFor();
  await sleep(500);
  await page.keyboard.press("Enter");
  await sleep(1_000);
}

/** The two newer kinds of Custom Endpoint: a tool is called. By messages VS Code drops the thinking; Ossian remembers it. */
async function otherDialects(page, calls) {
  for (const [way, path, isAsKnown] of [
    ["responses", "/v1/responses", ({ previous_response_id: id }) => id?.startsWith("resp_")],
    ["messages", "/v1/messages", ({ messages }) => !JSON.stringify(messages).includes(THOUGHT)],
  ]) {
    await pick(page, `by ${way}`, `by ${way}`);
    await ask(page, `When does it open, by ${way}?`, `by ${way}.`);
    await unfold(page);
    await shown(page, THOUGHT);
    const [, second] = calls.filter((call) => call.path === path).map((call) => JSON.parse(call.sent));
    assert.ok(isAsKnown(second), `${way}: VS Code gives the thinking back in another way than it did`);
    proved(`Custom Endpoint, ${way}: streams, shows thinking, calls a tool, and goes on after it`);
  }
}

async function cancelAndSecondChat(page, calls) {
  const last = () => calls.filter((call) => call.path === "/v1/chat/completions").at(-1);
  await askFor(page, "Say much.", ["word3"]);
  await page.keyboard.press("Escape");
  await page
    .locator(".interactive-input-part")
    .getByRole("button", { name: /^(Cancel|Stop)/ })
    .first()
    .click();
  for (let tries = 0; tries < 50 && !last().left; tries++) await sleep(100);
  assert.ok(last().left, "the connection stays open");
  proved("the stop button closes the connection");

  await askFor(page, "Say much again.", ["word3"]);
  const first = last();
  await command(page, "Chat: New Chat Editor");
  await askFor(page, "And you?", ["The second chat answers."], EDITOR);
  assert.ok(!first.heard.includes("[DONE]"), "the first chat had ended before");
  proved("a second chat is answered while the first one is still written");
}

async function trouble(page) {
  await pick(page, "missing", "missing");
  proved(`model missing: ${head(await askFor(page, "Hello?", ["ossian pull nobody"]))}`);
  await pick(page, "full", "full");
  proved(`no memory (503): ${head(await askFor(page, "Hello?", ["full needs 12 GiB"]))}`);
  await pick(page, "too small", "too small");
  proved(`context too long: ${head(await askFor(page, "Hello?", ["would exceed the context length of 4096"]))}`);
  for (const type of TYPES) {
    await pick(page, `dying ${type}`, `dying ${type}`);
    const text = await askFor(page, "When does it open?", ["The shop opens", "The answer broke off:", "process died"]);
    proved(`breaks off, ${type}: ${head(text)}`);
  }
  await shoot(page, join(PICTURES, "vscode-broke-off.png"));
}

/** What a person reads first of an answer. */
const head = (text) => JSON.stringify(text.replace(/^.*?(?=Reason:)/s, "").slice(0, 220));

async function talk(page, calls, ossian) {
  const started = [];
  try {
    const args = [join(import.meta.dirname, "breaking.py"), `${BREAKING_PORT}`];
    started.push(await start(PYTHON, args, `${BREAKING}/health`));
    started.push(await startDemo(DEMO_PORT));
    await otherDialects(page, calls);
    await trouble(page);
    await pick(page, "fake", "Ossian");
    await command(page, "Chat: Open Chat (Ask)");
    await ask(page, "What is ask mode?", "ask mode.");
    proved("ask mode answers");
    await command(page, "Chat: Open Chat (Edit)");
    await page.locator(".monaco-dialog-box").getByRole("button", { name: "Yes" }).click();
    await send(page, "Write the hours into a file.");
    await page.getByText("1 file changed").waitFor();
    assert.match(readFileSync(WRITTEN, "utf8"), /The shop opens at nine/);
    proved("edit mode writes a new file (others it changes by GitHub's own model alone)");
    await cancelAndSecondChat(page, calls);
    await end(ossian);
    proved(`server down: ${head(await askFor(page, "Hello?", ["Please check your firewall rules"]))}`);
  } finally {
    for (const child of started) await end(child);
  }
}

const FILES = { "shop.py": "def total(prices):\n    return sum(prices)\n", "notes.md": NOTES };
export const ways = () => inWindow({ files: FILES, groups: GROUPS, script: SCRIPT }, talk);
