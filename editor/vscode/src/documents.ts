/** #ossian: a tool that searches the person's collections of documents. */
import * as vscode from "vscode";
import type { Client } from "./client";

const PASSAGES = 8;
const CITE = "Cite what you use by repeating its link as it stands, with the number as its text: [1](…).";

/** What the tool is called with. */
export interface Wanted {
  readonly query: string;
  readonly collection?: string;
  readonly k?: number;
}

/** One passage as /api/library finds it. */
export interface Passage {
  readonly collection: string;
  readonly path: string;
  readonly first_line: number;
  readonly last_line: number;
  readonly page: number | null;
  readonly text: string;
}

/** What a collection says to a question; not `fits`: these are the nearest passages, but far away. */
interface Found {
  readonly passages: readonly Passage[];
  readonly fits: boolean;
}

/** One collection as /api/library lists it. */
export interface Collection {
  readonly name: string;
  readonly files: number;
  readonly pending: number;
}

export class DocumentSearch implements vscode.LanguageModelTool<Wanted> {
  constructor(private readonly client: Client) {}

  prepareInvocation({
    input,
  }: vscode.LanguageModelToolInvocationPrepareOptions<Wanted>): vscode.PreparedToolInvocation {
    return { invocationMessage: `Searching your documents for “${input.query}”` };
  }

  async invoke(
    { input }: vscode.LanguageModelToolInvocationOptions<Wanted>,
    token: vscode.CancellationToken,
  ): Promise<vscode.LanguageModelToolResult> {
    const leaving = new AbortController();
    const listening = token.onCancellationRequested(() => {
      leaving.abort();
    });
    try {
      const text = await search(this.client, input, leaving.signal);
      return new vscode.LanguageModelToolResult([new vscode.LanguageModelTextPart(text)]);
    } finally {
      listening.dispose();
    }
  }
}

export async function listCollections(client: Client, signal?: AbortSignal): Promise<Collection[]> {
  return (await client.get("/api/library", signal)).collections as Collection[];
}

/** The best passages of one collection or of all, as the model reads them. */
export async function search(client: Client, wanted: Wanted, signal?: AbortSignal): Promise<string> {
  const all = await listCollections(client, signal);
  const names = wanted.collection ? [wanted.collection] : all.map((collection) => collection.name);
  if (!names.length)
    return 'There are no collections yet. The command "Ossian: Add This Folder to a Collection" makes one.';
  const k = wanted.k ?? PASSAGES;
  const ask = async (name: string): Promise<Found> => {
    const path = `/api/library/${encodeURIComponent(name)}/search`;
    return (await client.post(path, { query: wanted.query, k }, signal)) as unknown as Found;
  };
  const found = await Promise.all(names.map(ask));
  const pending = all.filter(({ name }) => names.includes(name)).reduce((sum, { pending }) => sum + pending, 0);
  return write(choose(found).slice(0, k), names, pending);
}

/** The best of each collection, the second best of each, and so on: scores of two collections tell nothing of each
 * other. Where a collection has something to say, those that have not are left out. */
function choose(found: readonly Found[]): Passage[] {
  const fitting = found.filter(({ fits }) => fits);
  const lists = (fitting.length ? fitting : found).map(({ passages }) => passages);
  const longest = Math.max(...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, rank) => lists.flatMap((list) => list[rank] ?? [])).flat();
}

function write(passages: readonly Passage[], names: readonly string[], pending: number): string {
  if (!passages.length) return `Nothing was found in ${names.join(", ")}.`;
  const unread = pending ? [`${pending} pieces are still found by their words only, not by their meaning.`] : [];
  return [...passages.map(writePassage), ...unread, CITE].join("\n\n");
}

function writePassage({ path, first_line: first, last_line: last, page, text }: Passage, index: number): string {
  const place = page === null ? `${path}:${first}-${last}` : `${path}, page ${page}`;
  return `[${index + 1}] [${place}](${writeLink(path, first)})\n${text.trim()}`;
}

/** A link that VS Code opens at its line. In a window of another machine it opens files of the workspace only, and
 * those by their path; elsewhere any file, by its address (tried with VS Code 1.139.1). */
export function writeLink(path: string, line: number): string {
  const file = vscode.Uri.file(path);
  if (vscode.workspace.getWorkspaceFolder(file))
    return `${file.path.split("/").map(encodeURIComponent).join("/").replaceAll("(", "%28").replaceAll(")", "%29")}#L${line}`;
  return file.with({ fragment: `L${line}` }).toString();
}
