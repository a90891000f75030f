"""Which words a text is found by: words as they stand, and the parts of names. Pure; knows no files and no models."""

import re
from collections.abc import Iterator
from functools import lru_cache

LONGEST_WORD = 100  # longer ones are hashes and base64, which nobody asks for
MOST_TERMS = 64  # of a question
REMEMBERED_NAMES = 1 << 16

WORD = re.compile(r"[^\W_]+")
NAME = re.compile(r"\w+")
CAMEL = re.compile(r"[a-z0-9][A-Z]|[A-Z]{2}[a-z]")
PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
LONG = re.compile(rf"\w{{{LONGEST_WORD + 1},}}")
# Chinese, Japanese and Korean are written without spaces: two signs at a time stand for their words.
UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
LOOKS_LIKE_CODE = re.compile(r"`|[a-z0-9][A-Z]|\w_\w|\w\(\)|::|[A-Z]{2,}[a-z]|\w\.\w")
STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "by", "can", "do", "does", "for", "from", "has", "have", "how", "i",
    "in", "is", "it", "its", "of", "on", "or", "that", "the", "this", "to", "was", "what", "when", "where", "which",
    "who", "why", "will", "with", "you",
})  # fmt: skip


def spread(text: str) -> str:
    """A text with the parts of its names behind it, as it is written into the index.

    >>> spread("def runTarget(max_count)")
    'def runTarget(max_count) run Target maxcount'
    """
    names = NAME.findall(text)
    if len(max(names, key=len, default="")) > LONGEST_WORD:
        return spread(LONG.sub(" ", text))
    parts = [part for name in names if not name.islower() or "_" in name for part in split_name(name)]
    if not text.isascii():
        parts += two_signs_at_a_time(text)
    return f"{text} {' '.join(parts)}" if parts else text


@lru_cache(REMEMBERED_NAMES)
def split_name(name: str) -> tuple[str, ...]:
    """What a name is made of beside what any index sees: camelCase apart, snake_case together.

    >>> split_name("HTTPServer"), split_name("read_all"), split_name("plain")
    (('HTTP', 'Server'), ('readall',), ())
    """
    parts = tuple(PART.findall(name)) if name.isascii() and CAMEL.search(name) else ()
    return (*parts, name.replace("_", "")) if "_" in name.strip("_") else parts


def two_signs_at_a_time(text: str) -> Iterator[str]:
    """
    >>> list(two_signs_at_a_time("使用方法"))
    ['使用', '用方', '方法']
    """
    for run in UNSPACED.findall(text):
        yield from (run[place : place + 2] for place in range(max(1, len(run) - 1)))


def terms_of(question: str) -> tuple[str, ...]:
    """The words that a question is searched by, each once; its little words only where it has no other.

    >>> terms_of("What does the DiffExecutor do?")
    ('diffexecutor', 'diff', 'executor')
    """
    spread_out = spread(question)
    words = [word.lower() for word in WORD.findall(spread_out)]
    words = [word for word in words if not UNSPACED.fullmatch(word) or len(word) <= 2]
    every = tuple(dict.fromkeys(words))
    return (tuple(word for word in every if word not in STOP_WORDS) or every)[:MOST_TERMS]


def names_in(question: str) -> tuple[str, ...]:
    """What may be the name of something that is defined: each word in small letters, but for the little ones.

    >>> names_in("what does run_target of Executor do?")
    ('run_target', 'executor')
    """
    every = dict.fromkeys(name.lower() for name in NAME.findall(question))
    return tuple(name for name in every if len(name) > 1 and name not in STOP_WORDS)[:MOST_TERMS]


def names_something(question: str) -> bool:
    """Whether a question names something in code, and words say more than meaning does.

    >>> names_something("how does `poll` end?"), names_something("how does waiting end?")
    (True, False)
    """
    return LOOKS_LIKE_CODE.search(question) is not None
