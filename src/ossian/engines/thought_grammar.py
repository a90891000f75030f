"""A format as a grammar that leaves the thought before it free, where the model marks a thought with tags. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from ossian.harmony.gbnf import either, optional, quote, sequence, write_grammar
from ossian.harmony.grammar import JSON_SCHEMA
from ossian.harmony.schema_grammar import SchemaRules

TAGS = (("<think>", "</think>"), ("[THINK]", "[/THINK]"), ("<|START_THINKING|>", "<|END_THINKING|>"))
BLANK = '"\\n"{0,2}'
Thought = Literal["none", "may come", "is open"]


def find_tags(template: str) -> tuple[str, str] | None:
    """The tags of a thought, where a template has any that are known."""
    return next((tags for tags in TAGS if tags[1] in template or tags[0] in template), None)


def format_grammar(
    format: Literal["json"] | Mapping[str, Any], tags: tuple[str, str] | None, thought: Thought = "none"
) -> str:
    """The grammar of an answer in a format. Raises SchemaNotSupported for what cannot be kept."""
    formats = SchemaRules()
    formats.add("answer", JSON_SCHEMA if format == "json" else format)
    if tags is None or thought == "none":
        return write_grammar("answer", formats.rules.items())
    rules = dict(write_until("thought", tags[1])) | formats.rules
    before = sequence("thought-0", BLANK) if thought == "is open" else optional(f"{quote(tags[0])} thought-0 {BLANK}")
    return write_grammar(sequence(before, "answer"), rules.items())


def write_until(name: str, end: str) -> Iterator[tuple[str, str]]:
    r"""Rules for any text up to the first place where `end` stands, and that; the first of them is where to begin.

    One rule for each number of letters of `end` that were just said.

    >>> dict(write_until("x", "ab"))
    {'x-0': '([a] x-1 | [^a] x-0)', 'x-1': '([b] | [a] x-1 | [^ba] x-0)'}
    """
    for said in range(len(end)):
        goes_on: dict[str, str] = {}
        for letter in (end[said], *end[:said]):
            now = longest_beginning(end, end[:said] + letter)
            if now and letter not in goes_on:
                goes_on[letter] = "" if now == len(end) else f"{name}-{now}"
        choices = [sequence(f"[{escape(letter)}]", rule) for letter, rule in goes_on.items()]
        others = "".join(map(escape, goes_on))
        yield f"{name}-{said}", either(*choices, f"[^{others}] {name}-0")


def longest_beginning(whole: str, text: str) -> int:
    """How many letters at the end of a text are the beginning of the whole."""
    return next(size for size in range(len(text), -1, -1) if whole.startswith(text[len(text) - size :]))


def escape(letter: str) -> str:
    return f"\\{letter}" if letter in "[]^\\-" else letter
