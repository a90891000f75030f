/** VS Code's messages in the words of /api/chat, and its answers in VS Code's. */
import * as vscode from "vscode";
import type { Json } from "./client";

/** A turn of /api/chat. */
export interface Turn {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
  thinking?: string;
  tool_calls?: { id: string; function: { name: string; arguments: object } }[];
  tool_call_id?: string;
}

/** VS Code has this kind of part, but does not name it in its published types yet (1.140). */
export interface ThinkingPart {
  value: string | string[];
  id?: string;
}
type ThinkingKind = new (value: string, id?: string) => ThinkingPart;

const ROLES = { 1: "user", 2: "assistant", 3: "system" } as const; // 3 is sent by VS Code's own chat
const OWN_MARKS = new Set(["cache_control", "stateful_marker", "usage"]); // of VS Code's chat, about its own affairs

export function thinkingKind(): ThinkingKind | undefined {
  return (vscode as unknown as { LanguageModelThinkingPart?: ThinkingKind }).LanguageModelThinkingPart;
}

/** The conversation, turn by turn. Throws a sentence for what no model here can read. */
export function writeMessages(messages: readonly vscode.LanguageModelChatRequestMessage[]): Turn[] {
  return messages.flatMap(writeMessage);
}

/** One message of VS Code is several turns where it holds the results of tools. */
function writeMessage({ role, content }: vscode.LanguageModelChatRequestMessage): Turn[] {
  const results: Turn[] = [];
  const turn: Turn = { role: ROLES[role as 1 | 2 | 3], content: "" };
  const Thinking = thinkingKind();
  for (const part of content) {
    if (part instanceof vscode.LanguageModelToolResultPart) {
      results.push({ role: "tool", tool_call_id: part.callId, content: writeParts(part.content) });
    } else if (part instanceof vscode.LanguageModelToolCallPart) {
      (turn.tool_calls ??= []).push({ id: part.callId, function: { name: part.name, arguments: part.input } });
    } else if (Thinking && part instanceof Thinking) {
      turn.thinking = (turn.thinking ?? "") + [part.value].flat().join("");
    } else {
      turn.content += writeParts([part]);
    }
  }
  const silent = !turn.content && !turn.tool_calls && !turn.thinking;
  return silent && results.length ? results : [...results, turn];
}

/** Text of all kinds of part that have one. */
function writeParts(parts: readonly unknown[]): string {
  return parts.map(writePart).join("");
}

function writePart(part: unknown): string {
  if (part instanceof vscode.LanguageModelTextPart) return part.value;
  if (part instanceof vscode.LanguageModelPromptTsxPart) return JSON.stringify(part.value);
  if (!(part instanceof vscode.LanguageModelDataPart) || OWN_MARKS.has(part.mimeType)) return "";
  if (/^text\/|json$/.test(part.mimeType)) return new TextDecoder().decode(part.data);
  throw new Error(`Models of Ossian read text only; a part of this conversation is ${part.mimeType}. Take it out.`);
}

/** All the text of a message, to be counted. */
export function writeText(message: vscode.LanguageModelChatRequestMessage): string {
  return writeMessage(message)
    .map((turn) => [turn.thinking ?? "", turn.content, ...(turn.tool_calls ?? []).map(writeCall)].join(""))
    .join("");
}

function writeCall({ function: { name, arguments: given } }: NonNullable<Turn["tool_calls"]>[number]): string {
  return name + JSON.stringify(given);
}

export function writeTools(tools: readonly vscode.LanguageModelChatTool[]): Json[] {
  return tools.map(({ name, description, inputSchema }) => ({
    type: "function",
    function: { name, description, parameters: inputSchema ?? { type: "object", properties: {} } },
  }));
}

/** One line of an answer as parts, each a fresh object. */
export function readLine(line: Json, turn: string): vscode.LanguageModelResponsePart[] {
  const said = line.message as Partial<Turn> | undefined;
  const Thinking = thinkingKind();
  const parts: unknown[] = [];
  if (said?.thinking && Thinking) parts.push(new Thinking(said.thinking, turn));
  if (said?.content) parts.push(new vscode.LanguageModelTextPart(said.content));
  for (const call of said?.tool_calls ?? []) {
    parts.push(new vscode.LanguageModelToolCallPart(call.id, call.function.name, call.function.arguments));
  }
  if (line.done) parts.push(vscode.LanguageModelDataPart.json(readUsage(line), "usage"));
  return parts as vscode.LanguageModelResponsePart[];
}

/** What the answer cost, in the names that VS Code's chat looks for. */
export function readUsage(line: Json): Json {
  const read = Number(line.prompt_eval_count ?? 0);
  const written = Number(line.eval_count ?? 0);
  return {
    prompt_tokens: read,
    completion_tokens: written,
    total_tokens: read + written,
    prompt_tokens_details: { cached_tokens: Number(line.ossian_cached_tokens ?? 0) },
  };
}
