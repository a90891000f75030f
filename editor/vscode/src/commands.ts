/** What a person can have done from the command palette. */
import * as vscode from "vscode";
import { type Client, type Json, Unreachable } from "./client";
import { type Collection, listCollections } from "./documents";
import { type Provider, isAble } from "./provider";
import { type OwnServer, type Places, findProgram, isOwn, sayMissing } from "./server";

const COLLECTION = /^[a-z0-9][a-z0-9._-]*$/;
const KEY = "key";
export const SCHEME = "ossian";

/** What the commands work with. */
export interface Tools {
  readonly client: Client;
  readonly provider: Provider;
  readonly server: OwnServer;
  readonly log: vscode.LogOutputChannel;
  readonly secrets: vscode.SecretStorage;
}

export function settings(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration("ossian");
}

export function address(): string {
  return settings().get("url", "").replace(/\/+$/, "");
}

/** Every command by its name. */
export function commandsOf(tools: Tools): Record<string, (...given: never[]) => Promise<void>> {
  const { log, secrets, client } = tools;
  return {
    startServer: () => startServer(tools),
    pullModel: () => pullModel(tools),
    chooseModel: () => chooseModel(tools),
    addFolder: (folder?: vscode.Uri) => addFolder(tools, folder),
    toggleGhostText: async () => {
      const here = settings().inspect("ghostText.enabled")?.workspaceValue !== undefined;
      const target = here ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
      await settings().update("ghostText.enabled", !settings().get("ghostText.enabled", true), target);
    },
    setKey: async () => {
      const key = await vscode.window.showInputBox({
        prompt: "The key of OSSIAN_API_KEY; empty: none",
        password: true,
      });
      if (key !== undefined) await secrets.store(KEY, key);
    },
    showLog: () => {
      log.show();
      return Promise.resolve();
    },
    lastRequest: () => showLastRequest(client),
  };
}

export async function readKey(secrets: vscode.SecretStorage): Promise<string> {
  return (await secrets.get(KEY)) ?? "";
}

/** Where the program may lie; a workspace that is not trusted is left out. */
function places(): Places {
  const folders = vscode.workspace.isTrusted ? (vscode.workspace.workspaceFolders ?? []) : [];
  return {
    setting: settings().get("program", ""),
    path: process.env.PATH ?? "",
    folders: folders.map((folder) => folder.uri.fsPath),
  };
}

async function startServer({ client, provider, server, log }: Tools): Promise<void> {
  const url = address();
  const answers = (): Promise<boolean> =>
    client.get("/api/version").then(
      () => true,
      (error: unknown) => {
        if (error instanceof Unreachable) return false;
        throw error;
      },
    );
  if (await answers()) {
    const ossian = (await client.get("/api/version")).ossian as string | undefined;
    if (!ossian) throw new Error(`Another server than Ossian answers at ${url}. End it, or set ossian.url.`);
    void vscode.window.showInformationMessage(`Ossian ${ossian} answers at ${url}.`);
  } else {
    if (!isOwn(url)) throw new Error(`Nobody answers at ${url}, and a server can be started on this machine only.`);
    const program = findProgram(places());
    if (!program) throw new Error(sayMissing(places()));
    log.info(`starting ${program} serve for ${url}`);
    const runs = await withProgress(`Starting ${program}`, (_, signal) => {
      signal.addEventListener("abort", () => {
        server.stop();
      });
      return server.start(program, url, answers);
    });
    if (!runs) return;
    void vscode.window.showInformationMessage(`Ossian is running at ${url}. It ends with this window.`);
  }
  await provider.refresh();
}

async function pullModel({ client, provider }: Tools): Promise<void> {
  const prompt = "Which model? gpt-oss:20b, or hf.co/owner/repository[:file]";
  const model = await vscode.window.showInputBox({ prompt, value: "gpt-oss:20b" });
  if (!model) return;
  await withProgress(`Pulling ${model}`, async (progress, signal) => {
    let before = 0;
    for await (const { status, completed, total } of client.lines("/api/pull", { model }, signal)) {
      const part = total ? (100 * Number(completed ?? 0)) / Number(total) : before;
      progress.report({
        message: total ? `${part.toFixed(0)} %` : String(status),
        increment: Math.max(0, part - before),
      });
      before = Math.max(before, part);
    }
  });
  await provider.refresh();
}

async function chooseModel({ provider }: Tools): Promise<void> {
  const able = (await provider.refresh()).filter((tag) => isAble(tag, "insert"));
  const automatic = { label: "Automatic", description: "one that is loaded, else the newest", model: "" };
  const models = able.map((tag) => ({ label: tag.name, description: tag.details.parameter_size, model: tag.name }));
  const placeHolder = "Which model writes the grey suggestions? For the chat, choose one in its own picker.";
  const chosen = await vscode.window.showQuickPick([automatic, ...models], { placeHolder });
  if (chosen) await settings().update("ghostText.model", chosen.model, vscode.ConfigurationTarget.Global);
}

async function addFolder({ client, provider }: Tools, given?: vscode.Uri): Promise<void> {
  const folder = given ?? (await pickFolder());
  const name = folder && (await pickCollection(await listCollections(client)));
  if (!name) return;
  const path = `/api/library/${encodeURIComponent(name)}/documents`;
  if (folder.scheme !== "file" || !isOwn(address())) {
    throw new Error(`${folder.fsPath} does not lie on the machine of the server at ${address()}.`);
  }
  let end: Json = {};
  const isRead = await withProgress(`Adding ${folder.fsPath} to ${name}`, async (progress, signal) => {
    for await (const line of client.lines(path, { paths: [folder.fsPath] }, signal)) {
      end = line;
      if (line.total) progress.report({ message: `${Number(line.done)} of ${Number(line.total)} files` });
    }
  });
  if (!isRead) return;
  const skipped = end.skipped ? `, ${Number(end.skipped)} skipped` : "";
  void vscode.window.showInformationMessage(`${Number(end.files)} files are in ${name}${skipped}. Ask with #ossian.`);
  await provider.refresh();
}

async function pickFolder(): Promise<vscode.Uri | undefined> {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length === 1) return folders[0]?.uri;
  if (folders.length) return (await vscode.window.showWorkspaceFolderPick())?.uri;
  return (await vscode.window.showOpenDialog({ canSelectFolders: true, canSelectFiles: false }))?.[0];
}

async function pickCollection(collections: readonly Collection[]): Promise<string | undefined> {
  const fresh = { label: "$(add) New collection…", description: "", name: "" };
  const known = collections.map(({ name, files }) => ({ label: name, description: `${files} files`, name }));
  const chosen = collections.length ? await vscode.window.showQuickPick([...known, fresh]) : fresh;
  if (chosen?.name !== "") return chosen?.name;
  return await vscode.window.showInputBox({
    prompt: "The name of the collection",
    value: "documents",
    validateInput: (name) =>
      COLLECTION.test(name) ? undefined : "Write a-z, 0-9 and . _ - and begin with a letter or digit.",
  });
}

/** A document that nobody is asked to save. Its address has the time, so that it is never one of an earlier request. */
async function showLastRequest(client: Client): Promise<void> {
  const address = vscode.Uri.file("last request.json").with({ scheme: SCHEME, query: client.last?.at ?? "" });
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(address));
}

export function writeLastRequest(client: Client): string {
  return client.last ? JSON.stringify(client.last, null, 2) : '"Nothing has been asked yet."';
}

type Work = (progress: vscode.Progress<{ message?: string; increment?: number }>, signal: AbortSignal) => Promise<void>;

/** Do some work under a bar that can be cancelled; false: it was. */
async function withProgress(title: string, work: Work): Promise<boolean> {
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return await vscode.window.withProgress(options, async (progress, token) => {
    const leaving = new AbortController();
    token.onCancellationRequested(() => {
      leaving.abort();
    });
    await work(progress, leaving.signal).catch((error: unknown) => {
      if (!leaving.signal.aborted) throw error;
    });
    return !leaving.signal.aborted;
  });
}
