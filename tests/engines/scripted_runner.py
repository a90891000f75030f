"""A runner that says one script after another, a word a token, and remembers what it was asked."""

from collections.abc import AsyncGenerator, Callable, Sequence

from ossian.engines.local import LocalModel
from ossian.engines.steps import Piece, Timings


class ScriptedRunner:
    """Stands where a model's runner writes. Words that are names of special tokens are those."""

    def __init__(self, model: LocalModel, scripts: Sequence[list[str]]) -> None:
        self.prompts: list[list[int]] = []
        self.grammars: list[str] = []
        self._names = {name: token for token, name in model._names.items()}
        self._scripts = scripts

    async def complete(
        self, tokens: Sequence[int], bound: int, sampling: object, grammar: str = ""
    ) -> AsyncGenerator[Piece | Timings, None]:
        script = self._scripts[len(self.prompts)]
        self.prompts.append(list(tokens))
        self.grammars.append(grammar)
        for word in script[:bound]:
            yield Piece(self._names.get(word, sum(word.encode())), "" if word in self._names else word)
        written = min(bound, len(script))
        yield Timings(0, len(tokens), written, 0.1, 0.1, limit=bound <= len(script))


Speak = Callable[..., ScriptedRunner]
