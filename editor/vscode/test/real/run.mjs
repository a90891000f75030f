// `npm test`: a real VS Code, without our extension and with it. README.md beside this file tells what it needs.
if (!process.env.VSC) {
  console.log("skipped: VSC must name a folder with a real VS Code; test/real/README.md tells how to fill it.");
  process.exit(0);
}
const PARTS = {
  builtIn: () => import("./built_in.mjs").then(({ builtIn }) => builtIn()),
  ways: () => import("./ways.mjs").then(({ ways }) => ways()),
  extension: () => import("./extension.mjs").then(({ extension }) => extension()),
};
const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !(name in PARTS));
if (unknown.length) throw new Error(`${unknown} is no part; write one of ${Object.keys(PARTS)}`);
for (const [name, run] of Object.entries(PARTS)) {
  if (chosen.length && !chosen.includes(name)) continue;
  console.log(`-- ${name}`);
  await run();
}
