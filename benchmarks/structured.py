"""How often structured answers hold: answers in a schema with thinking on, and calls of a tool that must be called.

    python benchmarks/structured.py --url http://127.0.0.1:11434 --model gpt-oss:20b --count 100

An answer counts as valid when it is JSON and satisfies its schema; one that the server brought to its end at the bound
on tokens, or in a loop, is valid too and counted apart. A very small model may never end a string or a list: with
--longest every one of them has an end in its schema.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import jsonschema

Schema = Mapping[str, Any]
PATIENCE_SECONDS = 3_600.0


def record(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
NODE = record(name=TEXT, inside={"type": "array", "items": {"$ref": "#/$defs/node"}, "maxItems": 2})
SCHEMAS: Mapping[str, tuple[str, Schema]] = {
    "person": ("Describe Ada Lovelace.", record(name=TEXT, born=WHOLE, known_for={"type": "array", "items": TEXT})),
    "mood": ("I love it, but it was late.", record(mood={"enum": ["good", "bad", "mixed"]}, sure={"type": "number"})),
    "trip": (
        "Plan two days in Oslo.",
        record(days={"type": "array", "items": record(place=TEXT, hours=WHOLE), "minItems": 1, "maxItems": 3}),
    ),
    "order": (
        "Two coffees and a bun, by card.",
        record(items={"type": "array", "items": record(what=TEXT, how_many=WHOLE)}, paid={"enum": ["card", "cash"]}),
    ),
    "code": ("Is eval safe in Python?", record(safe={"type": "boolean"}, why=TEXT)),
    "choice": ("Call me on Monday.", record(when={"anyOf": [{"type": "string", "maxLength": 20}, {"type": "null"}]})),
    "bounded": ("Rate the film.", record(stars={"type": "integer", "minimum": 1, "maximum": 5})),
    "tree": ("A folder with one file in it.", {"$ref": "#/$defs/node", "$defs": {"node": NODE}}),
    "pattern": (
        "When did it begin?",
        record(date={"type": "string", "format": "date"}, id={"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}),
    ),
    "lists": ("Which numbers are prime below ten?", {"type": "array", "items": WHOLE, "maxItems": 10}),
}
DEEPEST = 3  # levels of the tree, where it must end


def give_ends(schema: Any, longest: int, depth: int = 0) -> Any:
    """The same schema, in which no string and no list goes on for ever."""
    if isinstance(schema, list):
        return [give_ends(part, longest) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("$ref") == "#/$defs/node":
        return give_ends(NODE, longest, depth + 1) if depth < DEEPEST else {"type": "null"}
    ended = {name: give_ends(part, longest, depth) for name, part in schema.items() if name != "$defs"}
    if schema.get("type") == "string" and not {"format", "pattern"} & set(schema):
        ended["maxLength"] = min(longest, schema.get("maxLength", longest))
    if schema.get("type") == "array":
        ended["maxItems"] = min(longest, schema.get("maxItems", longest))
    if schema.get("type") in ("integer", "number"):
        ended = {"minimum": -9999, "maximum": 9999, **ended}
    return ended


def ask(url: str, model: str, seed: int, bound: int, effort: str, **more: Any) -> dict[str, Any]:
    """The first choice of a chat completion. Stops the run at any error: there should be none."""
    body = {
        "model": model,
        "seed": seed,
        "temperature": 1.0,
        "max_completion_tokens": bound,
        "reasoning_effort": effort,
    }
    response = httpx2.post(f"{url}/v1/chat/completions", json={**body, **more}, timeout=PATIENCE_SECONDS)
    if response.status_code != 200:
        raise SystemExit(f"{response.status_code}: {response.text}")
    choice: dict[str, Any] = response.json()["choices"][0]
    return choice


def judge(text: str | None, schema: Schema, finish_reason: str) -> str:
    """valid (by itself, or brought to an end), invalid, no JSON, or cut."""
    try:
        jsonschema.validate(json.loads(text or ""), schema, format_checker=jsonschema.FormatChecker())
    except jsonschema.ValidationError:
        return "invalid"
    except ValueError:
        return "cut" if finish_reason == "length" else "no JSON"
    return "valid, brought to an end" if finish_reason == "length" else "valid"


def try_answer(asked: Callable[..., dict[str, Any]], number: int, longest: int) -> str:
    question, schema = [*SCHEMAS.values()][number % len(SCHEMAS)]
    schema = give_ends(schema, longest) if longest else schema
    format = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    choice = asked(seed=number, messages=[{"role": "user", "content": question}], response_format=format)
    verdict = judge(choice["message"]["content"], schema, choice["finish_reason"])
    return verdict if choice["message"].get("reasoning") else f"{verdict}, without thinking"


def try_call(asked: Callable[..., dict[str, Any]], number: int, longest: int) -> str:
    """A call of one of all tools; `lists` is none, since arguments are an object."""
    schemas = {name: schema for name, (_, schema) in SCHEMAS.items() if name != "lists"}
    schemas = {name: give_ends(schema, longest) if longest else schema for name, schema in schemas.items()}
    tools = [{"type": "function", "function": {"name": name, "parameters": schema}} for name, schema in schemas.items()]
    question = [*SCHEMAS.values()][number % len(SCHEMAS)][0]
    messages = [{"role": "user", "content": question}]
    choice = asked(seed=number, messages=messages, tools=tools, tool_choice="required")
    calls = choice["message"].get("tool_calls") or []
    if not calls:
        return "cut" if choice["finish_reason"] == "length" else "no call"
    called = calls[0]["function"]
    return judge(called["arguments"], schemas[called["name"]], choice["finish_reason"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:11434")
    parser.add_argument("--model", default="gpt-oss:20b")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--bound", type=int, default=2_000, help="tokens an answer may have")
    parser.add_argument("--effort", default="high")
    parser.add_argument("--longest", type=int, default=0, help="letters of a string and items of a list; 0: no end")
    options = parser.parse_args()

    def asked(**more: Any) -> dict[str, Any]:
        return ask(options.url, options.model, bound=options.bound, effort=options.effort, **more)

    for name, attempt in (("answers in a schema", try_answer), ("required calls", try_call)):
        verdicts = Counter(attempt(asked, number, options.longest) for number in range(options.count))
        print(f"{name}: " + ", ".join(f"{verdict} {times}" for verdict, times in verdicts.most_common()), flush=True)


if __name__ == "__main__":
    main()
