/** Speaks HTTP with the server: JSON, and answers line by line. Knows nothing of VS Code. */
import { once } from "node:events";
import { type IncomingMessage, request as askPlainly } from "node:http";
import { request as askSecurely } from "node:https";

export type Json = Record<string, unknown>;

/** Where the server answers, and the key it wants, if any. */
export interface Address {
  readonly url: string;
  readonly key: string;
}

/** What was asked last, as a person may want to see it. */
export interface Exchange {
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
  readonly at: string;
  milliseconds?: number;
  status?: number;
  end?: unknown;
}

/** The server said no, in a sentence. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    sentence: string,
  ) {
    super(sentence);
  }
}

/** Nobody answers at the address. */
export class Unreachable extends Error {
  constructor(url: string) {
    super(`Ossian does not answer at ${url}. Start it with the command "Ossian: Start or Find the Server".`);
  }
}

/** The server ended, or the line broke, before the answer was whole. */
export class BrokenOff extends Error {
  constructor() {
    super('The answer broke off: the server has ended. The command "Ossian: Show the Log" may say why. Ask again.');
  }
}

/** All that is asked of one server. Every question closes when its signal is aborted, which ends the engine's work. */
export class Client {
  last: Exchange | undefined;

  constructor(
    private readonly address: () => Promise<Address>,
    private readonly log: (line: string) => void = () => undefined,
  ) {}

  async get(path: string, signal?: AbortSignal): Promise<Json> {
    return await this.whole("GET", path, undefined, signal);
  }

  async post(path: string, body: unknown, signal?: AbortSignal): Promise<Json> {
    return await this.whole("POST", path, body, signal);
  }

  /** An answer of many lines, each a JSON object. An `error` among them is thrown. */
  async *lines(path: string, body: unknown, signal?: AbortSignal): AsyncGenerator<Json, void, void> {
    const [incoming, exchange] = await this.open("POST", path, body, signal);
    try {
      for await (const line of splitLines(incoming)) yield (exchange.end = readLine(line));
    } catch (error) {
      throw error instanceof Refused || signal?.aborted ? error : new BrokenOff();
    } finally {
      incoming.destroy();
      this.close(exchange);
    }
  }

  private async whole(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<Json> {
    const [incoming, exchange] = await this.open(method, path, body, signal);
    try {
      return (exchange.end = JSON.parse(await readAll(incoming)) as Json);
    } catch (error) {
      throw signal?.aborted ? error : new BrokenOff();
    } finally {
      this.close(exchange);
    }
  }

  private async open(
    method: string,
    path: string,
    body: unknown,
    signal?: AbortSignal,
  ): Promise<[IncomingMessage, Exchange]> {
    const { url, key } = await this.address();
    const exchange: Exchange = { method, url: url + path, body, at: new Date().toISOString() };
    if (isTold(exchange)) this.last = exchange;
    const incoming = await send(exchange, key, signal).catch((error: unknown) => {
      this.close(exchange);
      throw signal?.aborted ? error : new Unreachable(url);
    });
    exchange.status = incoming.statusCode ?? 0;
    if (exchange.status < 400) return [incoming, exchange];
    const refusal = new Refused(exchange.status, readRefusal(await readAll(incoming)));
    exchange.end = refusal.message;
    this.close(exchange);
    throw refusal;
  }

  private close(exchange: Exchange): void {
    const { url, status, at } = exchange;
    exchange.milliseconds = Date.now() - Date.parse(at);
    if (isTold(exchange)) this.log(`${url} ${status ?? "without an answer"} in ${exchange.milliseconds} ms`);
  }
}

/** Whether a person may want to hear of it: not of looking, nor of the hundreds of counts before a question. */
function isTold({ method, url }: Exchange): boolean {
  return method === "POST" && !url.endsWith("/api/tokenize") && !url.endsWith("/api/show");
}

/** fetch gives up after five minutes without a word; a long prompt on a small machine takes longer. */
async function send(exchange: Exchange, key: string, signal?: AbortSignal): Promise<IncomingMessage> {
  const ask = exchange.url.startsWith("https:") ? askSecurely : askPlainly;
  const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
  const outgoing = ask(exchange.url, { method: exchange.method, headers, ...(signal && { signal }) });
  outgoing.on("error", () => undefined); // one that comes after the answer began is the reader's affair
  outgoing.end(exchange.body === undefined ? undefined : JSON.stringify(exchange.body));
  const [incoming] = (await once(outgoing, "response")) as [IncomingMessage];
  return incoming;
}

async function readAll(incoming: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of incoming) pieces.push(piece as Buffer);
  return Buffer.concat(pieces).toString();
}

async function* splitLines(incoming: IncomingMessage): AsyncGenerator<string, void, void> {
  let rest = "";
  for await (const piece of incoming.setEncoding("utf8")) {
    const lines = (rest + (piece as string)).split("\n");
    rest = lines.pop() ?? "";
    yield* lines.filter((line) => line.trim());
  }
  if (rest.trim()) yield rest;
}

function readLine(line: string): Json {
  const said = JSON.parse(line) as Json;
  if (said.error !== undefined) throw new Refused(200, readError(said.error));
  return said;
}

/** The sentence of an error, in whichever dialect it came. */
function readRefusal(text: string): string {
  try {
    return readError((JSON.parse(text) as Json).error);
  } catch {
    return text.trim() || "The server refused without a word.";
  }
}

function readError(error: unknown): string {
  if (typeof error === "string") return error;
  const message = (error as Json | null)?.message;
  return typeof message === "string" ? message : JSON.stringify(error);
}
