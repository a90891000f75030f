"""What a conversation asks now, in words that can be searched for. Pure.

Editors wrap the question into their own blocks, and a follow-up ("and for lists?") means nothing without what was said.
"""

import re
from collections.abc import Sequence

from ossian.chat import Message
from ossian.rag.words import terms_of

LONGEST_QUESTION = 2_000  # characters; what is longer is pasted text, whose end holds the question
FEW_TERMS = 1
EARLIER_QUESTIONS = 2
WRAPPED = re.compile(r"<(userRequest|user_query|task|question)>\s*(.*?)\s*</\1>", re.DOTALL)
LEANS = re.compile(
    r"^\s*(?:and|but|so|then|also|why|what about|how about|what else|more|again|explain that|go on)\b"
    r"|\b(?:it|its|they|them|their|he|she|his|her|above|previous|you (?:said|mentioned|wrote)"
    r"|the (?:first|second|third|last|other|same|former|latter))\b"
    r"|\b(?:this|that|these|those)\s*(?:[?.!,;]|$)",
    re.IGNORECASE,
)


def question_of(messages: Sequence[Message]) -> str:
    """The last question, with the one before it where it leans on that.

    >>> question_of([Message("user", "What is a decorator?"), Message("user", "And its use?")])
    'What is a decorator?\\nAnd its use?'
    """
    asked = [read_question(message.content) for message in messages if message.role == "user"]
    asked = [question for question in asked if question]
    if not asked:
        return ""
    *earlier, newest = asked
    if not leans(newest):
        return newest
    return "\n".join([*standing(earlier), newest])


def standing(earlier: Sequence[str]) -> list[str]:
    """The last earlier question that stands alone, with what was asked on it since, as far as that is little."""
    kept: list[str] = []
    for question in reversed(earlier[-EARLIER_QUESTIONS:]):
        kept.insert(0, question)
        if not leans(question):
            break
    return kept


def leans(question: str) -> bool:
    """Whether a question means little by itself."""
    return len(terms_of(question)) <= FEW_TERMS or bool(LEANS.search(question))


def read_question(text: str) -> str:
    """What the person wrote of a message that an editor made.

    >>> read_question("<context>…</context>\\n<userRequest>\\nWhat is this?\\n</userRequest>")
    'What is this?'
    """
    wrapped = [found[2] for found in WRAPPED.finditer(text)]
    return (wrapped[-1] if wrapped else text).strip()[-LONGEST_QUESTION:]
