/** Finds the program that serves, and starts it. Knows nothing of VS Code. */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

export const PATIENCE_MILLISECONDS = 60_000;
const LOOK_MILLISECONDS = 200;
const ENVIRONMENTS = [".venv", "venv"];
const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/** Where a program may be looked for. `folders` are those of a trusted workspace. */
export interface Places {
  readonly setting: string;
  readonly path: string;
  readonly folders: readonly string[];
  readonly windows?: boolean;
}

/** The program, in this order: the setting, the PATH, the workspace's virtual environment. */
export function findProgram(places: Places): string | undefined {
  if (places.setting) return isProgram(places.setting) ? places.setting : undefined;
  return listCandidates(places).find(isProgram);
}

export function listCandidates({ path, folders, windows = process.platform === "win32" }: Places): string[] {
  const [bin, name] = windows ? ["Scripts", "ossian.exe"] : ["bin", "ossian"];
  const onPath = path.split(delimiter).filter(Boolean);
  const environments = folders.flatMap((folder) => ENVIRONMENTS.map((environment) => join(folder, environment, bin)));
  return [...onPath, ...environments].map((folder) => join(folder, name));
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Why no program was found, and what to do. */
export function sayMissing({ setting, folders }: Places): string {
  if (setting) return `"${setting}", which the setting ossian.program names, is not a program that can be run.`;
  const where = folders.length ? "nor in the workspace's virtual environment" : "and no trusted workspace has one";
  return `The program ossian is not in the PATH ${where}. Install it with pip install ossian, or set ossian.program.`;
}

/** Whether an address is of this machine, so that a server can be started there. */
export function isOwn(url: string): boolean {
  return URL.canParse(url) && LOOPBACK.has(new URL(url).hostname);
}

/** A server that this window started, and ends with it. */
export class OwnServer {
  private child: ChildProcess | undefined;

  constructor(private readonly log: (line: string) => void) {}

  /** Start, and wait until it answers. Throws a sentence when it ends first. */
  async start(program: string, url: string, answers: () => Promise<boolean>): Promise<void> {
    const child = this.spawn(program, new URL(url).host);
    const over = Date.now() + PATIENCE_MILLISECONDS;
    while (!(await answers())) {
      if (this.child !== child) throw new Error(`${program} serve ended at once; the log says why.`);
      if (Date.now() > over) {
        this.stop();
        throw new Error(`${program} serve runs but does not answer at ${url}.`);
      }
      await new Promise((done) => setTimeout(done, LOOK_MILLISECONDS));
    }
  }

  private spawn(program: string, host: string): ChildProcess {
    this.stop();
    const environment = { ...process.env, OSSIAN_HOST: host };
    const child = spawn(program, ["serve"], { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    const hear = (words: Buffer): void => {
      words.toString().trimEnd().split("\n").forEach(this.log);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("error", (error) => {
      this.end(child, error.message);
    });
    child.on("exit", (code) => {
      this.end(child, `the server has ended with ${code ?? "a signal"}`);
    });
    return (this.child = child);
  }

  private end(child: ChildProcess, words: string): void {
    this.log(words);
    if (this.child === child) this.child = undefined;
  }

  stop(): void {
    this.child?.kill();
    this.child = undefined;
  }
}
