"""Harmony's special tokens by name, and a filter that keeps their spelling out of what a person reads."""

START = "<|start|>"
CHANNEL = "<|channel|>"
CONSTRAIN = "<|constrain|>"
MESSAGE = "<|message|>"
END = "<|end|>"
CALL = "<|call|>"
RETURN = "<|return|>"
END_OF_TEXT = "<|endoftext|>"
START_OF_TEXT = "<|startoftext|>"

TAGS = (START, CHANNEL, CONSTRAIN, MESSAGE, END, CALL, RETURN, END_OF_TEXT, START_OF_TEXT)
TAG_BEGINNINGS = frozenset(tag[:length] for tag in TAGS for length in range(1, len(tag)))


class TagFilter:
    """Lets text through but for tags that are spelled in it, even when one is cut in pieces or nested in another.

    >>> tags = TagFilter()
    >>> tags.feed("yes<|e"), tags.feed("nd|> and 1 <"), tags.feed(" 2"), tags.finish()
    ('yes', ' and 1 ', '< 2', '')
    """

    def __init__(self) -> None:
        # Beginnings of tags, each standing inside the one before it: taking a whole tag out may complete the outer one.
        self._held: list[str] = []

    def feed(self, text: str) -> str:
        """Give back what can be shown by now."""
        if not self._held and "<" not in text:
            return text
        return "".join(self._let_through(character) for character in text)

    def finish(self) -> str:
        """Give back what was held and turned out to be no tag."""
        held, self._held = "".join(self._held), []
        return held

    def _let_through(self, character: str) -> str:
        longer = self._held[-1] + character if self._held else character
        if longer in TAGS:
            self._held.pop()
            return ""
        if longer in TAG_BEGINNINGS:
            self._held[-1:] = [longer]
            return ""
        if character == "<":
            self._held.append(character)
            return ""
        return self.finish() + character
