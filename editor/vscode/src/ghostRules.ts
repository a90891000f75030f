/** When grey text is worth asking for, and what of an answer is shown. Pure: texts in, texts out. */

const PREFIX_LETTERS = 4_000;
const STEP_LETTERS = 1_000;
const SUFFIX_LETTERS = 1_000;
const ONE_LINE_TOKENS = 48;
const BLOCK_TOKENS = 160;
const MOST_BLOCK_LINES = 12;
const REMEMBERED = 60;
const RECENT = 5;
const PROBE_MILLISECONDS = 30_000;

const OPENERS: Readonly<Record<string, RegExp>> = {
  python: /^\s*(async|class|def|if|elif|else|for|while|with|try|except|finally|match|case)\b.*:\s*(#.*)?$/,
  yaml: /:\s*$/,
  ruby: /(\bdo(\s*\|[^|]*\|)?|\bthen|\belse|\{)\s*$|^\s*(def|class|module|if|unless|while|begin)\b[^;]*$/,
  lua: /(\bdo|\bthen|\belse|\brepeat|\bfunction\b.*\))\s*$/,
  shellscript: /(\bdo|\bthen|\belse|\{)\s*$/,
};
const PROSE = new Set(["markdown", "plaintext", "latex", "restructuredtext", "asciidoc"]);
const BRACES = /([{([]|=>)\s*(\/\/.*)?$/;

/** The code around the cursor. */
export interface Place {
  readonly prefix: string;
  readonly suffix: string;
}

/** The text around an offset, whole lines at its ends. It begins at the same place while a step is typed: so much of
 * the next prompt has been read already. */
export function cutAround(text: string, offset: number): Place {
  const step = Math.max(0, Math.ceil((offset - PREFIX_LETTERS) / STEP_LETTERS) * STEP_LETTERS);
  const before = text.slice(step, offset);
  const after = text.slice(offset, offset + SUFFIX_LETTERS);
  const end = offset + SUFFIX_LETTERS < text.length ? after.lastIndexOf("\n") : after.length;
  return {
    prefix: step ? before.slice(before.indexOf("\n") + 1) : before,
    suffix: end < 0 ? after : after.slice(0, end),
  };
}

/** Why nothing is asked at this place; undefined: ask. */
export function sayWhyNotHere({ prefix, suffix }: Place): string | undefined {
  if (!prefix.trim()) return "there is nothing before the cursor to go on from";
  if (/[\p{L}\p{N}_]$/u.test(prefix) && /^[\p{L}\p{N}_]/u.test(suffix)) return "the cursor is inside a word";
  return undefined;
}

/** Whether several lines may be shown: a block opens before the cursor, and nothing stands on its line or in it. */
export function opensBlock({ prefix, suffix }: Place, language: string): boolean {
  const [rest = "", ...below] = suffix.split("\n");
  if (rest.trim() || PROSE.has(language)) return false;
  const lines = prefix.split("\n");
  const current = lines.pop() ?? "";
  const opener = (current.trim() ? current : lines.pop()) ?? "";
  const body = below.find((line) => line.trim()) ?? "";
  return indentOf(body) <= indentOf(opener) && (OPENERS[language] ?? BRACES).test(opener);
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

export function boundTokens(multiline: boolean): number {
  return multiline ? BLOCK_TOKENS : ONE_LINE_TOKENS;
}

/** What of an answer is shown: one line or a block. What stands behind the cursor already, the server has left out. */
export function trim(text: string, { prefix, suffix }: Place, multiline: boolean): string {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const kept = multiline ? lines.slice(0, MOST_BLOCK_LINES) : lines.slice(0, 1);
  const shown = kept.join("\n").trimEnd();
  return isRepetition(shown, prefix, suffix) ? "" : shown;
}

/** Nothing new: blanks, the line that comes next, or the line above once more. */
function isRepetition(text: string, prefix: string, suffix: string): boolean {
  if (!text.trim()) return true;
  const below = suffix
    .split("\n")
    .slice(1)
    .find((line) => line.trim());
  const [current = "", above = ""] = prefix.split("\n").reverse();
  const line = (current + text).trim();
  return line === below?.trim() || (above.trim() !== "" && line === above.trim());
}

/** Answers given lately, also for what is typed on into one of them. */
export class RecentAnswers {
  private readonly answers: (Place & { readonly text: string })[] = [];

  add(place: Place, text: string): void {
    this.answers.unshift({ ...place, text });
    this.answers.length = Math.min(this.answers.length, REMEMBERED);
  }

  /** What is left of a recent answer at this place; undefined where none fits. */
  find({ prefix, suffix }: Place): string | undefined {
    for (const answer of this.answers) {
      const typed = typedInto(answer, prefix);
      if (answer.suffix === suffix && typed !== undefined) return answer.text.slice(typed.length);
    }
    return undefined;
  }

  clear(): void {
    this.answers.length = 0;
  }
}

/** What was typed since an answer was given, where it is the answer's beginning and not all of it. */
function typedInto(answer: Place & { readonly text: string }, prefix: string): string | undefined {
  if (prefix === answer.prefix) return "";
  const typed = prefix.slice(answer.prefix.length);
  const fits = prefix.startsWith(answer.prefix) && answer.text.startsWith(typed) && typed !== answer.text;
  return fits ? typed : undefined;
}

/** How long answers have lately taken, so that nobody waits for one that comes too late. */
export class Pace {
  private readonly times: number[] = [];
  private probed = 0;

  add(milliseconds: number): void {
    this.times.unshift(milliseconds);
    this.times.length = Math.min(this.times.length, RECENT);
  }

  get usual(): number {
    return [...this.times].sort((one, other) => one - other)[Math.floor(this.times.length / 2)] ?? 0;
  }

  /** Whether an answer may come in time. Where none would, one is tried now and then: the machine may be free again. */
  hopes(patience: number, now: number): boolean {
    if (this.usual <= patience) return true;
    if (now - this.probed < PROBE_MILLISECONDS) return false;
    this.probed = now;
    return true;
  }

  forget(): void {
    this.times.length = 0;
  }
}
