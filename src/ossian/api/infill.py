"""llama.cpp's door for editors, /infill: code before the cursor and after it, and what belongs between them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import LLAMA, write_llama_error
from ossian.api.options import LARGEST_INTEGER, read_options, with_options
from ossian.api.shapes import read_body
from ossian.api.shapes_infill import Infill
from ossian.api.streams import Whole
from ossian.api.turns import ollama_name
from ossian.chat import CompletionRequest, Done, Event, Text, Usage
from ossian.errors import BadRequest, OssianError
from ossian.harmony.infill import depth
from ossian.store.catalogue import ModelFile

Words = dict[str, Any]
OPTION_FIELDS = (
    "temperature", "top_p", "top_k", "min_p", "typical_p", "seed", "stop",
    "repeat_penalty", "repeat_last_n", "presence_penalty", "frequency_penalty",
)  # fmt: skip
SAMPLERS = ("penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature")
FOR_TRAINED_MODELS = "infill"  # a sampler that looks for the marks of a gap, which gpt-oss was not taught
OFF: Mapping[str, tuple[Any, ...]] = {
    "dynatemp_range": (0,), "mirostat": (0,), "dry_multiplier": (0,), "xtc_probability": (0,), "top_n_sigma": (-1, 0),
    "adaptive_target": (-1,), "min_keep": (0,), "n_probs": (0,), "post_sampling_probs": (False,),
    "logit_bias": ([], {}), "ignore_eos": (False,), "grammar": ("",), "json_schema": ({},), "lora": ([],),
    "return_tokens": (False,),
    "timings_per_token": (False,), "return_progress": (False,), "n_cmpl": (1,), "n": (1,), "image_data": ([],),
    "multimodal_data": ([],),
}  # fmt: skip
"""Fields of llama.cpp that change the answer and are not served, each with the values that ask for nothing.

What only matters beside one of these (mirostat_tau, dry_base …) needs no look. t_max_prompt_ms does nothing in
llama.cpp either; cache_prompt, id_slot, n_keep, n_discard and n_cache_reuse change no answer.
"""


async def infill(request: Request) -> Response:
    """What belongs at the cursor, as llama.cpp's server answers it."""
    desk = desk_of(request)
    body = await read_body(request, Infill)
    file = find_model(desk, body.model)
    if "insert" not in file.capabilities:
        raise BadRequest(f"{ollama_name(file)} does not support insert")
    events = desk.ask(read_infill(body, file), file)
    return desk.respond(events, InfillReply(file.name, tuple(body.response_fields)), LLAMA, body.stream)


def find_model(desk: Desk, name: str) -> ModelFile:
    """The model that is named, else one that is loaded, else the newest: llama.cpp's clients name none."""
    if name:
        return desk.find(name)
    loaded = [seat.file for seat in desk.pool.loaded()]
    files = loaded + sorted(desk.models(), key=lambda file: file.modified_at, reverse=True)
    fitting = [file for file in files if "insert" in file.capabilities]
    if not fitting:
        raise BadRequest("no model here can fill in code: name one as model, or ossian pull gpt-oss:20b")
    return fitting[0]


def read_infill(body: Infill, file: ModelFile) -> CompletionRequest:
    """What is asked, in our words. Raises BadRequest for what is not served, and names it."""
    refuse_unserved(body)
    named = {name: getattr(body, name) for name in OPTION_FIELDS} | {"num_predict": body.n_predict}
    options = read_options({}, file, named)
    others = "".join(f"# {extra.filename}\n{extra.text}\n\n" for extra in body.input_extra)
    request = with_options(
        CompletionRequest(file.name, others + body.input_prefix + body.prompt, body.input_suffix or "\n"),
        replace(options, sampling=replace(options.sampling, samplers=read_samplers(body.samplers))),
    )
    bound = 0 if body.n_predict == 0 else request.max_tokens  # llama.vim warms the cache with 0
    seconds = min(body.t_max_predict_ms, LARGEST_INTEGER) / 1000 if body.t_max_predict_ms > 0 else None
    return replace(request, max_tokens=bound, writing_seconds=seconds)


def refuse_unserved(body: Infill) -> None:
    more = body.model_extra or {}
    for name, nothing in OFF.items():
        if more.get(name) is not None and more[name] not in nothing:
            raise BadRequest(f"{name} is not supported: leave it out")
    line = (body.input_prefix + body.prompt).rpartition("\n")[2]
    if body.n_indent > depth(line):
        raise BadRequest("n_indent is not supported beyond the indentation of the cursor's line, which is kept anyway")


def read_samplers(names: Sequence[str] | None) -> tuple[str, ...] | None:
    """The samplers that are used, in their order; None: all."""
    for name in names or ():
        if name not in (*SAMPLERS, FOR_TRAINED_MODELS):
            raise BadRequest(f'samplers: "{name}" is not known; write of {", ".join(SAMPLERS)}')
    return None if names is None else tuple(name for name in names if name != FOR_TRAINED_MODELS)


@dataclass(slots=True)
class InfillReply:
    """The answer in llama.cpp's words; `fields` are the only ones that its end is to have, where there are any."""

    model: str
    fields: tuple[str, ...] = ()

    def write_event(self, event: Event) -> Iterator[Words]:
        match event:
            case Text(text):
                yield {"content": text, "stop": False, "model": self.model}
            case Done():
                yield self.write_end("", event)

    def write_failure(self, error: OssianError) -> Iterator[Words]:
        yield write_llama_error(error)

    def write_whole(self, whole: Whole) -> Words:
        return self.write_end(whole.text, whole.done)

    def write_end(self, text: str, done: Done) -> Words:
        usage = done.usage
        end = {
            "content": text,
            "stop": True,
            "model": self.model,
            "stop_type": "limit" if done.reason == "length" else "word" if done.stop else "eos",
            "stopping_word": done.stop,
            "tokens_predicted": usage.completion_tokens,
            "tokens_evaluated": usage.prompt_tokens,
            "tokens_cached": usage.cached_tokens,
            "truncated": False,
            "timings": write_timings(usage),
        }
        return pick(end, self.fields) if self.fields else end


def pick(words: Words, paths: Sequence[str]) -> Words:
    """What stands at these paths, under the path as its name.

    >>> pick({"content": "x", "timings": {"prompt_n": 5}}, ["timings/prompt_n", "nothing"])
    {'timings/prompt_n': 5}
    """
    found = {path: find(words, path.split("/")) for path in paths}
    return {path: value for path, value in found.items() if value is not None}


def find(words: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        words = words.get(key) if isinstance(words, dict) else None
    return words


def write_timings(usage: Usage) -> Words:
    read, written = usage.prompt_tokens - usage.cached_tokens, usage.completion_tokens
    guesses = {"draft_n": usage.guessed_tokens, "draft_n_accepted": usage.kept_tokens}
    return {
        "cache_n": usage.cached_tokens,
        **write_pace("prompt", read, usage.prompt_seconds),
        **write_pace("predicted", written, usage.completion_seconds),
        **(guesses if usage.guessed_tokens else {}),
    }


def write_pace(name: str, tokens: int, seconds: float) -> Words:
    return {
        f"{name}_n": tokens,
        f"{name}_ms": seconds * 1000,
        f"{name}_per_token_ms": seconds * 1000 / tokens if tokens else None,
        f"{name}_per_second": tokens / seconds if seconds else None,
    }
