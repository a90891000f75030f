import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, beforeEach, test } from "node:test";
import * as vscode from "vscode";
import { commandsOf, writeLastRequest } from "../../src/commands";
import { Provider } from "../../src/provider";
import { OwnServer } from "../../src/server";
import { Tokens } from "../../src/tokens";
import { type Answer, DEMO, serve } from "../stand_in/server";
import type { person as Person } from "../stand_in/vscode";

const { person } = vscode as unknown as { person: typeof Person };
const ROUTES: Record<string, Answer> = {
  "/api/version": () => ({ version: "0.33.0", ossian: "0.1.0" }),
  "/api/tags": () => ({ models: [DEMO] }),
};

beforeEach(() => Object.assign(person, { answers: [], told: [], set: {}, trusts: true, folder: "/w" }));

async function commands(t: TestContext, routes: Record<string, Answer> = {}) {
  const { client, asked, url } = await serve(t, { ...ROUTES, ...routes });
  person.set.url = url;
  const provider = new Provider(client, new Tokens(client), () => "medium");
  const kept = new Map<string, string>();
  const secrets = { store: (name: string, key: string) => Promise.resolve(void kept.set(name, key)) };
  const log = { info: person.hear, show: () => person.told.push("log") };
  const server = new OwnServer((line) => void person.told.push(line));
  const all = commandsOf({ client, provider, server, log, secrets } as never);
  const run = async (name: string, ...given: unknown[]): Promise<void> => {
    await (all[name] ?? assert.fail(name))(...(given as never[]));
  };
  return { run, asked, url, kept, client };
}

test("a server that answers is found", async (t) => {
  const { run, url } = await commands(t);
  await run("startServer");
  assert.deepEqual(person.told, [`Ossian 0.1.0 answers at ${url}.`]);
});

test("at an address of another machine nothing is started", async (t) => {
  const { run } = await commands(t, { "/api/version": (_, response) => void response.destroy() });
  person.set.url = "http://example.org";
  await assert.rejects(run("startServer"), /a server can be started on this machine only/);
});

test("a program of the workspace is started only where the workspace is trusted", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ossian-"));
  const { PATH } = process.env;
  t.after(() => {
    rmSync(folder, { recursive: true });
    process.env.PATH = PATH;
  });
  mkdirSync(join(folder, ".venv", "bin"), { recursive: true });
  writeFileSync(join(folder, ".venv", "bin", "ossian"), "#!/bin/sh\n", { mode: 0o755 });
  process.env.PATH = "";
  person.folder = folder;
  const { run } = await commands(t, { "/api/version": (_, response) => void response.destroy() });
  person.trusts = false;
  await assert.rejects(run("startServer"), /is not in the PATH and no trusted workspace has one/);
  person.trusts = true;
  await assert.rejects(run("startServer"), /\.venv.bin.ossian serve ended at once; the log says why/);
});

test("a model is pulled with a bar", async (t) => {
  const steps = [
    { status: "pulling manifest" },
    ...[25, 100].map((completed) => ({ status: "pulling", completed, total: 100 })),
    { status: "success" },
  ];
  const { run, asked } = await commands(t, { "/api/pull": () => steps });
  person.answers = ["gpt-oss:20b"];
  await run("pullModel");
  assert.deepEqual(asked[0]?.body, { model: "gpt-oss:20b" });
  assert.deepEqual(person.told, [
    { message: "pulling manifest", increment: 0 },
    { message: "25 %", increment: 25 },
    { message: "100 %", increment: 75 },
    { message: "success", increment: 0 },
  ]);
});

test("a pull that fails says why", async (t) => {
  const { run } = await commands(t, { "/api/pull": () => [{ status: "pulling" }, { error: "the folder is full" }] });
  person.answers = ["gpt-oss:20b"];
  await assert.rejects(run("pullModel"), { message: "the folder is full" });
});

test("the model of grey suggestions is chosen from those that can write them", async (t) => {
  const other = { ...DEMO, name: "other", capabilities: ["completion"] };
  const { run } = await commands(t, { "/api/tags": () => ({ models: [other, DEMO] }) });
  person.answers = ["other"];
  await run("chooseModel");
  assert.equal(person.set["ghostText.model"], undefined);
  person.answers = ["demo"];
  await run("chooseModel");
  assert.equal(person.set["ghostText.model"], "demo");
});

test("a folder goes into a collection, a known one or a new one", async (t) => {
  const lines = [
    { status: "reading", path: "a", done: 1, total: 2 },
    { status: "success", files: 2, chunks: 9, skipped: 1, removed: 0 },
  ];
  const { run, asked } = await commands(t, {
    "/api/library": () => ({ collections: [{ name: "books", files: 1, pending: 0 }] }),
    "/api/library/books/documents": () => lines,
    "/api/library/new/documents": () => lines,
  });
  person.answers = ["books"];
  await run("addFolder");
  person.answers = ["$(add) New collection…", "new"];
  await run("addFolder", { fsPath: "/other", scheme: "file" });
  const posts = asked.filter(({ path }) => path.endsWith("/documents"));
  assert.deepEqual(
    posts.map(({ path, body }) => [path, body]),
    [
      ["/api/library/books/documents", { paths: ["/w"] }],
      ["/api/library/new/documents", { paths: ["/other"] }],
    ],
  );
  assert.deepEqual(person.told.slice(0, 2), [
    { message: "1 of 2 files" },
    "2 files are in books, 1 skipped. Ask with #ossian.",
  ]);
});

test("the last request is shown as it was, each under an address of its own", async (t) => {
  const { run, url, client } = await commands(t, { "/api/pull": () => [{ status: "success" }] });
  await run("lastRequest");
  assert.deepEqual(person.told, ["ossian://last%20request.json"]);
  assert.equal(writeLastRequest(client), '"Nothing has been asked yet."');
  person.answers = ["demo"];
  await run("pullModel");
  await run("lastRequest");
  const shown = JSON.parse(writeLastRequest(client)) as Record<string, unknown>;
  assert.deepEqual([shown.url, shown.body, shown.end], [`${url}/api/pull`, { model: "demo" }, { status: "success" }]);
  assert.equal(person.told.at(-1), `ossian://last%20request.json?${shown.at as string}`);
});

test("suggestions are turned off and on, a key is kept, the log is shown", async (t) => {
  const { run, kept } = await commands(t);
  await run("toggleGhostText");
  assert.equal(person.set["ghostText.enabled"], false);
  await run("toggleGhostText");
  assert.equal(person.set["ghostText.enabled"], true);
  person.answers = ["secret"];
  await run("setKey");
  assert.deepEqual([...kept], [["key", "secret"]]);
  await run("showLog");
  assert.deepEqual(person.told, ["log"]);
});
