"""llama.cpp's door for editors, /infill: code before the cursor and after it, and what belongs between them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import OPENAI, write_openai_error
from ossian.api.kinds import Stop
from ossian.api.options import read_options, with_options
from ossian.api.shapes import Shape, documented, read_body
from ossian.api.streams import Whole
from ossian.api.turns import ollama_name
from ossian.chat import CompletionRequest, Done, Event, Text, Usage
from ossian.errors import BadRequest, OssianError
from ossian.store.catalogue import ModelFile

Words = dict[str, Any]
OPTION_FIELDS = ("temperature", "top_p", "top_k", "min_p", "seed", "repeat_penalty", "presence_penalty", "stop")


class ExtraFile(Shape):
    filename: str = ""
    text: str = ""


class Infill(Shape):
    """`prompt` stands between the prefix and the cursor; `input_extra` are other files that help."""

    model_config = documented(
        {"input_prefix": "def add(a, b):\n", "input_suffix": "\n    return total\n", "n_predict": 32},
        {
            "model": "demo",
            "input_prefix": "for i in ",
            "input_suffix": ":\n    print(i)",
            "stream": True,
            "n_predict": 16,
        },
    )

    model: str = ""
    input_prefix: str = ""
    input_suffix: str = ""
    input_extra: list[ExtraFile] = Field(default_factory=list)
    prompt: str = ""
    n_predict: int | None = None
    stream: bool = False
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    stop: Stop = None


async def infill(request: Request) -> Response:
    """What belongs at the cursor, as llama.cpp's server answers it."""
    desk = desk_of(request)
    body = await read_body(request, Infill)
    file = find_model(desk, body.model)
    if "insert" not in file.capabilities:
        raise BadRequest(f"{ollama_name(file)} does not support insert")
    events = desk.ask(read_infill(body, file), file)
    return desk.respond(events, InfillReply(file.name), OPENAI, body.stream)


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
    named = {name: getattr(body, name) for name in OPTION_FIELDS} | {"num_predict": body.n_predict}
    others = "".join(f"# {extra.filename}\n{extra.text}\n\n" for extra in body.input_extra)
    code = others + body.input_prefix + body.prompt
    return with_options(CompletionRequest(file.name, code, body.input_suffix or "\n"), read_options({}, file, named))


@dataclass(slots=True)
class InfillReply:
    """The answer in llama.cpp's words."""

    model: str

    def write_event(self, event: Event) -> Iterator[Words]:
        match event:
            case Text(text):
                yield {"content": text, "stop": False, "model": self.model}
            case Done():
                yield self.write_end("", event)

    def write_failure(self, error: OssianError) -> Iterator[Words]:
        yield write_openai_error(error)

    def write_whole(self, whole: Whole) -> Words:
        return self.write_end(whole.text, whole.done)

    def write_end(self, text: str, done: Done) -> Words:
        usage = done.usage
        return {
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


def write_timings(usage: Usage) -> Words:
    guesses = {"draft_n": usage.guessed_tokens, "draft_n_accepted": usage.kept_tokens}
    return {
        "prompt_n": usage.prompt_tokens - usage.cached_tokens,
        "prompt_ms": usage.prompt_seconds * 1000,
        "predicted_n": usage.completion_tokens,
        "predicted_ms": usage.completion_seconds * 1000,
    } | (guesses if usage.guessed_tokens else {})
