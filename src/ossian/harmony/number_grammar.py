"""Numbers within bounds, as a grammar: digit by digit, since a grammar cannot count. Pure.

>>> print(whole_numbers(8, 12))
([8-9] | "1" [0-2])
"""

from ossian.harmony.gbnf import either, optional, quote, repeat, sequence
from ossian.harmony.schema_reading import Schema, is_number

MOST_DIGITS = 16  # beyond them JSON's numbers are not exact in most programs
LARGEST = 10**MOST_DIGITS - 1
ANY_FRACTION = optional("fraction")


def write_integer(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    lows = [*([-int(-low // 1)] if is_number(low) else []), *([int(above // 1) + 1] if is_number(above) else [])]
    highs = [*([int(high // 1)] if is_number(high) else []), *([-int(-below // 1) - 1] if is_number(below) else [])]
    return whole_numbers(max(lows, default=None), min(highs, default=None)) if lows or highs else "whole"


def write_number(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    excludes_low = is_number(above) and (low is None or above >= low)
    excludes_high = is_number(below) and (high is None or below <= high)
    low, high = above if excludes_low else low, below if excludes_high else high
    if low is None and high is None:
        return "number"
    return real_numbers(low, high, above=excludes_low, below=excludes_high)


def whole_numbers(low: int | None, high: int | None) -> str:
    """Integers from `low` to `high`; None is no bound. Raises ValueError when there are none."""
    if (low or 0) > LARGEST or (high or 0) < -LARGEST:
        raise ValueError(f"no number of {MOST_DIGITS} digits fits")
    low, high = clip(low, -LARGEST), clip(high, LARGEST)
    if low > high:
        raise ValueError("no number fits")
    choices = []
    if high >= 0:
        choices.append(natural_numbers(max(low, 0), high))
    if low < 0:
        choices.append(sequence('"-"', natural_numbers(max(-high, 1), -low)))
    return either(*choices)


def real_numbers(low: float | None, high: float | None, *, above: bool = False, below: bool = False) -> str:
    """Numbers between bounds, which count unless `above` or `below` exclude them; fewer where bounds are no integers.

    Raises ValueError when there are none.
    """
    choices = []
    if high is None or high > 0 or (high == 0 and not below):
        choices.append(positive_numbers(max(low or 0, 0), high, above and low is not None and low >= 0, below))
    if low is None or low < 0:
        mirrored = positive_numbers(
            max(-high if high is not None else 0, 0), None if low is None else -low, below, above
        )
        choices.append(sequence('"-"', mirrored))
    choices = [choice for choice in choices if choice]
    if not choices:
        raise ValueError("no number fits")
    return either(*choices)


def positive_numbers(low: float, high: float | None, above: bool, below: bool) -> str:
    """Numbers of at least `low`, which is not negative; "" when there are none."""
    first, last = ceiling(low), LARGEST if high is None else int(high)
    choices = []
    if above and first == low:
        choices.append(sequence(quote(str(first)), '"." [0-9]{0,15} [1-9]') if last > first else "")
        first += 1
    if first <= last - 1:
        choices.append(sequence(natural_numbers(first, last - 1), ANY_FRACTION))
    if first <= last and not (below and last == high):
        choices.append(sequence(quote(str(last)), optional('"." "0"{1,16}')))
    choices = [choice for choice in choices if choice]
    return either(*choices) if choices else ""


def ceiling(number: float) -> int:
    return int(number) + (number > int(number))


def clip(bound: int | None, default: int) -> int:
    return default if bound is None else max(-LARGEST, min(LARGEST, bound))


def natural_numbers(low: int, high: int) -> str:
    """Integers from `low` to `high`, neither negative."""
    choices = []
    while low <= high:
        last = min(high, 10 ** len(str(low)) - 1)  # the numbers of one length
        choices.append(same_length(str(low), str(last)))
        low = last + 1
    return either(*choices)


def same_length(low: str, high: str) -> str:
    """Numbers of as many digits as both bounds have.

    >>> same_length("137", "142")
    '"1" ("3" [7-9] | "4" [0-2])'
    """
    if low == high:
        return quote(low)
    if len(low) == 1:
        return f"[{low}-{high}]"
    rest = len(low) - 1
    nothing, everything = "0" * rest, "9" * rest
    if low[0] == high[0]:
        return sequence(quote(low[0]), same_length(low[1:], high[1:]))
    choices, first, last = [], int(low[0]), int(high[0])
    if low[1:] != nothing:
        choices.append(sequence(quote(low[0]), same_length(low[1:], everything)))
        first += 1
    full = last if high[1:] == everything else last - 1
    if first <= full:
        digit = f"[{first}-{full}]" if first < full else quote(str(first))
        choices.append(sequence(digit, repeat("[0-9]", rest, rest)))
    if full < last:
        choices.append(sequence(quote(high[0]), same_length(nothing, high[1:])))
    return either(*choices)
