// VS Code without our extension: its own Ollama provider, as `ossian editor` sets it up, and one Custom Endpoint.
import assert from "node:assert/strict";
import { join } from "node:path";

import { PICTURES, WORKSPACE, customEndpoint, inWindow } from "./person.mjs";
import { ask, pick, proved, shoot, shown, unfold } from "./window.mjs";

const THOUGHTS = ["The file is open in the editor: total sums the prices.", "The notes may say it.", "They do."];
const NOTES = "# Notes\n\nThe shop opens at nine.\n";
const FILES = { "shop.py": "def total(prices):\n    return sum(prices)\n", "notes.md": NOTES };
const LOOK = { filePath: join(WORKSPACE, "notes.md"), startLine: 1, endLine: 3 };
const ANSWERS = [
  "It returns the **sum of the prices**; for no prices at all it returns 0.",
  "The shop opens at **nine**.",
];
const SCRIPT = [
  [{ thinking: THOUGHTS[0] }, { text: ANSWERS[0] }],
  [{ thinking: THOUGHTS[1] }, { tool_call: { name: "read_file", arguments: LOOK } }],
  [{ thinking: THOUGHTS[2] }, { text: ANSWERS[1] }],
  [{ thinking: "Once more." }, { text: "This came through the Custom Endpoint." }],
];

async function talk(page, calls) {
  const asked = () => calls.filter((call) => call.path === "/v1/chat/completions");
  const body = (call) => JSON.parse(call.sent);

  await pick(page, "fake", "Ossian");
  proved(
    "what `ossian editor` wrote puts the model into the picker, found through /api/version, /api/tags and /api/show",
  );

  const lengths = await ask(page, "What does total return?", "it returns 0.");
  assert.ok(lengths.size > 3, `the answer came in ${lengths.size} pieces`);
  await unfold(page);
  await shown(page, THOUGHTS[0]);
  await shoot(page, join(PICTURES, "vscode-chat.png"));
  proved(`the answer streams (seen growing ${lengths.size} times), and the thinking is shown`);

  await ask(page, "When does the shop open?", "at nine.");
  await unfold(page);
  await shown(page, /Read notes.md/);
  await shown(page, THOUGHTS[1]);
  await shoot(page, join(PICTURES, "vscode-agent.png"));
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

  await pick(page, "fake with effort", "fake with effort");
  await ask(page, "And by the other way?", "the Custom Endpoint.");
  assert.equal(body(asked().at(-1)).reasoning_effort, "medium");
  await shoot(page, join(PICTURES, "vscode-custom.png"));
  proved("the Custom Endpoint answers, and sends the thinking effort");

  for (const { heard } of asked()) {
    assert.match(heard, /"finish_reason":"(stop|tool_calls)"/);
    assert.match(heard, /"usage":\{"prompt_tokens":\d+,"completion_tokens":\d+,"total_tokens":\d+/);
    assert.ok(heard.endsWith("data: [DONE]\n\n"));
  }
  assert.deepEqual([...new Set(calls.map((call) => call.status))], [200]);
  proved(`all ${calls.length} requests were answered with 200, every stream with finish_reason, usage and [DONE]`);
}

export const builtIn = () =>
  inWindow({ files: FILES, groups: [customEndpoint("fake with effort")], script: SCRIPT }, talk);
