// A new person before VS Code without our extension: an empty profile, a workspace, and what `ossian editor` sets up.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { OSSIAN, SETTINGS, VSC, end, listenIn, openBrowser, openWindow, startCode, startOssian } from "./window.mjs";

export const FIRST_PORT = Number(process.env.FIRST_PORT ?? 18080);
const [CODE_PORT, WIRE_PORT, OSSIAN_PORT] = [FIRST_PORT, FIRST_PORT + 1, FIRST_PORT + 2];
const WIRE_URL = `http://127.0.0.1:${WIRE_PORT}`;
const HOME = join(VSC, "plain");
const [DATA, EXTENSIONS, PROFILE] = ["data", "ext", "profile"].map((name) => join(HOME, name));
export const PICTURES = join(VSC, "pictures");
export const WORKSPACE = join(HOME, "shop");

/** A Custom Endpoint with one model, behind the wire unless it has an address of its own. */
export function customEndpoint(name, { id = "fake", apiType = "chat-completions", url = WIRE_URL } = {}) {
  const able = { toolCalling: true, vision: false, thinking: true, supportsReasoningEffort: ["low", "medium", "high"] };
  const sizes = { maxInputTokens: 49152, maxOutputTokens: 16384 };
  const model = { id, name, url: `${url}/v1`, ...able, ...sizes };
  return { vendor: "customendpoint", name, apiKey: "", apiType, models: [model] };
}

/** The model of the package, with so little room that no question of VS Code's fits. */
export const startDemo = (port) => startOssian(port, join(PICTURES, "demo"), [], { OSSIAN_CONTEXT_LENGTH: "4096" });

function furnish({ files, groups, script }) {
  rmSync(HOME, { recursive: true, force: true });
  for (const folder of ["ossian", "demo"]) rmSync(join(PICTURES, folder), { recursive: true, force: true });
  for (const folder of [PICTURES, WORKSPACE, join(DATA, "User")]) mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(WORKSPACE, name), text);
  writeFileSync(join(DATA, "User", "chatLanguageModels.json"), JSON.stringify(groups));
  writeFileSync(join(PICTURES, "script.json"), JSON.stringify(script));
  const env = { ...process.env, OSSIAN_HOME: join(PICTURES, "ossian") };
  const words = ["editor", "--yes", "--json", "--url", WIRE_URL, "--folder", join(DATA, "User")];
  execFileSync(OSSIAN, words, { env, stdio: "ignore" });
  // Not the settings it wrote: with a utility model VS Code asks small questions of its own, which no script foresees.
  writeFileSync(join(DATA, "User", "settings.json"), JSON.stringify(SETTINGS));
}

/** Open it all, let `talk` have it, and close it all; a picture is left where it failed. */
export async function inWindow(world, talk) {
  furnish(world);
  const [calls, closing] = [[], []];
  const fake = ["--fake", "--script", join(PICTURES, "script.json"), "--pause", "0.1"];
  const room = { OSSIAN_NUM_PARALLEL: "2", OSSIAN_CONTEXT_LENGTH: "65536" };
  let page;
  try {
    const wire = listenIn(WIRE_PORT, { port: OSSIAN_PORT }, calls);
    closing.push(() => (wire.close(), wire.closeAllConnections()));
    const ossian = await startOssian(OSSIAN_PORT, join(PICTURES, "ossian"), fake, room);
    closing.push(() => end(ossian));
    const code = await startCode(CODE_PORT, { data: DATA, extensions: EXTENSIONS, workspace: WORKSPACE });
    closing.push(() => end(code));
    const browser = await openBrowser(PROFILE);
    closing.push(() => browser.close());
    page = browser.pages()[0];
    await openWindow(page, CODE_PORT, WORKSPACE, "shop.py", "fake", "by");
    await talk(page, calls, ossian);
  } catch (error) {
    await page?.screenshot({ path: join(PICTURES, "failed.png") });
    throw error;
  } finally {
    writeFileSync(join(PICTURES, "wire.json"), JSON.stringify(calls, null, 1));
    for (const close of closing.reverse()) await close();
  }
}
