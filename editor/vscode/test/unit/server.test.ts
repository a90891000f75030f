import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { OwnServer, findProgram, isOwn, listCandidates, sayMissing } from "../../src/server";

const NOTHING = { setting: "", path: "", folders: [] };

function world(t: TestContext): { folder: string; program: (...parts: string[]) => string } {
  const folder = mkdtempSync(join(tmpdir(), "ossian-"));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  return {
    folder,
    program: (...parts) => {
      const path = join(folder, ...parts);
      mkdirSync(join(path, ".."), { recursive: true });
      writeFileSync(path, "#!/bin/sh\necho serving at $OSSIAN_HOST\nexit 3\n");
      chmodSync(path, 0o755);
      return path;
    },
  };
}

test("the setting comes first, then the PATH, then the workspace's virtual environment", (t) => {
  const { folder, program } = world(t);
  const [own, onPath, inside] = [program("own"), program("bin", "ossian"), program("work", ".venv", "bin", "ossian")];
  const places = { setting: own, path: join(folder, "bin"), folders: [join(folder, "work")] };
  assert.equal(findProgram(places), own);
  assert.equal(findProgram({ ...places, setting: "" }), onPath);
  assert.equal(findProgram({ ...places, setting: "", path: "" }), inside);
  assert.equal(findProgram(NOTHING), undefined);
});

test("a setting that names no program is not passed over", (t) => {
  const { folder, program } = world(t);
  program("bin", "ossian");
  assert.equal(findProgram({ setting: folder, path: join(folder, "bin"), folders: [] }), undefined);
  assert.match(sayMissing({ ...NOTHING, setting: folder }), /which the setting ossian.program names, is not a program/);
  assert.match(sayMissing(NOTHING), /not in the PATH and no trusted workspace has one\. Install it/);
});

test("on Windows programs lie elsewhere", () => {
  const all = listCandidates({ setting: "", path: "", folders: ["w"], windows: true });
  assert.deepEqual(all, [join("w", ".venv", "Scripts", "ossian.exe"), join("w", "venv", "Scripts", "ossian.exe")]);
});

test("only an address of this machine is our own", () => {
  const all = ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://example.org", "x"].map(isOwn);
  assert.deepEqual(all, [true, true, true, false, false]);
});

test("a server that ends at once is an error, and the log has its words", async (t) => {
  const heard: string[] = [];
  const server = new OwnServer((line) => heard.push(line));
  const program = world(t).program("ossian");
  const start = server.start(program, "http://127.0.0.1:1234", () => Promise.resolve(false));
  await assert.rejects(start, { message: `${program} serve ended at once; the log says why.` });
  assert.deepEqual([...heard].sort(), ["serving at 127.0.0.1:1234", "the server has ended with 3"]);
});
