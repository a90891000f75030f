// Drives a real VS Code (code-server) against a running Ossian through the built-in Ollama provider.
// See README.md beside this file.
import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const VSC = process.env.VSC ?? fail("VSC must name the folder of code-server and playwright-core");
const OSSIAN = new URL(process.env.OSSIAN ?? "http://127.0.0.1:11434");
const MODEL = process.env.MODEL ?? "fake";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const PORT = Number(process.env.PORT ?? 18080);
const WIRE_PORT = Number(process.env.WIRE_PORT ?? 18081);
const PATIENCE = Number(process.env.PATIENCE ?? 90_000); // milliseconds
const OUT = join(VSC, "out");
const WORKSPACE = join(VSC, "ws");
const DATA = join(VSC, "data");
const SHOP = "def total(prices):\n    return sum(prices)\n";

const { chromium } = createRequire(join(VSC, "pw", "package.json"))("playwright-core");

function fail(words) {
  throw new Error(words);
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** A folder for everything: a fresh profile, a workspace of two files, one group of the Ollama provider. */
function furnish() {
  for (const folder of [OUT, WORKSPACE, DATA, join(VSC, "profile")]) rmSync(folder, { recursive: true, force: true });
  for (const folder of [OUT, WORKSPACE, join(DATA, "User")]) mkdirSync(folder, { recursive: true });
  writeFileSync(join(WORKSPACE, "shop.py"), SHOP);
  writeFileSync(join(WORKSPACE, "notes.md"), "# Notes\n\nThe shop opens at nine.\n");
  const group = { vendor: "ollama", name: "Ollama", url: `http://127.0.0.1:${WIRE_PORT}` };
  writeFileSync(join(DATA, "User", "chatLanguageModels.json"), JSON.stringify([group]));
  writeFileSync(
    join(DATA, "User", "settings.json"),
    JSON.stringify({
      "workbench.startupEditor": "none",
      "workbench.colorTheme": "Default Light Modern",
      "security.workspace.trust.enabled": false,
      "telemetry.telemetryLevel": "off",
      "chat.byokUtilityModelDefault": process.env.UTILITY ?? "none",
      "extensions.ignoreRecommendations": true,
    }),
  );
}

/** Stands between VS Code and Ossian and keeps what was said: every call in out/wire.jsonl. */
function tap() {
  const calls = [];
  const server = createServer(async (incoming, outgoing) => {
    const parts = [];
    for await (const part of incoming) parts.push(part);
    const body = Buffer.concat(parts);
    const call = { method: incoming.method, path: incoming.url, headers: incoming.headers, sent: body.toString() };
    calls.push(call);
    const forward = request(
      new URL(incoming.url, OSSIAN),
      { method: incoming.method, headers: { ...incoming.headers, host: OSSIAN.host } },
      (answer) => {
        outgoing.writeHead(answer.statusCode, answer.headers);
        const heard = [];
        answer.on("data", (data) => (heard.push(data), outgoing.write(data)));
        answer.on("end", () => {
          outgoing.end();
          Object.assign(call, { status: answer.statusCode, heard: Buffer.concat(heard).toString() });
          appendFileSync(join(OUT, "wire.jsonl"), JSON.stringify(call) + "\n");
        });
      },
    );
    forward.on("error", () => outgoing.destroy());
    outgoing.on("close", () => forward.destroy());
    forward.end(body);
  });
  server.listen(WIRE_PORT, "127.0.0.1");
  return { server, calls };
}

async function startCode() {
  const entry = join(VSC, "app", "node_modules", "code-server", "out", "node", "entry.js");
  const options = ["--auth", "none", "--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"];
  const folders = ["--user-data-dir", DATA, "--extensions-dir", join(VSC, "ext"), WORKSPACE];
  const child = spawn(process.execPath, [entry, "--bind-addr", `127.0.0.1:${PORT}`, ...options, ...folders], {
    stdio: "ignore",
  });
  for (let tries = 0; tries < 120; tries++) {
    if ((await fetch(`http://127.0.0.1:${PORT}/healthz`).catch(() => null))?.ok) return child;
    await sleep(500);
  }
  child.kill();
  return fail("code-server did not start");
}

/** A profile that never saw the set-up page has Copilot disabled; this key of the browser's database says so. */
async function enableCopilot(page) {
  await page.goto(`http://127.0.0.1:${PORT}/healthz`);
  await page.evaluate(
    () =>
      new Promise((done, wrong) => {
        const open = indexedDB.open("vscode-web-state-db-global");
        open.onupgradeneeded = () => open.result.createObjectStore("ItemTable");
        open.onerror = () => wrong(open.error);
        open.onsuccess = () => {
          const put = open.result.transaction("ItemTable", "readwrite");
          put.objectStore("ItemTable").put("[]", "extensionsIdentifiers/disabled");
          put.oncomplete = () => (open.result.close(), done());
        };
      }),
  );
}

let page;
const shoot = (name) => page.screenshot({ path: join(OUT, `${name}.png`) });

/** The window as a person would have it: a file on the left, the chat on the right. */
async function openWindow() {
  const url = `http://127.0.0.1:${PORT}/?folder=${WORKSPACE}`;
  await page.goto(url);
  await page.waitForSelector(".monaco-workbench .part.sidebar");
  await sleep(8000);
  await enableCopilot(page);
  await page.goto(url);
  await page.locator(".model-picker-name", { hasText: MODEL }).waitFor();
  await page.getByRole("treeitem", { name: "shop.py" }).dblclick();
  await page.keyboard.press("Control+b");
  await page.mouse.move(827, 400);
  await page.mouse.down();
  await page.mouse.move(500, 400, { steps: 5 });
  await page.mouse.up();
}

async function pickModel() {
  await page.locator(".model-picker-name").click();
  await page.waitForSelector(".action-widget .monaco-list-row");
  await sleep(1000);
  const rows = await page.locator(".action-widget .monaco-list-row").allTextContents();
  console.log("picker", rows);
  await shoot("10-picker");
  await page.keyboard.press("Escape");
}

async function modes() {
  await page.locator(".chat-mode-picker-item a").click();
  await sleep(1000);
  console.log("modes", await page.locator(".action-widget .monaco-list-row").allTextContents());
  await shoot("11-modes");
  await page.keyboard.press("Escape");
}

async function dismiss() {
  const button = page.locator(".notifications-toasts").getByRole("button", { name: "Don't Show Again" });
  if (await button.isVisible()) await button.click();
}

async function say(words, name, n = 4) {
  await dismiss();
  await page.locator(".interactive-input-editor .monaco-editor").last().click();
  await page.keyboard.insertText(words);
  await page.keyboard.press("Enter");
  for (let i = 0; i < n; i++) {
    await sleep(2000);
    await shoot(`${name}-${i}`);
  }
}

async function main() {
  furnish();
  const { server, calls } = tap();
  const code = await startCode();
  const browser = await chromium.launchPersistentContext(join(VSC, "profile"), {
    executablePath: CHROMIUM,
    headless: true,
    viewport: { width: 1100, height: 800 },
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
  try {
    page = browser.pages()[0] ?? (await browser.newPage());
    page.setDefaultTimeout(PATIENCE);
    await openWindow();
    await sleep(5000);
    await shoot("00-open");
    await pickModel();
    await modes();
    await say("What does total return?", "20");
    await say(`call read_file {"filePath": "${WORKSPACE}/notes.md", "startLine": 1, "endLine": 3}`, "30", 5);
    await page.locator(".interactive-response").last().getByText(/Completed|Finished/).first().click().catch((e) => console.log(String(e).slice(0, 200)));
    await sleep(1500);
    await shoot("40");
    console.log(await page.locator(".interactive-response").last().innerText());
    await page.locator(".model-picker-name").click();
    await sleep(1000);
    await page.getByText("Manage Models...").click();
    await sleep(3000);
    await shoot("50");
    writeFileSync(join(OUT, "dom.html"), await page.content());
    console.log(calls.map((c) => c.method + " " + c.path + " " + c.sent.length).join("\n"));
  } finally {
    if (page) await shoot("99").catch(() => 0);
    await browser.close();
    code.kill();
    server.close();
    server.closeAllConnections();
  }
}

await main();
