"""OpenAI's older door, /v1/completions: raw text is continued, without any conversation around it."""

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.choices import MOST_CHOICES, answer_in_turn, read_logit_bias, refuse_obfuscation, reseed
from ossian.api.completion_reply import CompletionReply
from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import COMPLETIONS
from ossian.api.openai import NO_BOUND, OPTION_FIELDS, read_response_format
from ossian.api.options import Options, drop_unset, read_format, read_options, read_think, with_options
from ossian.api.prompts import read_prompts
from ossian.api.shapes import read_body
from ossian.api.shapes_completions import OpenAICompletion
from ossian.api.streams import StreamResponse, WholeResponse
from ossian.api.turns import check_ability, ollama_name
from ossian.chat import CompletionRequest, Events, Text
from ossian.errors import BadRequest
from ossian.store.catalogue import ModelFile

# OpenAI's bound where none is asked for. Ollama has none, but it asks in a conversation, which ends; raw text need not.
USUAL_TOKENS = 16
MOST_LOGPROBS = 5


async def complete(request: Request) -> Response:
    """Continue raw text, as OpenAI's older API does."""
    desk = desk_of(request)
    body = await read_body(request, OpenAICompletion)
    if not body.model:
        raise BadRequest("model is required")
    file = desk.find(body.model)
    asked = read_completions(body, file)
    reply = CompletionReply(body.model, len(asked), body.n, body.stream_options.include_usage and body.stream)
    aloud = body.echo and body.logprobs is None
    events = answer_aloud(desk, file, asked) if aloud else answer_in_turn(desk, file, asked)
    if body.stream:
        return StreamResponse(events, reply, COMPLETIONS, desk.stopping, desk.comment_seconds)

    async def whole() -> dict[str, Any]:
        async with aclosing(events):
            return reply.write_whole([chunk async for event in events for chunk in reply.write_event(event)])

    return WholeResponse(whole, COMPLETIONS, desk.stopping)


async def answer_aloud(desk: Desk, file: ModelFile, asked: Sequence[CompletionRequest]) -> Events:
    """The answers in turn, each with its prompt before it."""
    for request in asked:
        said = await read_aloud(desk, request)
        async with aclosing(desk.ask(request, file)) as events:
            async for event in events:
                if said:  # not before the first event, which may be an error with a status of its own
                    yield Text(said)
                    said = ""
                yield event


async def read_aloud(desk: Desk, request: CompletionRequest) -> str:
    """The prompt as text."""
    if isinstance(request.prompt, str):
        return request.prompt
    async with desk.pool.borrow(request.model, context=request.context, keep_alive=request.keep_alive) as model:
        return await model.detokenize(request.prompt)


def read_completions(body: OpenAICompletion, file: ModelFile) -> list[CompletionRequest]:
    """What is asked, in our words, a request for each choice: all of the first prompt, then all of the second …

    Raises BadRequest for what is not served, and names it.
    """
    check_ability("completion", body.model, file)
    check_numbers(body)
    if body.suffix and "insert" not in file.capabilities:
        raise BadRequest(f"{ollama_name(file)} does not support insert")
    if body.suffix and read_response_format(body.response_format) is not None:
        raise BadRequest("suffix does not go together with response_format")
    refuse_thinking(body, file)
    prompts = read_prompts(body.prompt, "prompt", file.vocabulary)
    if len(prompts) * body.n > MOST_CHOICES:
        raise BadRequest(
            f"n {body.n} for {len(prompts)} prompts is {body.n * len(prompts)} choices; at most {MOST_CHOICES}"
        )
    options = read_all_options(body, file)
    sampling = replace(options.sampling, logit_bias=read_logit_bias(body.logit_bias, file.vocabulary))
    format = read_format(read_response_format(body.response_format))
    echo = body.echo and body.logprobs is not None
    asked = CompletionRequest(body.model, "", body.suffix, format=format, top_logprobs=body.logprobs, echo=echo)
    first = with_options(asked, options, body.keep_alive)
    first = replace(first, max_tokens=0) if body.max_tokens == 0 else first  # the prompt alone
    return [
        replace(first, prompt=prompt, sampling=reseed(sampling, number))
        for prompt in prompts
        for number in range(body.n)
    ]


def refuse_thinking(body: OpenAICompletion, file: ModelFile) -> None:
    """Raw text has no place for thinking; to be told not to think is fine."""
    if body.think is None:
        return
    think, _ = read_think(body.think, body.model, file)
    if think:
        raise BadRequest("think is not supported here: the prompt is sent untouched. Ask /v1/chat/completions")


def check_numbers(body: OpenAICompletion) -> None:
    refuse_obfuscation(body.stream_options.include_obfuscation)
    if body.n < 1:
        raise BadRequest("n must be at least 1")
    if body.best_of not in (None, 1, body.n):
        raise BadRequest(f"best_of {body.best_of} is not supported: write 1, or the same as n")
    if body.logprobs is not None and not 0 <= body.logprobs <= MOST_LOGPROBS:
        raise BadRequest(f"logprobs must be between 0 and {MOST_LOGPROBS}")
    if body.logprobs is not None and body.echo and body.suffix:
        raise BadRequest("echo together with logprobs does not go together with suffix")
    least = 0 if body.echo else 1
    if body.max_tokens is not None and body.max_tokens < least and body.max_tokens != NO_BOUND:
        raise BadRequest(f"max_tokens must be at least {least}")


def read_all_options(body: OpenAICompletion, file: ModelFile) -> Options:
    """OpenAI's fields over Ollama's options over the model's own; num_predict -1 means no bound."""
    named = {**{name: getattr(body, name) for name in OPTION_FIELDS}, "num_predict": body.max_tokens}
    bound = {} if "num_predict" in file.parameters else {"num_predict": USUAL_TOKENS}
    return read_options({**bound, **drop_unset(body.options)}, file, named)
