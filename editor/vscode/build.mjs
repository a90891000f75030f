// Bundles the extension into one file; `node build.mjs tests` bundles the unit tests, with a stand-in for `vscode`.
import { build } from "esbuild";
import { copyFileSync, readdirSync, rmSync } from "node:fs";

const COMMON = { bundle: true, platform: "node", target: "node20", format: "cjs", logLevel: "warning" };
const UNIT = "test/unit";

if (process.argv[2] === "tests") {
  rmSync("out/test", { recursive: true, force: true });
  await build({
    ...COMMON,
    entryPoints: readdirSync(UNIT).map((name) => `${UNIT}/${name}`),
    outdir: "out/test",
    packages: "external",
    sourcemap: "inline",
    alias: { vscode: "./test/stand_in/vscode.ts" },
  });
} else {
  const outfile = "out/extension.js";
  await build({ ...COMMON, entryPoints: ["src/extension.ts"], outfile, external: ["vscode"], minify: true });
  copyFileSync("node_modules/gpt-tokenizer/LICENSE", "out/gpt-tokenizer.LICENSE"); // bundled with the extension
}
