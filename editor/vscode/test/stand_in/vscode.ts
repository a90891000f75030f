/** As much of VS Code's API as the unit tests touch. The real one is met in test/real. */
export class LanguageModelTextPart {
  constructor(readonly value: string) {}
}
export class LanguageModelPromptTsxPart extends LanguageModelTextPart {}
export class LanguageModelThinkingPart {
  constructor(
    readonly value: string,
    readonly id?: string,
  ) {}
}
export class LanguageModelToolCallPart {
  constructor(
    readonly callId: string,
    readonly name: string,
    readonly input: object,
  ) {}
}
export class LanguageModelToolResultPart {
  constructor(
    readonly callId: string,
    readonly content: unknown[],
  ) {}
}
export class LanguageModelToolResult {
  constructor(readonly content: unknown[]) {}
}
export class LanguageModelDataPart {
  constructor(
    readonly data: Uint8Array,
    readonly mimeType: string,
  ) {}
  static json(value: unknown, mimeType: string): LanguageModelDataPart {
    return new LanguageModelDataPart(new TextEncoder().encode(JSON.stringify(value)), mimeType);
  }
}
export const LanguageModelChatMessageRole = { User: 1, Assistant: 2 };
export const LanguageModelChatToolMode = { Auto: 1, Required: 2 };
export const InlineCompletionTriggerKind = { Invoke: 0, Automatic: 1 };
export class InlineCompletionItem {
  constructor(
    readonly insertText: string,
    readonly range: unknown,
  ) {}
}
export class Range {
  constructor(
    readonly start: unknown,
    readonly end: unknown,
  ) {}
}
export class EventEmitter<T> {
  private readonly listeners: ((value: T) => void)[] = [];
  readonly event = (listener: (value: T) => void): void => {
    this.listeners.push(listener);
  };
  fire(value: T): void {
    for (const listener of this.listeners) listener(value);
  }
}
/** Who sits before the editor: what they answer to each question, what they set, and what they were told. */
export const person = {
  answers: [] as unknown[],
  told: [] as unknown[],
  set: {} as Record<string, unknown>,
  trusts: true,
  folder: "/w",
  answer: (): Promise<unknown> => Promise.resolve(person.answers.shift()),
  hear: (words: unknown): Promise<void> => Promise.resolve(void person.told.push(words)),
};
export const window = {
  showInputBox: person.answer,
  showQuickPick: async (rows: { label: string }[]): Promise<unknown> => {
    const label = await person.answer();
    return rows.find((row) => row.label === label);
  },
  showInformationMessage: person.hear,
  showTextDocument: person.hear,
  withProgress: (_: unknown, work: (progress: object, token: object) => unknown): unknown =>
    work({ report: person.hear }, { onCancellationRequested: () => undefined }),
};
/** /w is the folder that is open. */
export const workspace = {
  get isTrusted(): boolean {
    return person.trusts;
  },
  get workspaceFolders(): object[] {
    return [{ uri: { fsPath: person.folder, scheme: "file" } }];
  },
  getWorkspaceFolder: ({ path }: Uri): object | undefined => (path.startsWith("/w/") ? {} : undefined),
  getConfiguration: (): object => ({
    get: (name: string, otherwise: unknown) => person.set[name] ?? otherwise,
    inspect: () => ({}),
    update: (name: string, value: unknown) => Promise.resolve(void (person.set[name] = value)),
  }),
  openTextDocument: (address: Uri): Promise<unknown> => Promise.resolve(String(address)),
};
export const ConfigurationTarget = { Global: 1 };
export const ProgressLocation = { Notification: 15 };
/** A file's address; its real twin encodes more. */
export class Uri {
  private constructor(
    readonly path: string,
    readonly parts: { scheme?: string; query?: string; fragment?: string } = {},
  ) {}
  static file(path: string): Uri {
    return new Uri(path);
  }
  with(parts: Uri["parts"]): Uri {
    return new Uri(this.path, parts);
  }
  toString(): string {
    const { scheme = "file", query = "", fragment = "" } = this.parts;
    return `${scheme}://${encodeURI(this.path)}${query && "?"}${query}${fragment && "#"}${fragment}`;
  }
}
