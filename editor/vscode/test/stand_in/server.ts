/** A small server on a real socket that says what a test wants, and keeps what it was asked. */
import { once } from "node:events";
import { type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { Client, type Json } from "../../src/client";

/** A question as it came. */
export interface Asked {
  readonly path: string;
  readonly body: Json;
  readonly key: string | undefined;
  readonly left: Promise<unknown>;
}
export type Answer = (body: Json, response: ServerResponse) => unknown;

/** A client of a server with these routes. What a route returns is sent as JSON, a list as lines. */
export async function serve(
  test: TestContext,
  routes: Record<string, Answer>,
): Promise<{ client: Client; asked: Asked[]; url: string }> {
  const asked: Asked[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const text = Buffer.concat((await request.toArray()) as Buffer[]).toString();
      const path = request.url ?? "";
      const body = (text ? JSON.parse(text) : {}) as Json;
      asked.push({ path, body, key: request.headers.authorization, left: once(response, "close") });
      const said = await (routes[path] ?? refuse)(body, response);
      const lines = Array.isArray(said) ? said : [said];
      if (said !== undefined) response.end(lines.map((line) => JSON.stringify(line)).join("\n"));
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { client: new Client(() => Promise.resolve({ url, key: "" })), asked, url };
}

export const refuse: Answer = (_, response) => {
  response.statusCode = 404;
  return { error: "404 page not found" };
};

export const DEMO = {
  name: "demo",
  digest: "72c86c93b2722b8d",
  capabilities: ["completion", "tools", "insert", "thinking"],
  context_length: 8192,
  max_output_tokens: 2048,
  details: { family: "gptoss", parameter_size: "8.0M", quantization_level: "MXFP4" },
};

/** A token of VS Code's that can be cancelled. */
export class Token {
  isCancellationRequested = false;
  private readonly listeners: ((nothing: undefined) => unknown)[] = [];
  readonly onCancellationRequested = (listener: (nothing: undefined) => unknown): { dispose(): void } => {
    this.listeners.push(listener);
    return { dispose: () => undefined };
  };
  cancel(): void {
    this.isCancellationRequested = true;
    for (const listener of this.listeners) listener(undefined);
  }
}
