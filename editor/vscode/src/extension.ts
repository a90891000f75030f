/** Puts the parts together. What each does stands in its own file. */
import * as vscode from "vscode";
import { type Address, Client, Unreachable } from "./client";
import { SCHEME, address, commandsOf, readKey, settings, writeLastRequest } from "./commands";
import { DocumentSearch } from "./documents";
import { GhostText, type Wishes } from "./ghost";
import { Provider } from "./provider";
import { OwnServer } from "./server";
import { Status } from "./status";
import { Tokens } from "./tokens";

const LOOK_MILLISECONDS = 15_000;
const CODE = ["file", "untitled", "vscode-notebook-cell", "vscode-vfs"].map((scheme) => ({ scheme })); // no chat, no log
const START = "Start the Server";
const LOG = "Show the Log";

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("Ossian", { log: true });
  const where = async (): Promise<Address> => ({ url: address(), key: await readKey(context.secrets) });
  const client = new Client(where, (line) => {
    log.info(line);
  });
  const provider = new Provider(client, new Tokens(client), () => settings().get("thinking", "medium"));
  const server = new OwnServer((line) => {
    log.info(line);
  });
  const status = new Status();
  const ghost = new GhostText({
    client,
    told: status,
    wishes,
    busy: () => provider.busy,
    models: () => provider.refresh(),
  });
  status.enabled(wishes().enabled);
  context.subscriptions.push(
    log,
    status,
    new vscode.Disposable(() => {
      server.stop();
    }),
    vscode.lm.registerLanguageModelChatProvider("ossian", provider),
    vscode.lm.registerTool("ossian_search", new DocumentSearch(client)),
    vscode.languages.registerInlineCompletionItemProvider(CODE, ghost),
    vscode.workspace.registerTextDocumentContentProvider(SCHEME, {
      provideTextDocumentContent: () => writeLastRequest(client),
    }),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (!change.affectsConfiguration("ossian")) return;
      ghost.forget();
      status.enabled(wishes().enabled);
    }),
    ...registerCommands(commandsOf({ client, provider, server, log, secrets: context.secrets }), log),
    watch(provider),
  );
}

function wishes(): Wishes {
  const set = settings();
  return {
    enabled: set.get("ghostText.enabled", true),
    model: set.get("ghostText.model", ""),
    pause: set.get("ghostText.pauseMilliseconds", 150),
    patience: set.get("ghostText.patienceMilliseconds", 2500),
  };
}

function registerCommands(commands: ReturnType<typeof commandsOf>, log: vscode.LogOutputChannel): vscode.Disposable[] {
  return Object.entries(commands).map(([name, work]) =>
    vscode.commands.registerCommand(`ossian.${name}`, async (...given: never[]) => {
      await work(...given).catch((error: unknown) => sayError(error, log));
    }),
  );
}

/** Every error has a button beside it. */
async function sayError(error: unknown, log: vscode.LogOutputChannel): Promise<void> {
  log.error(error instanceof Error ? error : String(error));
  const chosen = await vscode.window.showErrorMessage(
    error instanceof Error ? error.message : String(error),
    error instanceof Unreachable ? START : LOG,
  );
  if (chosen === START) await vscode.commands.executeCommand("ossian.startServer");
  if (chosen === LOG) log.show();
}

/** Models come and go while a window is open. Asking for them once makes VS Code show them in its picker. */
function watch(provider: Provider): vscode.Disposable {
  const look = (): void => {
    if (vscode.window.state.focused) provider.refresh().catch(() => undefined);
  };
  void vscode.lm.selectChatModels({ vendor: "ossian" });
  const timer = setInterval(look, LOOK_MILLISECONDS);
  return new vscode.Disposable(() => {
    clearInterval(timer);
  });
}
