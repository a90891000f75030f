// What is tried in the real editor, one after the other. A model that recites gives exact words; the demo model gives real ones.
import assert from "node:assert/strict";
import { join } from "node:path";
import { ask, pick, proved, send, shoot, shown, sleep, unfold } from "./window.mjs";

const CODE = "def total(prices):\n    return sum(prices)\n\n\ndef mean(prices):\n";
const NOTES = "# Notes\n\nThe shop opens at nine.\n";
const THOUGHTS = ["The file is open: total sums the prices.", "The notes may say it.", "They do.", "My documents may."];
export const FILES = { "shop.py": CODE, "notes.md": NOTES };
export const CONTEXT = { large: 131_072, small: 4_096 };
const look = (workspace) => ({ filePath: join(workspace, "notes.md"), startLine: 1, endLine: 3 });
const link = (workspace) => `${join(workspace, "notes.md")}#L3`;

/** The replies of the model that recites, in turn. */
export const SCRIPT = (workspace) => [
  [{ thinking: THOUGHTS[0] }, { text: "It returns the **sum of the prices**; for no prices at all it returns 0." }],
  [{ thinking: THOUGHTS[1] }, { tool_call: { name: "read_file", arguments: look(workspace) } }],
  [{ thinking: THOUGHTS[2] }, { text: "The shop opens at **nine**." }],
  [{ thinking: THOUGHTS[3] }, { tool_call: { name: "ossian_search", arguments: { query: "opening hours" } } }],
  [{ text: `It opens at nine, say [notes](${link(workspace)}).` }],
  [{ text: "and so on ".repeat(1_000) }],
];

export async function play(stage) {
  const first = [chat, agent, documents, cancel, modelMissing, demo, ghostText, statusItem, lastRequest];
  for (const scene of [...first, contextTooLong, serverDown, startServer]) {
    await scene(stage);
  }
}

const chats = (calls) => calls.filter(({ path, sent }) => path === "/api/chat" && JSON.parse(sent).messages.length);
const body = (call) => JSON.parse(call.sent);
const lastLine = (call) => JSON.parse(call.heard.trim().split("\n").at(-1));

async function chat({ page, calls, own, pictures }) {
  // To the model that recites every letter is a token, and VS Code would begin to shorten the conversation.
  own["/api/tokenize"] = (sent) =>
    JSON.stringify({ tokens: Array(Math.ceil(JSON.parse(sent).text.length / 4)).fill(0) });
  await pick(page, "fake");
  proved("the model is in the picker of a new user, signed out, without any setting");
  const lengths = await ask(page, "What does total return?", "it returns 0.");
  assert.ok(lengths.size > 3, `the answer came in ${lengths.size} pieces`);
  await unfold(page);
  await shown(page, THOUGHTS[0]);
  await shoot(page, join(pictures, "chat.png"));
  const [asked] = chats(calls).map(body);
  assert.deepEqual([asked.model, asked.think], ["fake", "medium"]);
  assert.ok(asked.prompt_cache_key);
  proved(`the answer streams (seen growing ${lengths.size} times), and the thinking is shown`);
}

async function agent({ page, calls, workspace, pictures }) {
  await ask(page, "When does the shop open?", "at nine.");
  await unfold(page);
  await shown(page, /Read notes.md/);
  await shoot(page, join(pictures, "agent.png"));
  const [first, second, third] = chats(calls).map(body);
  const [call, result] = third.messages.slice(-2);
  assert.deepEqual(call.tool_calls[0].function, { name: "read_file", arguments: look(workspace) });
  assert.deepEqual([result.role, result.tool_call_id], ["tool", call.tool_calls[0].id]);
  assert.match(result.content, /The shop opens at nine\./);
  proved("agent mode calls a tool, and goes on after the result");
  assert.equal(call.thinking, THOUGHTS[1]);
  proved("the thinking before the call comes back with the result");
  assert.deepEqual(third.messages.slice(0, second.messages.length), second.messages);
  assert.deepEqual([second.tools, third.tools], [first.tools, first.tools]);
  assert.equal(new Set([first, second, third].map((asked) => asked.prompt_cache_key)).size, 1);
  proved("a later request only appends to an earlier one, under one key");
}

async function documents({ page, calls, workspace, pictures }) {
  await run(page, "Ossian: Add This Folder to a Collection");
  await page.locator(".quick-input-widget").getByText("The name of the collection").waitFor();
  await page.keyboard.press("Enter");
  await page.locator(".notifications-toasts").getByText("2 files are in documents. Ask with #ossian.").waitFor();
  await ask(page, "#ossian What are the opening hours?", "say notes.md:3.");
  const { content } = body(chats(calls).at(-1)).messages.at(-1);
  const notes = join(workspace, "notes.md");
  assert.ok(content.includes(`[${notes}:1-3](${notes}#L1)\n${NOTES.trim()}`), content);
  await shoot(page, join(pictures, "documents.png"));
  await page.locator(".interactive-response").last().getByText("notes.md").click();
  await page.locator(".editor-status-selection, .statusbar-item").getByText("Ln 3, Col 1").first().waitFor();
  proved("a folder becomes a collection, #ossian searches it, and a link of the answer opens file and line");
}

const cancelButton = (page) => page.locator(".interactive-session a[aria-label^='Cancel (']");

async function cancel({ page, calls }) {
  await send(page, "Go on for ever.");
  await shown(page, /and so on and so on/);
  await cancelButton(page).click();
  const call = chats(calls).at(-1);
  for (let tries = 0; tries < 50 && !call.left; tries++) await sleep(100);
  assert.ok(call.left && !call.heard.includes('"done":true'));
  proved("cancelling closes the connection, which ends the engine's work");
}

/** VS Code shows a failed request as one sentence. */
async function fails(page, question, sentence) {
  await send(page, question);
  const answer = page.locator(".interactive-response").last();
  await answer.getByText(sentence).first().waitFor();
  assert.ok(!(await answer.textContent()).includes("extension.js"), "a stack is shown");
}

async function run(page, command) {
  await page.keyboard.press("F1");
  await page.keyboard.insertText(`>${command}`);
  await page.locator(".quick-input-list .monaco-list-row").filter({ hasText: command }).first().waitFor();
  await page.keyboard.press("Enter");
}

/** The list of models as it is now, whatever server is asked next. */
async function freeze(own, calls) {
  const listed = calls.findLast(({ path, heard }) => path === "/api/tags" && heard).heard;
  own["/api/tags"] = () => listed;
}

async function modelMissing({ page, calls, own, serve }) {
  await freeze(own, calls);
  serve("demo");
  await fails(page, "Are you there?", "model 'fake' not found on this machine. Try: ossian pull fake");
  proved("a model that has gone is an error in our words");
  delete own["/api/tags"];
}

/** Ask mode sends no tools, so that a small machine need not read a hundred thousand letters. */
async function askMode(page) {
  await page
    .locator(".interactive-session a.action-label[aria-label='Agent'], a.action-label")
    .getByText("Agent")
    .click();
  await page.locator(".action-widget .monaco-list-row").filter({ hasText: /^Ask/ }).first().click();
}

async function demo({ page, calls, own }) {
  delete own["/api/tokenize"];
  await run(page, "Ossian: Start or Find the Server");
  await page
    .locator(".notifications-toasts")
    .getByText(/Ossian [\d.]+ answers at/)
    .waitFor();
  await sleep(2_000); // until VS Code has the new list
  await pick(page, "demo");
  await askMode(page);
  const before = calls.length;
  await send(page, "What is a list?");
  const ended = () =>
    calls.slice(before).find(({ path, heard }) => path === "/api/chat" && heard.includes('"done":true'));
  for (let tries = 0; tries < 600 && !ended(); tries++) await sleep(200);
  const { done_reason: reason, prompt_eval_count: read, eval_count: written } = lastLine(ended());
  assert.ok(read > 1_000 && written > 0 && reason, `read ${read}, wrote ${written}`);
  assert.ok(calls.some(({ path, status }) => path === "/api/tokenize" && status === 200));
  if (await cancelButton(page).isVisible()) await cancelButton(page).click(); // so small a model calls tools for ever
  proved(`a real model answers (read ${read} tokens, wrote ${written}), and its own tokens are counted`);
}

async function ghostText({ page, calls, own, pictures }) {
  const words = "sum(prices) / len(prices)";
  own["/infill"] = () => JSON.stringify({ content: words });
  await page.locator(".tab").filter({ hasText: "shop.py" }).first().click();
  await page.locator(".editor-instance .monaco-editor").first().click();
  await page.keyboard.press("Control+End");
  await page.keyboard.type("    return ", { delay: 30 });
  const text = await takeGreyText(page, async () => {
    await page.screenshot({ path: join(pictures, "grey-text.png"), clip: { x: 52, y: 36, width: 446, height: 180 } });
    own["/infill"] = () => JSON.stringify({ content: "" });
  });
  assert.ok(text.endsWith(`return ${words}`), text);
  proved("grey text shows, and Tab takes it");
  delete own["/infill"];
  await page.keyboard.type("\nmost = ", { delay: 30 });
  const taken = await takeGreyText(page);
  const { content } = JSON.parse(calls.findLast(({ path, status }) => path === "/infill" && status === 200).heard);
  assert.ok(taken.includes(plain(content.split("\n")[0])), `${taken} has not ${content}`);
  proved("a real model writes grey text too");
}

const plain = (text) => text.replaceAll(/[\s\u00a0]+/g, " ").trim();

/** The text of the editor after grey text was seen and taken. */
async function takeGreyText(page, look = () => undefined) {
  await page.locator(".ghost-text-decoration, .ghost-text").first().waitFor();
  await sleep(500);
  await look();
  await page.keyboard.press("Tab");
  await sleep(500);
  const lines = await page.locator(".editor-instance .view-line").allTextContents();
  return plain(lines.join("\n"));
}

async function statusItem({ page }) {
  const item = page.locator(".statusbar-item[aria-label^='Ossian.'], .statusbar-item a[aria-label^='Ossian.']").first();
  const says = (words) =>
    page.locator(`.statusbar-item [aria-label*="${words}"], [aria-label*="${words}"]`).first().waitFor();
  await item.click();
  await says("No suggestion: turned off.");
  await item.click();
  await says("Grey suggestions are on.");
  proved("the status item turns grey text off and on by a click, and says so");
}

async function lastRequest({ page }) {
  await run(page, "Ossian: See the Last Request");
  await page.locator(".view-line").getByText('"method"').first().waitFor();
  proved("the last request can be seen");
}

async function contextTooLong({ page, calls, own, serve }) {
  await freeze(own, calls);
  serve("small");
  await fails(page, "And a tuple?", /tokens long and would exceed the context length of 4096 tokens/);
  delete own["/api/tags"];
  proved("a conversation that is too long is an error in our words");
}

async function serverDown({ page, serve }) {
  serve("nobody");
  await fails(page, "And a set?", /Ossian does not answer at http/);
  proved("where the server is away, the error says how to start it");
}

/** A server that the extension starts itself, as the settings say. */
async function startServer({ page, settings, program, freePort }) {
  settings({ "ossian.url": `http://127.0.0.1:${freePort}`, "ossian.program": program });
  await sleep(2_000);
  await run(page, "Ossian: Start or Find the Server");
  await page
    .locator(".notifications-toasts")
    .getByText(/Ossian is running at .* It ends with this window\./)
    .waitFor();
  assert.equal((await fetch(`http://127.0.0.1:${freePort}/health`)).status, 200);
  proved("a server is started where none answers");
}
