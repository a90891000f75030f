// Our extension, packaged and installed, against `ossian serve --fake` and the demo model.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CONTEXT, FILES, SCRIPT, play } from "./scenes.mjs";
import {
  OSSIAN,
  SETTINGS,
  VSC,
  end,
  installExtension,
  listenIn,
  openBrowser,
  openWindow,
  proved,
  startCode,
  startOssian,
} from "./window.mjs";

const CODE_PORT = 18090;
const WIRE_PORT = 18091;
const PORTS = { fake: 18092, demo: 18093, small: 18094, own: 18095 };
const HOME = join(VSC, "extension");
const [OUT, WORKSPACE, DATA] = ["out", "shop", "data"].map((name) => join(HOME, name));
const CODE = { data: DATA, extensions: join(HOME, "ext"), workspace: WORKSPACE };
const EXTENSION = join(import.meta.dirname, "..", "..");

/** A new user with our extension: nothing is set but where the server is, because the usual port may be taken. */
function furnish() {
  rmSync(HOME, { recursive: true, force: true });
  for (const folder of [OUT, WORKSPACE, join(DATA, "User"), join(DATA, "Machine")])
    mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(WORKSPACE, name), text);
  writeFileSync(join(DATA, "User", "settings.json"), JSON.stringify(SETTINGS));
  set({ "ossian.url": `http://127.0.0.1:${WIRE_PORT}` });
  writeFileSync(join(OUT, "script.json"), JSON.stringify(SCRIPT(WORKSPACE)));
  const { status } = spawnSync("npm", ["run", "--silent", "package"], {
    cwd: EXTENSION,
    stdio: ["ignore", "ignore", 2],
  });
  if (status !== 0) throw new Error("the extension cannot be packaged");
  installExtension(join(EXTENSION, "ossian.vsix"), CODE);
}

/** What may be set for a machine only: a window in the browser is one of another machine. */
const set = (settings) => writeFileSync(join(DATA, "Machine", "settings.json"), JSON.stringify(settings));

/** The server that the extension started ends with the editor. */
async function hasEnded(port) {
  for (let tries = 0; tries < 40; tries++) {
    if (!(await fetch(`http://127.0.0.1:${port}/health`).catch(() => null))) return true;
    await new Promise((done) => setTimeout(done, 250));
  }
  return false;
}

export async function extension() {
  furnish();
  const [calls, own, closing] = [[], {}, []];
  const target = { port: PORTS.fake };
  const script = ["--fake", "--script", join(OUT, "script.json"), "--pause", "0.1"];
  let page;
  try {
    const wire = listenIn(WIRE_PORT, target, calls, own);
    closing.push(() => (wire.close(), wire.closeAllConnections()));
    for (const [name, args, context] of [
      ["fake", script, CONTEXT.large],
      ["demo", [], CONTEXT.large],
      ["small", [], CONTEXT.small],
    ]) {
      const child = await startOssian(PORTS[name], join(OUT, name), args, { OSSIAN_CONTEXT_LENGTH: String(context) });
      closing.push(() => end(child));
    }
    const code = await startCode(CODE_PORT, CODE);
    closing.push(() => end(code));
    const browser = await openBrowser(join(HOME, "profile"));
    closing.push(() => browser.close());
    page = browser.pages()[0];
    await openWindow(page, CODE_PORT, WORKSPACE, "shop.py", "fake");
    const serve = (name) => (target.port = PORTS[name] ?? 1); // nobody listens at port 1
    const start = { settings: set, program: OSSIAN, freePort: PORTS.own };
    await play({ page, calls, own, serve, workspace: WORKSPACE, pictures: join(EXTENSION, "pictures"), ...start });
  } catch (error) {
    await page?.screenshot({ path: join(OUT, "failed.png") });
    throw error;
  } finally {
    writeFileSync(join(OUT, "wire.json"), JSON.stringify(calls, null, 1));
    for (const close of closing.reverse()) await close();
  }
  if (!(await hasEnded(PORTS.own)))
    throw new Error("the server that the extension started has not ended with the editor");
  proved("the server that was started ends with the editor");
}
