import assert from "node:assert/strict";
import { test } from "node:test";
import { DocumentSearch, search, writeLink } from "../../src/documents";
import { Token, serve } from "../stand_in/server";

const CITE = "Cite what you use by repeating its link as it stands, with the number as its text: [1](…).";
const passage = (path: string, page: number | null = null): object => ({
  collection: "books",
  path,
  first_line: 12,
  last_line: 14,
  page,
  text: `words of ${path}\n`,
});

test("the best of each collection comes first, with links to lines; what has nothing to say is left out", async (t) => {
  let codeFits = true;
  const { client, asked } = await serve(t, {
    "/api/library": () => ({
      collections: [{ name: "books" }, { name: "code" }].map((c) => ({ ...c, files: 1, pending: 3 })),
    }),
    "/api/library/books/search": () => ({ passages: [passage("/b/a b.txt"), passage("/b/c.pdf", 7)], fits: true }),
    "/api/library/code/search": () => ({ passages: [passage("/c/d.py")], fits: codeFits }),
  });
  const [one, other, third] = [
    "[/b/a b.txt:12-14](file:///b/a%20b.txt#L12)\nwords of /b/a b.txt\n\n",
    "[/c/d.py:12-14](file:///c/d.py#L12)\nwords of /c/d.py\n\n",
    "[/b/c.pdf, page 7](file:///b/c.pdf#L12)\nwords of /b/c.pdf\n\n",
  ];
  const pending = "6 pieces are still found by their words only, not by their meaning.\n\n";
  assert.equal(await search(client, { query: "how?", k: 2 }), `[1] ${one}[2] ${other}${pending}${CITE}`);
  codeFits = false;
  assert.equal(await search(client, { query: "how?", k: 2 }), `[1] ${one}[2] ${third}${pending}${CITE}`);
  const bodies = asked.filter(({ path }) => path.endsWith("/search")).map(({ body }) => body);
  assert.deepEqual(bodies, Array(4).fill({ query: "how?", k: 2 }));
});

test("one collection is searched where it is named, and a PDF is cited by its page", async (t) => {
  const { client } = await serve(t, {
    "/api/library": () => ({ collections: [{ name: "books", files: 1, pending: 0 }] }),
    "/api/library/books/search": () => ({ passages: [passage("/b/c.pdf", 7)], fits: false }),
  });
  const tool = new DocumentSearch(client);
  const input = { query: "how?", collection: "books" };
  const options = { input, toolInvocationToken: undefined };
  const { content } = await tool.invoke(options, new Token());
  assert.deepEqual(
    content.map((part) => (part as { value: string }).value),
    [`[1] [/b/c.pdf, page 7](file:///b/c.pdf#L12)\nwords of /b/c.pdf\n\n${CITE}`],
  );
  assert.deepEqual(tool.prepareInvocation({ input }), { invocationMessage: "Searching your documents for “how?”" });
});

test("where there is nothing, it says what to do", async (t) => {
  let collections: object[] = [];
  const { client } = await serve(t, {
    "/api/library": () => ({ collections }),
    "/api/library/books/search": () => ({ passages: [], fits: false }),
  });
  const none = 'There are no collections yet. The command "Ossian: Add This Folder to a Collection" makes one.';
  assert.equal(await search(client, { query: "how?" }), none);
  collections = [{ name: "books", files: 1, pending: 0 }];
  assert.equal(await search(client, { query: "how?" }), "Nothing was found in books.");
  await assert.rejects(search(client, { query: "how?", collection: "no such" }), { message: "404 page not found" });
});

test("a link opens at its line", () => {
  assert.equal(writeLink("/a/b.md", 3), "file:///a/b.md#L3");
  assert.equal(writeLink("/w/b c.md", 3), "/w/b%20c.md#L3");
});
