"""Texts as they come over the wire: a string, several, token ids, several lists of those. Pure."""

from typing import Any

from ossian.errors import BadRequest

LARGEST_TOKEN = 2**31 - 1
MOST_TEXTS = 8_192  # OpenAI takes 2,048; langchain-ollama sends all pieces of a document in one request

Prompt = str | tuple[int, ...]


def read_prompts(value: Any, field: str, vocabulary: int = 0) -> tuple[Prompt, ...]:
    """What OpenAI calls input or prompt, always as several. Raises BadRequest, for an empty one too.

    `vocabulary` is how many tokens the model knows; 0: nobody can say.

    >>> read_prompts("one", "input"), read_prompts([1, 2], "input"), read_prompts([[1], [2]], "input")
    (('one',), ((1, 2),), ((1,), (2,)))
    """
    match value:
        case str():
            return read_texts([value], field)
        case [int(), *_]:
            return (read_tokens(value, field, vocabulary),)
        case [list(), *_]:
            check_number(value, field)
            return tuple(read_tokens(each, f"{field}[{index}]", vocabulary) for index, each in enumerate(value))
        case [str(), *_]:
            return read_texts(value, field)
        case None | []:
            raise BadRequest(f"invalid {field}: it is missing or empty")
    raise BadRequest(f"invalid {field}: it must be a string, a list of strings, token ids or lists of those")


def read_texts(texts: list[Any], field: str) -> tuple[str, ...]:
    """Strings of which none is empty."""
    check_number(texts, field)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise BadRequest(f"invalid {field} type: {field}[{index}] must be a string")
        if not text:
            raise BadRequest(f"invalid {field}: {field}[{index}] is empty")
    return tuple(texts)


def read_tokens(value: Any, field: str, vocabulary: int = 0) -> tuple[int, ...]:
    """Token ids that the model knows, at least one."""
    largest = vocabulary - 1 if vocabulary else LARGEST_TOKEN
    if not isinstance(value, list) or not value:
        raise BadRequest(f"{field} must be a list of token ids")
    for index, token in enumerate(value):
        if isinstance(token, bool) or not isinstance(token, int) or not 0 <= token <= largest:
            raise BadRequest(f"{field}[{index}] must be a token id: an integer from 0 to {largest}")
    return tuple(value)


def check_number(texts: list[Any], field: str) -> None:
    if len(texts) > MOST_TEXTS:
        raise BadRequest(f"{field} holds {len(texts)} texts, and {MOST_TEXTS} are taken at once; send several requests")
