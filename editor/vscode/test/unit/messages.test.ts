import assert from "node:assert/strict";
import { test } from "node:test";
import * as vscode from "vscode";
import { readLine, thinkingKind, writeMessages, writeText, writeTools } from "../../src/messages";

const Thinking = thinkingKind() ?? assert.fail();
const [USER, ASSISTANT, SYSTEM] = [1, 2, 3] as const;
const text = (value: string): vscode.LanguageModelTextPart => new vscode.LanguageModelTextPart(value);
const message = (role: number, ...content: unknown[]): vscode.LanguageModelChatRequestMessage => ({
  role,
  content,
  name: undefined,
});

test("a conversation with a tool becomes turns, its thinking included", () => {
  const turns = writeMessages([
    message(SYSTEM, text("You are an agent.")),
    message(USER, text("Read "), text("a.py")),
    message(
      ASSISTANT,
      new Thinking("They want a.py."),
      new vscode.LanguageModelToolCallPart("c1", "read", { path: "a.py" }),
    ),
    message(USER, new vscode.LanguageModelToolResultPart("c1", [text("x = 1")]), text("And now?")),
  ]);
  assert.deepEqual(turns, [
    { role: "system", content: "You are an agent." },
    { role: "user", content: "Read a.py" },
    {
      role: "assistant",
      content: "",
      thinking: "They want a.py.",
      tool_calls: [{ id: "c1", function: { name: "read", arguments: { path: "a.py" } } }],
    },
    { role: "tool", tool_call_id: "c1", content: "x = 1" },
    { role: "user", content: "And now?" },
  ]);
});

test("a message of results alone is no user's turn", () => {
  const two = ["c1", "c2"].map((id) => new vscode.LanguageModelToolResultPart(id, [text(id)]));
  assert.deepEqual(
    writeMessages([message(USER, ...two)]).map((turn) => turn.role),
    ["tool", "tool"],
  );
});

test("VS Code's own marks are left out, text as bytes is read, an image is refused", () => {
  const bytes = (words: string, mime: string): unknown =>
    new vscode.LanguageModelDataPart(new TextEncoder().encode(words), mime);
  assert.deepEqual(
    writeMessages([message(USER, text("Hi"), bytes("{}", "cache_control"), bytes(" ä", "text/plain"))]),
    [{ role: "user", content: "Hi ä" }],
  );
  assert.throws(
    () => writeMessages([message(USER, bytes("", "image/png"))]),
    /a part of this conversation is image\/png/,
  );
});

test("tools without a schema take nothing", () => {
  assert.deepEqual(writeTools([{ name: "now", description: "The time" }]), [
    {
      type: "function",
      function: { name: "now", description: "The time", parameters: { type: "object", properties: {} } },
    },
  ]);
});

test("lines of an answer become parts, the last one what it cost", () => {
  assert.deepEqual(readLine({ message: { thinking: "Hm." } }, "t1"), [new Thinking("Hm.", "t1")]);
  assert.deepEqual(readLine({ message: { content: "Yes" } }, "t1"), [text("Yes")]);
  const call = { id: "c1", function: { name: "read", arguments: { path: "a" } } };
  assert.deepEqual(readLine({ message: { content: "", tool_calls: [call] } }, "t1"), [
    new vscode.LanguageModelToolCallPart("c1", "read", { path: "a" }),
  ]);
  const last = { message: { content: "" }, done: true, prompt_eval_count: 9, eval_count: 3, ossian_cached_tokens: 4 };
  const usage = {
    prompt_tokens: 9,
    completion_tokens: 3,
    total_tokens: 12,
    prompt_tokens_details: { cached_tokens: 4 },
  };
  assert.deepEqual(readLine(last, "t1"), [vscode.LanguageModelDataPart.json(usage, "usage")]);
});

test("all the text of a message is counted, calls included", () => {
  const call = new vscode.LanguageModelToolCallPart("c1", "read", { path: "a" });
  assert.equal(writeText(message(ASSISTANT, text("Look: "), call)), 'Look: read{"path":"a"}');
});
