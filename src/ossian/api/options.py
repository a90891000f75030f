"""What every door reads alike: Ollama's options, keep_alive, think and format. Pure: values in, values out."""

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from ossian.chat import ChatRequest, CompletionRequest, Reasoning, Sampling
from ossian.errors import BadRequest, NotSupported
from ossian.settings import read_duration
from ossian.store.catalogue import ModelFile

log = logging.getLogger(__name__)

FOR_EVER_SECONDS = 100 * 365 * 86_400.0
LARGEST_INTEGER = 2**31 - 1  # engines count in 32 bits
REASONING_OF_LEVEL: dict[str, Reasoning] = {"low": "low", "medium": "medium", "high": "high", "max": "high"}

KIND_OF_OPTION: dict[str, Literal["integer", "float32"]] = {
    "num_ctx": "integer",
    "num_predict": "integer",
    "seed": "integer",
    "top_k": "integer",
    "repeat_last_n": "integer",
    "temperature": "float32",
    "top_p": "float32",
    "min_p": "float32",
    "typical_p": "float32",
    "repeat_penalty": "float32",
    "presence_penalty": "float32",
    "frequency_penalty": "float32",
}
SAMPLING_OPTIONS = tuple(name for name in KIND_OF_OPTION if not name.startswith("num_"))
OWN_AFFAIR = ("num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "num_keep", "draft_num_predict")
"""Options of Ollama about its machine: Ossian decides these for itself."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options as the vocabulary has them; None: the model's own default."""

    context: int | None
    max_tokens: int | None
    stop: tuple[str, ...]
    sampling: Sampling


AnyRequest = TypeVar("AnyRequest", ChatRequest, CompletionRequest)


def with_options(request: AnyRequest, options: Options, keep_alive: Any = None) -> AnyRequest:
    """The request, to be answered as the options say."""
    return replace(
        request,
        max_tokens=options.max_tokens,
        stop=options.stop,
        sampling=options.sampling,
        context=options.context,
        keep_alive=read_keep_alive(keep_alive),
    )


def drop_unset(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def read_options(asked: Mapping[str, Any], file: ModelFile, fields: Mapping[str, Any] | None = None) -> Options:
    """Options in Ollama's names: a door's own `fields` over them, and under them those of the model. None is unset.

    A wrong type is an error, also of an option that a field stands over; unknown names are not, as with Ollama: its
    VS Code extension sends objects of its own.
    """
    check_kinds(asked)
    values = {**file.parameters, **drop_unset(asked), **drop_unset(fields or {})}
    unknown = sorted(set(values) - {*KIND_OF_OPTION, *OWN_AFFAIR, "stop"})
    if unknown:
        log.debug("options that mean nothing here were left out: %s", ", ".join(unknown))
    numbers = {name: read_number(name, values[name]) for name in KIND_OF_OPTION if name in values}
    sampling = Sampling(**{name: numbers[name] for name in SAMPLING_OPTIONS if name in numbers})
    return Options(
        context=positive(numbers.get("num_ctx")),
        max_tokens=positive(numbers.get("num_predict")),
        stop=read_stop(values.get("stop")),
        sampling=replace(sampling, seed=read_seed(sampling.seed)),
    )


def check_kinds(asked: Mapping[str, Any]) -> None:
    """Raise BadRequest for an option of the wrong type."""
    for name in KIND_OF_OPTION:
        if asked.get(name) is not None:
            read_number(name, asked[name])
    read_stop(asked.get("stop"))


def read_number(name: str, value: Any) -> Any:
    """An option of its type: whole floats are integers, the rest of a fraction is dropped."""
    kind = KIND_OF_OPTION[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise BadRequest(f'option "{name}" must be of type {kind}')
    if kind == "integer" and name != "seed":
        return max(-LARGEST_INTEGER, min(int(value), LARGEST_INTEGER))
    return int(value) if kind == "integer" else float(value)


def positive(number: int | None) -> int | None:
    """Ollama's -1, -2 and 0 mean: no bound, or choose yourself."""
    return number if number is not None and number > 0 else None


def read_seed(seed: int | None) -> int | None:
    return None if seed is None or seed < 0 else seed & 0xFFFF_FFFF


def read_stop(value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else [] if value is None else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise BadRequest('option "stop" must be of an array of strings')
    return tuple(text for text in texts if text)


def read_keep_alive(value: Any) -> float | None:
    """Seconds to stay loaded; negative: for ever.

    >>> read_keep_alive("5m"), read_keep_alive(0), read_keep_alive(-1), read_keep_alive(1e300)
    (300.0, 0.0, -1.0, -1.0)
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise BadRequest("keep_alive must be a number of seconds or a duration such as 5m")
    try:
        seconds = read_duration(value)
    except (ValueError, OverflowError):
        raise BadRequest(f'keep_alive {value!r} is not a duration; write 300, "5m", "1h30m" or -1') from None
    return seconds if 0 <= seconds < FOR_EVER_SECONDS else -1.0


def read_think(value: Any, model: str, file: ModelFile) -> tuple[bool, Reasoning]:
    """Whether to think, and how hard. A model that can think does, unless told otherwise."""
    able = "thinking" in file.capabilities
    if value is None:
        return able, "medium"
    if not isinstance(value, (bool, str)):
        raise BadRequest('think must be a boolean or string ("high", "medium", "low", "max", true, or false)')
    if isinstance(value, str) and value not in REASONING_OF_LEVEL:
        raise BadRequest(f'invalid think value: "{value}" (must be "high", "medium", "low", "max", true, or false)')
    if value and not able:
        raise NotSupported(model, "thinking")
    return bool(value), REASONING_OF_LEVEL[value] if isinstance(value, str) else "medium"


def read_format(value: Any) -> Literal["json"] | Mapping[str, Any] | None:
    match value:
        case None | "":
            return None
        case "json":
            return "json"
        case dict():
            return value
    raise BadRequest(f'invalid format: {value!r}; expected "json" or a valid JSON Schema object')
