"""Tell a topic from the words of a question by counting them (naive Bayes). Knows nothing of the model."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

SMOOTHING = 0.1
WORD = re.compile(r"[a-z0-9_]+")


class Guesser:
    """How often each word stands in the wordings of each topic."""

    def __init__(self, wordings: Mapping[str, Iterable[str]]) -> None:
        self.topics = list(wordings)
        counts = [Counter(word for text in texts for word in words_of(text)) for texts in wordings.values()]
        self.places = {word: place for place, word in enumerate(sorted(set().union(*counts)))}
        table = np.full((len(self.places), len(counts)), SMOOTHING)
        for column, counted in enumerate(counts):
            for word, count in counted.items():
                table[self.places[word], column] += count
        self.table = np.log(table / table.sum(0))

    def guess(self, text: str) -> str:
        """The topic that these words most likely belong to."""
        rows = [self.places[word] for word in set(words_of(text)) if word in self.places]
        return self.topics[int(self.table[rows].sum(0).argmax())]


def words_of(text: str) -> list[str]:
    return WORD.findall(text.lower())
