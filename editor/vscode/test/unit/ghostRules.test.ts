import assert from "node:assert/strict";
import { test } from "node:test";
import { Pace, RecentAnswers, cutAround, opensBlock, sayWhyNotHere, trim } from "../../src/ghostRules";

test("the text around the cursor is whole lines, and begins at the same place while one types on", () => {
  assert.deepEqual(cutAround("ab\ncd", 3), { prefix: "ab\n", suffix: "cd" });
  const long = "0123456\n".repeat(2_000);
  const begins = [8_100, 8_140, 8_990].map((offset) => offset - cutAround(long, offset).prefix.length);
  assert.deepEqual(begins, [5_000 + 8 - (5_000 % 8 || 8) + (5_000 % 8 ? 0 : 8), begins[0], begins[0]]);
  assert.ok(cutAround(long, 8_000).suffix.endsWith("0123456"));
});

for (const [name, prefix, suffix, why] of [
  ["an empty file", " \n", "", "there is nothing before the cursor to go on from"],
  ["inside a word", "ret", "urn", "the cursor is inside a word"],
  ["behind a word", "return ", "\n", undefined],
  ["before a bracket", "f(a, ", ")", undefined],
] as const) {
  test(`asking or not: ${name}`, () => {
    assert.equal(sayWhyNotHere({ prefix, suffix }), why);
  });
}

for (const [name, language, prefix, suffix, many] of [
  ["behind def", "python", "def f(x):", "\n", true],
  ["on the line after def", "python", "def f(x):\n    ", "\nprint(1)", true],
  ["behind a comment on it", "python", "if x:  # why", "", true],
  ["in a statement", "python", "y = f(", ")", false],
  ["in a dictionary's line", "python", "a = 1\n", "", false],
  ["behind a brace", "typescript", "if (x) {", "\n}", true],
  ["between braces", "typescript", "if (x) {", "}", false],
  ["where the block has its body", "python", "def f(x):\n    ", "\n    return x", false],
  ["in a dictionary", "python", '{"a":', "", false],
  ["in prose", "markdown", "see [", "", false],
  ["behind an arrow", "typescript", "const f = (x) =>", "", true],
  ["behind a statement", "typescript", "return x;", "", false],
  ["where code follows", "typescript", "f({", " a: 1 });", false],
  ["behind do", "ruby", "items.each do |item|", "", true],
  ["at the very beginning", "python", "", "", false],
] as const) {
  test(`several lines or one: ${name}`, () => {
    assert.equal(opensBlock({ prefix, suffix }, language), many);
  });
}

for (const [name, text, prefix, suffix, many, shown] of [
  ["one line of several", "x + 1\nprint(x)", "return ", "\n", false, "x + 1"],
  ["a block", "\n  return x;\n  \n", "if (x) {", "\n}", true, "\n  return x;"],
  ["a long block", "a\n".repeat(40), "{", "", true, "a\n".repeat(12).trimEnd()],
  ["brackets of its own", "len(x)", "print(", ")", false, "len(x)"],
  ["blanks", "  \n", "x = 1", "", false, ""],
  ["the next line", "print(x)", "", "\nprint(x)", false, ""],
  ["the line above", "x = 1", "x = 1\n", "", false, ""],
  ["Windows line ends", "a\r\nb", "{", "", true, "a\nb"],
] as const) {
  test(`what is shown: ${name}`, () => {
    assert.equal(trim(text, { prefix, suffix }, many), shown);
  });
}

test("who types into an answer goes on seeing the rest of it", () => {
  const recent = new RecentAnswers();
  recent.add({ prefix: "ret", suffix: "\n" }, "urn x");
  const find = (prefix: string, suffix = "\n"): string | undefined => recent.find({ prefix, suffix });
  assert.deepEqual(
    [find("ret"), find("retur"), find("return y"), find("return x")],
    ["urn x", "n x", undefined, undefined],
  );
  assert.equal(find("ret", "other"), undefined);
  recent.clear();
  assert.equal(find("ret"), undefined);
});

test("that nothing came is remembered too", () => {
  const recent = new RecentAnswers();
  recent.add({ prefix: "a", suffix: "" }, "");
  assert.equal(recent.find({ prefix: "a", suffix: "" }), "");
  assert.equal(recent.find({ prefix: "ab", suffix: "" }), undefined);
});

test("where answers are slow, one is tried now and then", () => {
  const pace = new Pace();
  assert.equal(pace.hopes(1_000, 0), true);
  for (const time of [3_000, 3_000, 100]) pace.add(time);
  assert.equal(pace.usual, 3_000);
  const now = 1_000_000;
  assert.deepEqual(
    [pace.hopes(1_000, now), pace.hopes(1_000, now + 1), pace.hopes(1_000, now + 30_000)],
    [true, false, true],
  );
  for (const time of [100, 100, 100]) pace.add(time);
  assert.equal(pace.hopes(1_000, now + 30_001), true);
});
