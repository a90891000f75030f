"""Tell whether a collection has anything to say to a question at all.

How near a question comes to its best passage means little by itself: that depends on the embedder and the collection.
So everyday questions, which hardly any collection of work and code answers, are asked first; a question fits when it
comes clearly nearer than they do. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy

LEAST_DEVIATIONS = 2.0  # above everyday questions, as the mean of meaning and words
LEAST_DEVIATIONS_OF_WORDS = 1.0  # where there is no meaning to compare: words alone tell less
LEAST_SPREAD = 0.02

EVERYDAY_QUESTIONS = (
    "How do I bake bread at home?",
    "What is the capital of Australia?",
    "How long should I boil an egg?",
    "Which vaccines does a puppy need?",
    "Who won the world cup in 1998?",
    "How do I remove a coffee stain from a shirt?",
    "What are the symptoms of the flu?",
    "When should tomatoes be planted?",
    "How does a mortgage work?",
    "What is the tallest mountain in the world?",
    "How do I change a flat tyre?",
    "Which films did the director make in the nineties?",
    "How much sleep does a teenager need?",
    "What causes a rainbow?",
    "How do I write a letter of resignation?",
    "What should I pack for a week at the beach?",
    "Who painted the ceiling of the chapel?",
    "How many calories are in a banana?",
    "What is the difference between a violin and a viola?",
    "How do I train for a marathon?",
    "Which train goes to the airport?",
    "What did the Romans eat for breakfast?",
    "How can I lower my electricity bill?",
    "What is the meaning of this poem?",
    "How do I get rid of ants in the kitchen?",
    "When was the printing press invented?",
    "What are good names for a cat?",
    "How do I apply for a passport?",
    "Which wine goes with fish?",
    "What is the population of Brazil?",
    "How do bees make honey?",
    "What exercises help against back pain?",
    "How do I knit a scarf?",
    "Who wrote the most novels in the last century?",
    "What is the best season to visit Japan?",
    "How do I open a bank account for a child?",
    "Why do leaves turn red in autumn?",
    "How is cheese made?",
    "What rules does chess have for castling?",
    "How do I calm a crying baby?",
)


@dataclass(frozen=True, slots=True)
class Closeness:
    """How near a question came: the best cosine, None without vectors, and how much of its words one place holds."""

    cosine: float | None
    covered: float


@dataclass(frozen=True, slots=True)
class Usual:
    """A mean and a standard deviation."""

    mean: float
    spread: float

    def deviations(self, value: float) -> float:
        return (value - self.mean) / self.spread


@dataclass(frozen=True, slots=True)
class Calibration:
    """How near everyday questions come in a collection; None: there were no vectors."""

    cosine: Usual | None
    covered: Usual

    def fits(self, question: Closeness) -> bool:
        """Whether a question comes clearly nearer."""
        words = self.covered.deviations(question.covered)
        if self.cosine is None or question.cosine is None:
            return words >= LEAST_DEVIATIONS_OF_WORDS
        return (self.cosine.deviations(question.cosine) + words) / 2 >= LEAST_DEVIATIONS


def calibrate(everyday: Sequence[Closeness]) -> Calibration:
    """What is usual in a collection, from how near everyday questions came."""
    cosines = [each.cosine for each in everyday if each.cosine is not None]
    whole = len(cosines) == len(everyday)
    return Calibration(usual(cosines) if whole else None, usual([each.covered for each in everyday]))


def usual(values: Sequence[float]) -> Usual:
    return Usual(float(numpy.mean(values)), max(LEAST_SPREAD, float(numpy.std(values))))
