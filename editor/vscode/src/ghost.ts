/** Grey text at the cursor: asks the server's /infill when that is worth it, and says why where it is not. */
import * as vscode from "vscode";
import type { Client, Json } from "./client";
import { Pace, type Place, RecentAnswers, boundTokens, cutAround, opensBlock, sayWhyNotHere, trim } from "./ghostRules";
import { type Tag, isAble } from "./provider";

const LOOK_MILLISECONDS = 10_000;
const RETRY_MILLISECONDS = 30_000;

/** What the person set. */
export interface Wishes {
  readonly enabled: boolean;
  readonly model: string;
  readonly pause: number;
  readonly patience: number;
}

/** Where the provider says how it stands. */
export interface Told {
  asking(): void;
  shown(): void;
  silent(why: string): void;
}

/** What the provider must know of the rest of the extension. */
export interface Surroundings {
  readonly client: Client;
  readonly told: Told;
  wishes(): Wishes;
  busy(): boolean;
  models(): Promise<readonly Tag[]>;
}

/** A reason to show nothing. */
class Silence extends Error {}

export class GhostText implements vscode.InlineCompletionItemProvider {
  private readonly recent = new RecentAnswers();
  private readonly pace = new Pace();
  private ready = "";
  private looked = 0;
  private loading: string | undefined;
  private failed: { readonly words: string; readonly at: number } | undefined;
  private asked = 0;

  constructor(private readonly around: Surroundings) {}

  async provideInlineCompletionItems(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<vscode.InlineCompletionItem[]> {
    try {
      const { place, range, begun } = findPlace(document, position, context);
      const text = await this.find(place, document.languageId, isWanted(context), token);
      if (token.isCancellationRequested) return [];
      if (!this.around.wishes().enabled) throw new Silence("turned off");
      if (text === "") throw new Silence("the model has nothing to add here");
      this.around.told.shown();
      return text ? [new vscode.InlineCompletionItem(begun + text, range)] : [];
    } catch (error) {
      if (!token.isCancellationRequested)
        this.around.told.silent(error instanceof Error ? error.message : String(error));
      return [];
    }
  }

  /** Start afresh: another server, another model. */
  forget(): void {
    this.recent.clear();
    this.pace.forget();
    this.ready = "";
  }

  private async find(
    place: Place,
    language: string,
    wanted: boolean,
    token: vscode.CancellationToken,
  ): Promise<string | undefined> {
    const { enabled, pause, patience } = this.around.wishes();
    if (!enabled) throw new Silence("turned off");
    const why = sayWhyNotHere(place);
    if (why) throw new Silence(why);
    const known = this.recent.find(place);
    if (known !== undefined) return known;
    if (!wanted) await rest(pause, token);
    if (token.isCancellationRequested) return undefined;
    if (this.around.busy()) throw new Silence("the model is answering a chat");
    const model = await this.findModel();
    if (!wanted && !this.pace.hopes(patience, Date.now())) {
      throw new Silence(`an answer takes ${(this.pace.usual / 1000).toFixed(1)} s on this machine, too long to wait`);
    }
    return await this.ask(model, place, opensBlock(place, language), token);
  }

  private async ask(model: string, place: Place, multiline: boolean, token: vscode.CancellationToken): Promise<string> {
    const { patience } = this.around.wishes();
    const leaving = new AbortController();
    const listening = token.onCancellationRequested(() => {
      leaving.abort();
    });
    const signal = AbortSignal.any([leaving.signal, AbortSignal.timeout(patience * 2)]);
    const begun = Date.now();
    const number = ++this.asked;
    this.around.told.asking();
    try {
      const said = await this.around.client.post("/infill", writeBody(model, place, multiline, patience), signal);
      this.pace.add(Date.now() - begun);
      const text = trim(String(said.content), place, multiline);
      this.recent.add(place, text);
      return text;
    } catch (error) {
      if (leaving.signal.aborted) {
        if (number === this.asked) this.around.told.shown();
        throw error;
      }
      this.ready = "";
      if (!signal.aborted) throw error;
      this.pace.add(Date.now() - begun);
      throw new Silence("the answer would have come too late");
    } finally {
      listening.dispose();
    }
  }

  /** The model to ask, once it is in memory: its loading is begun, but no typing waits for it. */
  private async findModel(): Promise<string> {
    if (this.ready && Date.now() - this.looked < LOOK_MILLISECONDS) return this.ready;
    const loaded = ((await this.around.client.get("/api/ps")).models as Tag[]).map((tag) => tag.name);
    const able = (await this.around.models()).filter((tag) => isAble(tag, "insert")).map((tag) => tag.name);
    const { model: wish } = this.around.wishes();
    const model = wish || able.find((name) => loaded.includes(name)) || able[0];
    if (!model || !able.includes(model)) throw new Silence(sayUnable(wish));
    if (!loaded.includes(model)) throw new Silence(this.load(model));
    this.ready = model;
    this.looked = Date.now();
    return model;
  }

  private load(model: string): string {
    if (this.failed && Date.now() - this.failed.at < RETRY_MILLISECONDS) return this.failed.words;
    if (this.loading !== model) {
      this.loading = model;
      const end = (failed?: Error): void => {
        this.loading = undefined;
        this.failed = failed && { words: `${model} cannot be loaded: ${failed.message}`, at: Date.now() };
      };
      this.around.client.post("/api/chat", { model, messages: [], stream: false }).then(() => {
        end();
      }, end);
    }
    return `${model} is being loaded`;
  }
}

function sayUnable(wish: string): string {
  return wish
    ? `${wish}, which the setting ossian.ghostText.model names, is not here or cannot fill in code`
    : "no model here can fill in code; pull gpt-oss:20b";
}

function isWanted(context: vscode.InlineCompletionContext): boolean {
  return context.triggerKind === vscode.InlineCompletionTriggerKind.Invoke;
}

/** Where the text goes. What is chosen in the open list of completions counts as typed. */
function findPlace(
  document: vscode.TextDocument,
  position: vscode.Position,
  { selectedCompletionInfo: chosen }: vscode.InlineCompletionContext,
): { place: Place; range: vscode.Range; begun: string } {
  const text = document.getText();
  const range = chosen?.range ?? new vscode.Range(position, position);
  const begun = chosen?.text ?? "";
  const before = text.slice(0, document.offsetAt(range.start)) + begun;
  const whole = before + text.slice(document.offsetAt(range.end));
  return { place: cutAround(whole, before.length), range, begun };
}

function writeBody(model: string, place: Place, multiline: boolean, patience: number): Json {
  return {
    model,
    input_prefix: place.prefix,
    input_suffix: place.suffix,
    n_predict: boundTokens(multiline),
    t_max_predict_ms: patience,
    ...(!multiline && { stop: ["\n"] }),
  };
}

/** Wait until typing rests; at once where it goes on. */
async function rest(milliseconds: number, token: vscode.CancellationToken): Promise<void> {
  await new Promise<void>((done) => {
    const timer = setTimeout(done, milliseconds);
    token.onCancellationRequested(() => {
      clearTimeout(timer);
      done();
    });
  });
}
