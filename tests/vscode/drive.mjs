// Drives a real VS Code (code-server in a headless browser) against `ossian serve --fake`, and checks what a person
// sees and what goes over the wire. README.md beside this file tells how to run it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const VSC = process.env.VSC ?? fail("VSC must name the folder with app/ (code-server) and pw/ (playwright-core)");
const OSSIAN = process.env.OSSIAN ?? "ossian";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const CODE_PORT = 18080;
const WIRE_PORT = 18081;
const OSSIAN_PORT = 18082;
const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 60_000);

const OUT = join(VSC, "out");
const WORKSPACE = join(VSC, "shop");
const DATA = join(VSC, "data");
const PROFILE = join(VSC, "profile");
const CODE_URL = `http://127.0.0.1:${CODE_PORT}`;
const WINDOW = { width: 1100, height: 720 };

const THOUGHTS = ["The file is open in the editor: total sums the prices.", "The notes may say it.", "They do."];
const NOTES = "# Notes\n\nThe shop opens at nine.\n";
const FILES = { "shop.py": "def total(prices):\n    return sum(prices)\n", "notes.md": NOTES };
const LOOK = { filePath: join(WORKSPACE, "notes.md"), startLine: 1, endLine: 3 };
const ANSWERS = ["It returns the **sum of the prices**; for no prices at all it returns 0.", "The shop opens at **nine**."];
const SCRIPT = [
  [{ thinking: THOUGHTS[0] }, { text: ANSWERS[0] }],
  [{ thinking: THOUGHTS[1] }, { tool_call: { name: "read_file", arguments: LOOK } }],
  [{ thinking: THOUGHTS[2] }, { text: ANSWERS[1] }],
  [{ thinking: "Once more." }, { text: "This came through the Custom Endpoint." }],
];
const OLLAMA = { vendor: "ollama", name: "Ollama", url: `http://127.0.0.1:${WIRE_PORT}` };
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
const SETTINGS = {
  "workbench.startupEditor": "none",
  "workbench.colorTheme": "Default Light Modern",
  "telemetry.telemetryLevel": "off",
  "extensions.ignoreRecommendations": true,
  "chat.tips.enabled": false,
};

function fail(words) {
  throw new Error(words);
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const proved = (words) => console.log(`ok  ${words}`);

/** A new user: an empty profile, a workspace of two files, one group of each provider. */
function furnish() {
  for (const folder of [OUT, WORKSPACE, DATA, PROFILE]) rmSync(folder, { recursive: true, force: true });
  for (const folder of [OUT, WORKSPACE, join(DATA, "User")]) mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(WORKSPACE, name), text);
  writeFileSync(join(DATA, "User", "chatLanguageModels.json"), JSON.stringify([OLLAMA, CUSTOM]));
  writeFileSync(join(DATA, "User", "settings.json"), JSON.stringify(SETTINGS));
  writeFileSync(join(OUT, "script.json"), JSON.stringify(SCRIPT));
}

/** Stands between VS Code and Ossian and keeps what is said, and when. */
function listenIn(calls) {
  const server = createServer(async (incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const sent = Buffer.concat(await incoming.toArray()).toString();
    const call = { method, path, headers, sent, heard: "", pieces: 0 };
    calls.push(call);
    const forward = request({ port: OSSIAN_PORT, method, path, headers }, (answer) => {
      call.status = answer.statusCode;
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.on("data", (piece) => {
        call.heard += piece;
        call.pieces += 1;
        outgoing.write(piece);
      });
      answer.on("end", () => outgoing.end());
    });
    forward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => forward.destroy());
    forward.end(sent);
  });
  server.listen(WIRE_PORT, "127.0.0.1");
  return server;
}

async function start(program, args, url, environment = {}) {
  const child = spawn(program, args, { stdio: "ignore", env: { ...process.env, ...environment } });
  for (let tries = 0; tries < 120 && child.exitCode === null; tries++) {
    if ((await fetch(url).catch(() => null))?.ok) return child;
    await sleep(500);
  }
  child.kill();
  return fail(`${program} did not start`);
}

const startOssian = () =>
  start(
    OSSIAN,
    ["serve", "--fake", "--script", join(OUT, "script.json"), "--pause", "0.1"],
    `http://127.0.0.1:${OSSIAN_PORT}/health`,
    { OSSIAN_HOST: `127.0.0.1:${OSSIAN_PORT}`, OSSIAN_HOME: join(OUT, "ossian") },
  );

const startCode = () =>
  start(
    process.execPath,
    [
      join(VSC, "app", "node_modules", "code-server", "out", "node", "entry.js"),
      ...["--bind-addr", `127.0.0.1:${CODE_PORT}`, "--auth", "none", "--disable-telemetry", "--disable-update-check"],
      ...["--disable-workspace-trust", "--user-data-dir", DATA, "--extensions-dir", join(VSC, "ext"), WORKSPACE],
    ],
    `${CODE_URL}/healthz`,
  );

/** In a profile that never saw the set-up page Copilot is disabled; this key of the browser's database says so. */
async function enableCopilot(page) {
  await page.goto(`${CODE_URL}/healthz`);
  await page.evaluate(async () => {
    const end = (asked) => new Promise((done, wrong) => Object.assign(asked, { onsuccess: done, onerror: wrong }));
    const opening = indexedDB.open("vscode-web-state-db-global");
    await end(opening);
    const items = opening.result.transaction("ItemTable", "readwrite").objectStore("ItemTable");
    await end(items.put("[]", "extensionsIdentifiers/disabled"));
    opening.result.close();
  });
}

/** The window as a person would have it: a file on the left, the chat on the right. */
async function openWindow(page) {
  const url = `${CODE_URL}/?folder=${WORKSPACE}`;
  await page.goto(url);
  await page.getByRole("treeitem", { name: "shop.py" }).waitFor();
  await sleep(8_000); // until VS Code has written its state for the first time
  await enableCopilot(page);
  await page.goto(url);
  await page.locator(".model-picker-name[aria-label*=fake]").waitFor({ state: "attached" });
  await page.getByRole("treeitem", { name: "shop.py" }).dblclick();
  await page.keyboard.press("Control+b");
  const chat = await page.locator(".part.auxiliarybar").boundingBox();
  await page.mouse.move(chat.x - 2, 400);
  await page.mouse.down();
  await page.mouse.move(WINDOW.width / 2 - 50, 400, { steps: 5 });
  await page.mouse.up();
}

/** "The internal Ollama language model provider is being deprecated" lies over the chat. */
async function dismissToast(page) {
  const button = page.locator(".notifications-toasts").getByRole("button", { name: "Don't Show Again" }).first();
  if (await button.isVisible()) await button.click();
}

async function pick(page, name) {
  await dismissToast(page);
  await page.locator(".model-picker-name").click();
  const rows = page.locator(".action-widget .monaco-list-row[role=menuitemradio], .action-widget .monaco-list-row.action");
  await rows.first().waitFor();
  const other = page.locator(".action-widget").getByText("Other Models");
  if (await other.isVisible()) await other.click();
  await rows.filter({ hasText: name }).last().click();
}

/** Ask, and return the lengths the answer was seen to have until it ended with `end`. */
async function ask(page, question, end) {
  await dismissToast(page);
  await page.locator(".interactive-input-editor .monaco-editor").last().click();
  await page.keyboard.insertText(question);
  await page.keyboard.press("Enter");
  const answer = page.locator(".interactive-response").last().locator(".chat-markdown-part").last();
  const lengths = new Set();
  for (const start = Date.now(); Date.now() - start < PATIENCE_MS; await sleep(100)) {
    const text = await answer.textContent({ timeout: 200 }).catch(() => "");
    lengths.add(text.length);
    if (text.endsWith(end)) return lengths;
  }
  return fail(`no answer ended with "${end}"`);
}

/** Open every "Completed … steps" and "Finished with … steps" of the last answer; VS Code closes them as it ends. */
async function unfold(page) {
  const answer = page.locator(".interactive-response").last();
  const closed = answer.locator("details:not([open]) > summary, .chat-thinking-box a[aria-expanded=false]:visible");
  await answer.getByText(/Completed \d+ steps?/).waitFor();
  for (let tries = 0; tries < 10; tries++) {
    await sleep(700);
    if (!(await closed.count())) return;
    await closed.first().click();
  }
}

async function talk(page, calls) {
  const asked = () => calls.filter((call) => call.path === "/v1/chat/completions");
  const body = (call) => JSON.parse(call.sent);
  const shown = (words) => page.locator(".interactive-response").last().getByText(words).waitFor({ timeout: 5_000 });
  const shoot = async (name) => {
    await dismissToast(page);
    await page.mouse.move(WINDOW.width - 300, 300);
    await page.mouse.wheel(0, 5_000); // to the end of the chat
    await sleep(500);
    await page.mouse.move(20, 400);
    await sleep(1_000);
    await page.screenshot({ path: join(OUT, `${name}.png`) });
  };

  await pick(page, /^fakeOllama/);
  proved("the model is in the picker, found through /api/version, /api/tags and /api/show");

  const lengths = await ask(page, "What does total return?", "it returns 0.");
  assert.ok(lengths.size > 3, `the answer came in ${lengths.size} pieces`);
  await unfold(page);
  await shown(THOUGHTS[0]);
  await shoot("vscode-chat");
  proved(`the answer streams (seen growing ${lengths.size} times), and the thinking is shown`);

  await ask(page, "When does the shop open?", "at nine.");
  await unfold(page);
  await shown(/Read notes.md/);
  await shown(THOUGHTS[1]);
  await shoot("vscode-agent");
  const [first, second, third] = asked().map(body);
  assert.equal(asked().length, 3);
  assert.ok(first.tools.some((tool) => tool.function.name === "read_file"));
  const [call, result] = third.messages.slice(-2);
  assert.deepEqual(JSON.parse(call.tool_calls[0].function.arguments), LOOK);
  assert.deepEqual([result.role, result.content], ["tool", NOTES.trim()]);
  proved("agent mode calls a tool, and goes on after the result");
  assert.ok(call.cot_id && call.cot_summary === THOUGHTS[1]);
  proved("the thinking before the call comes back with the result");
  assert.deepEqual(third.messages.slice(0, second.messages.length), second.messages);
  assert.deepEqual([second.tools, third.tools], [first.tools, first.tools]);
  proved("a later request only appends to an earlier one, so that the prompt cache serves");

  await pick(page, /^fake with effort/);
  await ask(page, "And by the other way?", "the Custom Endpoint.");
  assert.equal(body(asked().at(-1)).reasoning_effort, "medium");
  await shoot("vscode-custom");
  proved("the Custom Endpoint answers, and sends the thinking effort");

  for (const { heard } of asked()) {
    assert.match(heard, /"finish_reason":"(stop|tool_calls)"/);
    assert.match(heard, /"usage":\{"prompt_tokens":\d+,"completion_tokens":\d+,"total_tokens":\d+/);
    assert.ok(heard.endsWith("data: [DONE]\n\n"));
  }
  assert.deepEqual([...new Set(calls.map((call) => call.status))], [200]);
  proved(`all ${calls.length} requests were answered with 200, every stream with finish_reason, usage and [DONE]`);
}

async function main() {
  const { chromium } = createRequire(join(VSC, "pw", "package.json"))("playwright-core");
  furnish();
  const calls = [];
  const closing = [];
  let page;
  try {
    const wire = listenIn(calls);
    closing.push(() => (wire.close(), wire.closeAllConnections()));
    for (const begin of [startOssian, startCode]) {
      const child = await begin();
      closing.push(() => (child.kill(), once(child, "exit")));
    }
    const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
    const options = { executablePath: CHROMIUM, headless: true, viewport: WINDOW, args };
    const browser = await chromium.launchPersistentContext(PROFILE, options);
    closing.push(() => browser.close());
    page = browser.pages()[0];
    page.setDefaultTimeout(PATIENCE_MS);
    await openWindow(page);
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
