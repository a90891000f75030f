import assert from "node:assert/strict";
import { test } from "node:test";
import { BrokenOff, Client, type Json, Refused, Unreachable } from "../../src/client";
import { serve } from "../stand_in/server";

async function collect(lines: AsyncGenerator<Json>): Promise<Json[]> {
  const all: Json[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

test("lines come whole, however the network cuts them", async (t) => {
  const { client } = await serve(t, {
    "/api/chat": (_, response) => {
      const bytes = Buffer.from('{"a":"ä"}\n\n{"b":2}');
      response.write(bytes.subarray(0, 7)); // in the middle of a letter
      setTimeout(() => response.end(bytes.subarray(7)), 20);
    },
  });
  assert.deepEqual(await collect(client.lines("/api/chat", {})), [{ a: "ä" }, { b: 2 }]);
});

test("a refusal is the server's sentence, with its status", async (t) => {
  const { client } = await serve(t, {
    "/api/chat": (_, response) => {
      response.statusCode = 400;
      return { error: "the prompt is 9 tokens long" };
    },
    "/v1/x": (_, response) => {
      response.statusCode = 404;
      return { error: { message: "not here" } };
    },
    "/plain": (_, response) => {
      response.statusCode = 502;
      response.end("a proxy spoke");
    },
  });
  for (const [path, status, sentence] of [
    ["/api/chat", 400, "the prompt is 9 tokens long"],
    ["/v1/x", 404, "not here"],
    ["/plain", 502, "a proxy spoke"],
  ] as const) {
    await assert.rejects(client.post(path, {}), new Refused(status, sentence));
  }
});

test("an error in a stream is thrown after what was said before", async (t) => {
  const { client } = await serve(t, { "/api/chat": () => [{ a: 1 }, { error: "the model ended" }] });
  const lines = client.lines("/api/chat", {});
  assert.deepEqual((await lines.next()).value, { a: 1 });
  await assert.rejects(lines.next(), new Refused(200, "the model ended"));
});

test("a stream that is cut off says so", async (t) => {
  const { client } = await serve(t, {
    "/api/chat": (_, response) => {
      response.write('{"a":1}\n');
      setTimeout(() => response.destroy(), 20);
    },
  });
  await assert.rejects(collect(client.lines("/api/chat", {})), BrokenOff);
});

test("where nobody answers, the error says what to do", async () => {
  const client = new Client(() => Promise.resolve({ url: "http://127.0.0.1:9", key: "" }));
  await assert.rejects(client.get("/api/tags"), new Unreachable("http://127.0.0.1:9"));
});

test("leaving closes the connection", async (t) => {
  const { client, asked } = await serve(t, { "/api/chat": (_, response) => void response.write('{"a":1}\n') });
  const leaving = new AbortController();
  const lines = client.lines("/api/chat", {}, leaving.signal);
  await lines.next();
  leaving.abort();
  await assert.rejects(lines.next(), /aborted/);
  await asked[0]?.left;
});

test("the key is sent, and the last request is remembered with its end", async (t) => {
  const { url, asked } = await serve(t, { "/infill": () => ({ content: "x" }) });
  const client = new Client(() => Promise.resolve({ url, key: "secret" }));
  await client.post("/infill", { input_prefix: "a" });
  assert.equal(asked[0]?.key, "Bearer secret");
  const { at, milliseconds, ...rest } = client.last ?? assert.fail();
  assert.equal(typeof milliseconds, "number");
  assert.ok(at);
  assert.deepEqual(rest, {
    method: "POST",
    url: `${url}/infill`,
    body: { input_prefix: "a" },
    status: 200,
    end: { content: "x" },
  });
});
