/** Counts tokens as the model does: gpt-oss's words are here, for other models the server is asked. */
import type { Client, Json } from "./client";

const MOST_REMEMBERED = 2_000;
const LETTERS_PER_TOKEN = 4; // where nobody can say
const FIRST_MARK_OF_O200K = 199_998; // gpt-oss's own marks follow on the 199,998 words of o200k

/** Count the tokens of a text, for one model. */
export type Count = (text: string) => Promise<number>;

/** Remembers for each model how its tokens are counted. */
export class Tokens {
  private readonly counters = new Map<string, Promise<Count>>();

  constructor(private readonly client: Client) {}

  async count(model: string, text: string): Promise<number> {
    const known = this.counters.get(model) ?? this.find(model);
    this.counters.set(model, known);
    const counter = await known.catch(() => {
      this.counters.delete(model); // the server may answer next time
      return estimate;
    });
    return await counter(text).catch(() => estimate(text));
  }

  private async find(model: string): Promise<Count> {
    const shown = await this.client.post("/api/show", { model });
    return isO200k(shown.model_info as Json) ? await loadO200k() : this.ask(model);
  }

  /** The server's own count, remembered: VS Code asks for the same text again and again. */
  private ask(model: string): Count {
    const remembered = new Map<string, number>();
    return async (text) => {
      const known = remembered.get(text);
      if (known !== undefined) return known;
      const { tokens } = await this.client.post("/api/tokenize", { model, text });
      if (remembered.size >= MOST_REMEMBERED) remembered.clear();
      remembered.set(text, (tokens as number[]).length);
      return (tokens as number[]).length;
    };
  }
}

/** Whether a model has the vocabulary of gpt-oss; a small one of the same kind has its marks further to the front. */
export function isO200k(info: Json): boolean {
  const end = info["tokenizer.ggml.eos_token_id"];
  return info["tokenizer.ggml.pre"] === "gpt-4o" && typeof end === "number" && end >= FIRST_MARK_OF_O200K;
}

/** Two megabytes of words, read when they are first wanted. */
async function loadO200k(): Promise<Count> {
  const { encode } = await import("gpt-tokenizer/encoding/o200k_base");
  const plain = { allowedSpecial: new Set<string>(), disallowedSpecial: new Set<string>() };
  return (text) => Promise.resolve(encode(text, plain).length);
}

function estimate(text: string): Promise<number> {
  return Promise.resolve(Math.ceil(text.length / LETTERS_PER_TOKEN));
}
