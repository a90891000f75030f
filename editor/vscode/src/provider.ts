/** Ossian's models in VS Code's chat and agent mode. */
import { randomUUID } from "node:crypto";
import * as vscode from "vscode";
import { BrokenOff, type Client, type Json } from "./client";
import { readLine, writeMessages, writeText, writeTools } from "./messages";
import type { Tokens } from "./tokens";

const MARKS_PER_MESSAGE = 4; // harmony writes <|start|>, the role, <|message|> and <|end|> around each

/** A line of /api/tags. */
export interface Tag {
  readonly name: string;
  readonly digest: string;
  readonly capabilities?: readonly string[]; // other servers at Ollama's address do not tell them
  readonly context_length: number;
  readonly max_output_tokens: number;
  readonly details: { readonly family: string; readonly parameter_size: string; readonly quantization_level: string };
}

/** Whether a model can do something: converse, call tools, think, insert code. */
export function isAble(tag: Tag | undefined, what: string): boolean {
  return tag?.capabilities?.includes(what) ?? false;
}

/** Lists what the server has, and passes conversations on to it. */
export class Provider implements vscode.LanguageModelChatProvider {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeLanguageModelChatInformation = this.changed.event;
  private tags: readonly Tag[] = [];
  private answering = 0;

  constructor(
    private readonly client: Client,
    private readonly tokens: Tokens,
    private readonly thinking: () => string,
  ) {}

  /** Whether a chat is being answered, so that the engine has no time for anything else. */
  get busy(): boolean {
    return this.answering > 0;
  }

  /** Ask what there is; where that has changed, VS Code asks for the list again. Throws where nobody answers. */
  async refresh(): Promise<readonly Tag[]> {
    const before = JSON.stringify(this.tags);
    this.tags = (await this.client.get("/api/tags")).models as Tag[];
    if (JSON.stringify(this.tags) !== before) this.changed.fire();
    return this.tags;
  }

  /** The models that can converse. Those last seen stay in the list while the server is away. */
  async provideLanguageModelChatInformation({
    silent,
  }: vscode.PrepareLanguageModelChatModelOptions): Promise<vscode.LanguageModelChatInformation[]> {
    try {
      this.tags = (await this.client.get("/api/tags")).models as Tag[];
    } catch (error) {
      if (!silent) throw error;
    }
    return this.tags.filter((tag) => isAble(tag, "completion")).map(writeInformation);
  }

  /** Answer, piece by piece. A cancelled answer ends without a word, and the engine stops. */
  async provideLanguageModelChatResponse(
    model: vscode.LanguageModelChatInformation,
    messages: readonly vscode.LanguageModelChatRequestMessage[],
    options: vscode.ProvideLanguageModelChatResponseOptions,
    progress: vscode.Progress<vscode.LanguageModelResponsePart>,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const leaving = new AbortController();
    const listening = token.onCancellationRequested(() => {
      leaving.abort();
    });
    this.answering += 1;
    try {
      await this.pass(this.writeBody(model.id, messages, options), progress, leaving.signal);
    } catch (error) {
      if (!leaving.signal.aborted) throw withoutStack(error);
    } finally {
      this.answering -= 1;
      listening.dispose();
    }
  }

  async provideTokenCount(
    model: vscode.LanguageModelChatInformation,
    text: string | vscode.LanguageModelChatRequestMessage,
  ): Promise<number> {
    if (typeof text === "string") return await this.tokens.count(model.id, text);
    return (await this.tokens.count(model.id, writeText(text))) + MARKS_PER_MESSAGE;
  }

  /** Pass the answer on, and see to it that there is one. */
  private async pass(body: Json, progress: vscode.Progress<vscode.LanguageModelResponsePart>, signal: AbortSignal) {
    const turn = randomUUID();
    let said = false;
    let last: Json = {};
    for await (const line of this.client.lines("/api/chat", body, signal)) {
      last = line;
      const message = line.message as Json | undefined;
      said ||= Boolean(message?.content) || Boolean(message?.tool_calls);
      for (const part of readLine(line, turn)) progress.report(part);
    }
    if (!last.done) throw new BrokenOff();
    if (!said) throw new Error(sayNothing(last));
  }

  private writeBody(
    model: string,
    messages: readonly vscode.LanguageModelChatRequestMessage[],
    options: vscode.ProvideLanguageModelChatResponseOptions,
  ): Json {
    const given = options.modelOptions ?? {};
    const tools = options.tools ?? [];
    return {
      model,
      messages: writeMessages(messages),
      ...(tools.length && { tools: writeTools(tools) }),
      ...(options.toolMode === vscode.LanguageModelChatToolMode.Required && { tool_choice: "required" }),
      ...this.writeThink(model),
      options: Object.fromEntries(Object.entries(given).filter(([name]) => !name.startsWith("_"))),
      // VS Code's chat names its conversation here (1.139.1); the same key stands on all its requests.
      ...(given._conversationId !== undefined && { prompt_cache_key: given._conversationId }),
    };
  }

  private writeThink(model: string): Json {
    const able = isAble(
      this.tags.find((tag) => tag.name === model),
      "thinking",
    );
    const wish = this.thinking();
    return able ? { think: wish === "off" ? false : wish } : {};
  }
}

/** What VS Code wants to know of a model. The family begins with gpt, so that the agent speaks as gpt-oss expects. */
export function writeInformation(tag: Tag): vscode.LanguageModelChatInformation {
  const { family, parameter_size: size, quantization_level: quantization } = tag.details;
  return {
    id: tag.name,
    name: tag.name,
    family: family === "gptoss" ? "gpt-oss" : family,
    version: tag.digest.slice(0, 12),
    detail: "Ossian",
    tooltip: `${tag.name} on this machine: ${size} weights, ${quantization}, ${tag.context_length} tokens of context`,
    maxInputTokens: tag.context_length - tag.max_output_tokens,
    maxOutputTokens: tag.max_output_tokens,
    capabilities: { toolCalling: isAble(tag, "tools"), imageInput: isAble(tag, "vision") },
  };
}

/** VS Code's chat shows the stack of an error behind its sentence, where it has one. */
function withoutStack(error: unknown): Error {
  return Object.assign(new Error(error instanceof Error ? error.message : String(error)), { stack: "" });
}

function sayNothing(last: Json): string {
  return last.done_reason === "length"
    ? "The model thought until the context was full and said nothing. Start a new chat, or lower ossian.thinking."
    : "The model thought and then said nothing. Ask again, or change the setting ossian.thinking.";
}
