// A new VS Code (code-server in a headless browser) with its chat, a server behind it, and an ear on the wire between.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const VSC = process.env.VSC ?? fail("VSC must name the folder with app/ (code-server) and pw/ (playwright-core)");
const OSSIAN = process.env.OSSIAN ?? "ossian";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const FIRST_PORT = Number(process.env.FIRST_PORT ?? 18080);
const CODE_PORT = FIRST_PORT;
const WIRE_PORT = FIRST_PORT + 1;
const OSSIAN_PORT = FIRST_PORT + 2;
export const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 60_000);

export const OUT = join(VSC, "out");
export const WORKSPACE = join(VSC, "shop");
const DATA = join(VSC, "data");
const PROFILE = join(VSC, "profile");
const CODE_URL = `http://127.0.0.1:${CODE_PORT}`;
export const WINDOW = { width: 1100, height: 720 };

const SETTINGS = {
  "workbench.startupEditor": "none",
  "workbench.colorTheme": "Default Light Modern",
  "telemetry.telemetryLevel": "off",
  "extensions.ignoreRecommendations": true,
  "chat.tips.enabled": false,
};

export const WIRE_URL = `http://127.0.0.1:${WIRE_PORT}`;

/** A Custom Endpoint with one model, behind the wire unless it has an address of its own. */
export function customEndpoint(name, { id = "fake", apiType = "chat-completions", url = WIRE_URL } = {}) {
  const able = { toolCalling: true, vision: false, thinking: true, supportsReasoningEffort: ["low", "medium", "high"] };
  const sizes = { maxInputTokens: 49152, maxOutputTokens: 16384 };
  const model = { id, name, url: `${url}/v1`, ...able, ...sizes };
  return { vendor: "customendpoint", name, apiKey: "", apiType, models: [model] };
}

export function fail(words) {
  throw new Error(words);
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
export const proved = (words) => console.log(`ok  ${words}`);

/** A new user: an empty profile, a workspace, groups of models, and what `ossian editor` adds to them. */
function furnish({ files, groups, script }) {
  for (const folder of [OUT, WORKSPACE, DATA, PROFILE]) rmSync(folder, { recursive: true, force: true });
  for (const folder of [OUT, WORKSPACE, join(DATA, "User")]) mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(WORKSPACE, name), text);
  writeFileSync(join(DATA, "User", "chatLanguageModels.json"), JSON.stringify(groups));
  writeFileSync(join(OUT, "script.json"), JSON.stringify(script));
  const env = { ...process.env, OSSIAN_HOME: join(OUT, "ossian") };
  const words = ["editor", "--yes", "--json", "--url", WIRE_URL, "--folder", join(DATA, "User")];
  execFileSync(OSSIAN, words, { env, stdio: "ignore" });
  // Not the settings it wrote: with a utility model VS Code asks small questions of its own, which no script foresees.
  writeFileSync(join(DATA, "User", "settings.json"), JSON.stringify(SETTINGS));
}

/** Stands between VS Code and Ossian and keeps what is said, and when. */
function listenIn(calls) {
  const server = createServer(async (incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const sent = Buffer.concat(await incoming.toArray()).toString();
    const call = { method, path, headers, sent, heard: "", pieces: 0, isCut: false };
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
    outgoing.on("close", () => {
      call.isCut = !outgoing.writableFinished;
      forward.destroy();
    });
    forward.end(sent);
  });
  server.listen(WIRE_PORT, "127.0.0.1");
  return server;
}

export async function start(program, args, url, environment = {}) {
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

/** The model of the package, with so little room that no question of VS Code's fits. */
export const startDemo = (port) =>
  start(OSSIAN, ["serve"], `http://127.0.0.1:${port}/health`, {
    OSSIAN_HOST: `127.0.0.1:${port}`,
    OSSIAN_HOME: join(OUT, "demo"),
    OSSIAN_CONTEXT_LENGTH: "4096",
  });

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
export async function dismissToast(page) {
  const button = page.locator(".notifications-toasts").getByRole("button", { name: "Don't Show Again" }).first();
  if (await button.isVisible()) await button.click();
}

/** Choose a model by its name, and that of its group where several are called so. */
export async function pick(page, name, group = name) {
  await dismissToast(page);
  await page.locator(".model-picker-name").click();
  const widget = page.locator(".action-widget");
  const rows = widget.locator(".monaco-list-row[role=menuitemradio], .monaco-list-row.action");
  await rows.first().waitFor();
  const other = widget.getByText("Other Models");
  if (await other.isVisible()) await other.click();
  const search = widget.getByPlaceholder("Search models");
  if (await search.isVisible()) await search.fill(name);
  await rows.filter({ hasText: new RegExp(`^${name}(${group})?$`) }).last().click();
}

/** Ask, and return the lengths the answer was seen to have until it ended with `end`. */
export async function ask(page, question, end) {
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
export async function unfold(page) {
  const answer = page.locator(".interactive-response").last();
  const closed = answer.locator("details:not([open]) > summary, .chat-thinking-box a[aria-expanded=false]:visible");
  await answer.getByText(/Completed \d+ steps?/).waitFor();
  for (let tries = 0; tries < 10; tries++) {
    await sleep(700);
    if (!(await closed.count())) return;
    await closed.first().click();
  }
}

/** Open it all, let `talk` have it, and close it all; a picture is left where it failed. */
export async function inWindow(world, talk) {
  const { chromium } = createRequire(join(VSC, "pw", "package.json"))("playwright-core");
  furnish(world);
  const calls = [];
  const closing = [];
  let page;
  try {
    const wire = listenIn(calls);
    closing.push(() => (wire.close(), wire.closeAllConnections()));
    const ossian = await startOssian();
    closing.push(() => end(ossian));
    const code = await startCode();
    closing.push(() => end(code));
    const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
    const options = { executablePath: CHROMIUM, headless: true, viewport: WINDOW, args };
    const browser = await chromium.launchPersistentContext(PROFILE, options);
    closing.push(() => browser.close());
    page = browser.pages()[0];
    page.setDefaultTimeout(PATIENCE_MS);
    await openWindow(page);
    await talk(page, calls, ossian);
  } catch (error) {
    await page?.screenshot({ path: join(OUT, "failed.png") });
    throw error;
  } finally {
    writeFileSync(join(OUT, "wire.json"), JSON.stringify(calls, null, 1));
    for (const close of closing.reverse()) await close();
  }
}

export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, "exit");
}

/** A picture of the end of the chat, with nothing over it. */
export async function shoot(page, name) {
  await dismissToast(page);
  await page.mouse.move(WINDOW.width - 300, 300);
  await page.mouse.wheel(0, 5_000);
  await sleep(500);
  await page.mouse.move(20, 400);
  await sleep(1_000);
  await page.screenshot({ path: join(OUT, `${name}.png`) });
}
