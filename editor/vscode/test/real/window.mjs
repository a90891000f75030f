// A real VS Code (code-server in a headless browser), a server for it, and a wire between them that keeps what is said.
// README.md beside this file tells what must lie in the folder that VSC names.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

export const VSC =
  process.env.VSC ?? fail("VSC must name the folder with app/ (code-server) and pw/ (playwright-core)");
export const WINDOW = { width: 1100, height: 720 };
export const SETTINGS = {
  "workbench.startupEditor": "none",
  "workbench.colorTheme": "Default Light Modern",
  "telemetry.telemetryLevel": "off",
  "extensions.ignoreRecommendations": true,
  "chat.tips.enabled": false,
};
export const OSSIAN = process.env.OSSIAN ?? "ossian";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
export const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 60_000);
const CODE_SERVER = join(VSC, "app", "node_modules", "code-server", "out", "node", "entry.js");

export function fail(words) {
  throw new Error(words);
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
export const proved = (words) => console.log(`ok  ${words}`);

/** Stands between VS Code and Ossian and keeps what is said. `own` answers some paths itself: path -> (body) => text. */
export function listenIn(port, target, calls, own = {}) {
  const server = createServer(async (incoming, outgoing) => {
    const { method, url: path, headers } = incoming;
    const sent = Buffer.concat(await incoming.toArray()).toString();
    const call = { method, path, headers, sent, heard: "", pieces: 0 };
    calls.push(call);
    if (own[path]) return outgoing.end((call.heard = own[path](sent)));
    const forward = request({ port: target.port, method, path, headers }, (answer) => {
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
      call.left = !outgoing.writableFinished;
      forward.destroy();
    });
    forward.end(sent);
  });
  server.listen(port, "127.0.0.1");
  return server;
}

export async function start(program, args, url, environment = {}) {
  const child = spawn(program, args, {
    stdio: "ignore",
    env: { ...process.env, ...environment },
  });
  let failed;
  child.once("error", (error) => (failed = error));
  for (let tries = 0; tries < 120 && child.exitCode === null && !failed; tries++) {
    if ((await fetch(url).catch(() => null))?.ok) return child;
    await sleep(500);
  }
  child.kill();
  return fail(`${program} did not start${failed ? `: ${failed.message}` : ""}`);
}

export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, "exit");
}

export const startOssian = (port, home, args = [], environment = {}) =>
  start(OSSIAN, ["serve", ...args], `http://127.0.0.1:${port}/health`, {
    OSSIAN_HOST: `127.0.0.1:${port}`,
    OSSIAN_HOME: home,
    ...environment,
  });

export const startCode = (port, { data, extensions, workspace }) =>
  start(
    process.execPath,
    [
      ...[CODE_SERVER, "--bind-addr", `127.0.0.1:${port}`, "--auth", "none"],
      ...["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"],
      ...["--user-data-dir", data, "--extensions-dir", extensions, workspace],
    ],
    `http://127.0.0.1:${port}/healthz`,
  );

export function installExtension(file, { data, extensions }) {
  const args = ["--user-data-dir", data, "--extensions-dir", extensions, "--install-extension", file];
  const { status, stdout, stderr } = spawnSync(process.execPath, [CODE_SERVER, ...args], { encoding: "utf8" });
  if (status !== 0) fail(`${file} cannot be installed: ${stdout}${stderr}`);
}

export async function openBrowser(profile) {
  const { chromium } = createRequire(join(VSC, "pw", "package.json"))("playwright-core");
  const args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  const options = {
    executablePath: CHROMIUM,
    headless: true,
    viewport: WINDOW,
    args,
  };
  const browser = await chromium.launchPersistentContext(profile, options);
  browser.pages()[0].setDefaultTimeout(PATIENCE_MS);
  return browser;
}

/** In a profile that never saw the set-up page Copilot is disabled; this key of the browser's database says so. */
async function enableCopilot(page, url) {
  await page.goto(`${url}/healthz`);
  await page.evaluate(async () => {
    const end = (asked) => new Promise((done, wrong) => Object.assign(asked, { onsuccess: done, onerror: wrong }));
    const opening = indexedDB.open("vscode-web-state-db-global");
    await end(opening);
    const items = opening.result.transaction("ItemTable", "readwrite").objectStore("ItemTable");
    await end(items.put("[]", "extensionsIdentifiers/disabled"));
    opening.result.close();
  });
}

/** The window as a person would have it: a file on the left, the chat with one of these models on the right. */
export async function openWindow(page, port, workspace, file, ...models) {
  const url = `http://127.0.0.1:${port}`;
  await page.goto(`${url}/?folder=${workspace}`);
  await page.getByRole("treeitem", { name: file }).waitFor();
  const picker = page.locator(models.map((name) => `.model-picker-name[aria-label*="${name}"]`).join());
  for (let tries = 0; tries < 3 && !(await picker.count()); tries++) {
    await sleep(8_000); // until VS Code has written its state; a busy machine needs longer
    await enableCopilot(page, url);
    await page.goto(`${url}/?folder=${workspace}`);
    const timeout = PATIENCE_MS / 2;
    await picker
      .first()
      .waitFor({ state: "attached", timeout })
      .catch(() => {});
  }
  await page.getByRole("treeitem", { name: file }).dblclick();
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

/** Choose a model by its name and that of its group, of which any will do where none is told. */
export async function pick(page, name, group = ".*") {
  await dismissToast(page);
  await page.locator(".model-picker-name").click();
  const widget = page.locator(".action-widget");
  const rows = widget.locator(".monaco-list-row[role=menuitemradio], .monaco-list-row.action");
  await rows.first().waitFor();
  const other = widget.getByText("Other Models");
  if (await other.isVisible()) await other.click();
  const search = widget.getByPlaceholder("Search models");
  if (await search.isVisible()) await search.fill(name);
  await rows
    .filter({ hasText: new RegExp(`^${name}(${group})?$`) })
    .last()
    .click();
}

export async function send(page, question, part = "") {
  await dismissToast(page);
  await page.locator(`${part} .interactive-input-editor .monaco-editor`).last().click();
  await page.keyboard.insertText(question);
  await page.keyboard.press("Enter");
}

/** Ask, and return the lengths the answer was seen to have until it ended with `end`. */
export async function ask(page, question, end) {
  await send(page, question);
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

export const shown = (page, words) =>
  page.locator(".interactive-response").last().getByText(words).first().waitFor({ timeout: 5_000 });

/** A picture of the whole window, the chat at its end. */
export async function shoot(page, path) {
  await dismissToast(page);
  await page.mouse.move(WINDOW.width - 300, 300);
  await page.mouse.wheel(0, 5_000);
  await sleep(500);
  await page.mouse.move(20, 400);
  await sleep(1_000);
  await page.screenshot({ path });
}
