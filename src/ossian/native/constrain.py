"""Grammars in llama.cpp's notation, kept by llguidance: which tokens may come next.

A tag in a grammar (`<|end|>`) stands for the token itself, `(!<|end|>)*` for any text; the tokens that end an answer
are let through where the grammar is satisfied, and only there.
"""

import re
from collections.abc import Iterable

import numpy as np
from llguidance import LLMatcher, LLTokenizer, TokenizerWrapper
from llguidance.gbnf_to_lark import GbnfToLarkError, gbnf_to_lark
from numpy.typing import NDArray

from ossian.native.tokenizer import Vocabulary

# What stands in quotes or in a class of letters is text, whatever it looks like.
MARK = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|(?P<any>\(!<\|\w+\|>\)\*)|(?P<tag><\|\w+\|>)')


class BadGrammar(ValueError):
    """A grammar that cannot be read."""


class Grammars:
    """What a vocabulary needs to read grammars; made when the first one comes."""

    def __init__(self, vocabulary: Vocabulary, endings: Iterable[int]) -> None:
        self._vocabulary = vocabulary
        self._endings = sorted(endings)
        self._tokenizer: LLTokenizer | None = None

    def read(self, grammar: str) -> "Constraint":
        """A fresh constraint. Raises BadGrammar."""
        try:
            matcher = LLMatcher(self._prepare(), self._to_lark(grammar))
        except GbnfToLarkError as error:
            raise BadGrammar(f"failed to parse grammar: {error}") from error
        if matcher.is_error():
            raise BadGrammar(f"failed to parse grammar: {matcher.get_error().splitlines()[0]}")
        return Constraint(matcher, len(self._vocabulary), self._endings)

    def _prepare(self) -> LLTokenizer:
        if self._tokenizer is None:
            self._tokenizer = LLTokenizer(TokenizerWrapper(_Described(self._vocabulary, self._endings[0])))
        return self._tokenizer

    def _to_lark(self, grammar: str) -> str:
        """Tags and any text go through the translation as rules of their own, and are put in afterwards.

        Each refers to itself, which keeps the translation from making it, or a rule that holds it, a part of a
        regular expression.
        """
        bodies = {"any-text": r"/(.|\n)*/"}

        def name_mark(found: re.Match[str]) -> str:
            if tag := found["tag"]:
                if tag not in self._vocabulary.special:
                    raise BadGrammar(f"failed to parse grammar: the vocabulary has no {tag}")
                name = f"tag-{self._vocabulary.special[tag]}"
                bodies[name] = f"<[{self._vocabulary.special[tag]}]>"
                return name
            return "any-text" if found["any"] else found[0]

        grammar = MARK.sub(name_mark, grammar)
        grammar += "\n" + "".join(f'{name} ::= "@{name}@" | {name}\n' for name in bodies)
        lark = gbnf_to_lark(grammar)
        for name, body in bodies.items():
            rule = name.replace("-", "_")
            lark = re.sub(rf'^{rule}: "@{name}@"\s*\|\s*{rule}$', lambda _: f"{rule}: {body}", lark, flags=re.MULTILINE)  # noqa: B023
        return lark


class _Described:
    """A vocabulary as llguidance wants to have it told."""

    bos_token_id = None

    def __init__(self, vocabulary: Vocabulary, end: int) -> None:
        self._vocabulary = vocabulary
        self.eos_token_id = end
        self.tokens = vocabulary.pieces
        self.special_token_ids = sorted(vocabulary.special_ids)

    def __call__(self, text: str | bytes) -> list[int]:
        return self._vocabulary.encode(text if isinstance(text, str) else text.decode(errors="replace"))


class Constraint:
    """Where one answer stands in its grammar."""

    def __init__(self, matcher: LLMatcher, size: int, endings: list[int]) -> None:
        self._matcher, self._size, self._endings = matcher, size, endings

    def allowed(self) -> NDArray[np.bool_]:
        """Which tokens may come next, `[vocabulary]`. Raises BadGrammar where the grammar asks for too much."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        if self._matcher.is_error():
            raise BadGrammar(f"the grammar is too hard: {self._matcher.get_error().splitlines()[0]}")
        allowed = np.unpackbits(bits, bitorder="little")[: self._size].astype(bool)
        allowed[self._endings] = self._matcher.is_accepting()
        return allowed

    def take(self, token: int) -> None:
        """Go on behind a token that was allowed."""
        if token not in self._endings:
            self._matcher.consume_token(token)
