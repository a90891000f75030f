"""Ollama's door: /api/chat, and the answers of /api/generate too."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.desk import Desk, desk_of
from ossian.api.dialects import OLLAMA, OLLAMA_ANSWER, write_ollama_error
from ossian.api.logprobs import read_top_logprobs, write_logprobs
from ossian.api.openai import read_tool_choice
from ossian.api.options import read_format, read_keep_alive, read_options, read_think, with_options
from ossian.api.passages import write_passages
from ossian.api.recall import read_arguments
from ossian.api.shapes import read_body
from ossian.api.shapes_ollama import OllamaCall, OllamaChat, OllamaMessage, OllamaRequest
from ossian.api.streams import Whole, WholeResponse
from ossian.api.turns import check_ability, finish_conversation, read_role, read_tools
from ossian.chat import ChatRequest, Done, Event, Logprob, Message, Source, Sources, Text, Thinking, ToolCall
from ossian.errors import BadRequest, NotSupported, OssianError
from ossian.store.catalogue import ModelFile

Words = dict[str, Any]


async def chat(request: Request) -> Response:
    """Answer a conversation, as Ollama does."""
    desk = desk_of(request)
    body = await read_body(request, OllamaChat)
    check_request(body)
    if not body.model:
        raise BadRequest("model is required")
    file = desk.find(body.model)
    reply = OllamaReply(body.model, chat_words)
    if not body.messages:
        return load_or_unload(desk, body, file, reply, "chat")
    return desk.respond(desk.ask(read_chat(body, file), file), reply, OLLAMA_ANSWER, body.stream)


def load_or_unload(desk: Desk, body: OllamaRequest, file: ModelFile, reply: "OllamaReply", ability: str) -> Response:
    """What a request without words asks for. Every model can be unloaded this way: `ollama stop` does."""
    keep_alive = read_keep_alive(body.keep_alive)
    if keep_alive != 0:
        check_ability(ability, body.model, file)
    read_think(body.think, body.model, file)
    context = read_options(body.options, file).context

    async def unload() -> Words:
        await desk.pool.unload(desk.split(body.model)[0])
        return reply.write_last("unload")

    async def load() -> Words:
        async with desk.pool.borrow(desk.split(body.model)[0], context=context, keep_alive=keep_alive):
            return reply.write_last("load")

    return WholeResponse(unload if keep_alive == 0 else load, OLLAMA, desk.stopping)


def check_request(body: OllamaRequest) -> None:
    """Raise BadRequest for what is wrong whatever is asked, also where a model is only to be loaded."""
    read_format(body.format)
    read_top_logprobs(body.logprobs, body.top_logprobs)
    if body.debug_render_only:
        raise BadRequest("_debug_render_only is not supported: ask /v1/messages/count_tokens how long a prompt is")


def read_chat(body: OllamaChat, file: ModelFile) -> ChatRequest:
    """What /api/chat asks, in our words. Raises BadRequest for what is not served, and names it."""
    check_ability("chat", body.model, file)
    messages = [read_message(shape, index, body.model) for index, shape in enumerate(body.messages)]
    asked = write_request(body, file, finish_conversation(messages, file), body.tools)
    tools, choice = read_tool_choice(body.tool_choice, asked.tools)
    return replace(asked, tools=tools, tool_choice=choice, document_tools=body.document_tools)


def write_request(body: OllamaRequest, file: ModelFile, messages: tuple[Message, ...], tools: list[Any]) -> ChatRequest:
    options = read_options(body.options, file)
    offered = read_tools(tools, file)
    think, reasoning = read_think(body.think, body.model, file)
    request = ChatRequest(
        body.model,
        messages,
        tools=offered,
        reasoning=reasoning,
        think=think,
        format=read_format(body.format),
        top_logprobs=read_top_logprobs(body.logprobs, body.top_logprobs),
        documents=tuple(body.documents),
    )
    return with_options(request, options, body.keep_alive)


def read_message(shape: OllamaMessage, index: int, model: str) -> Message:
    if shape.images:
        raise NotSupported(model, "images")
    return Message(
        read_role(shape.role, f"messages[{index}].role"),
        shape.content,
        thinking=shape.thinking,
        calls=tuple(read_call(call) for call in shape.tool_calls),
        call_id=shape.tool_call_id,
        name=shape.tool_name,
    )


def read_call(shape: OllamaCall) -> ToolCall:
    arguments = json.dumps(shape.function.arguments, ensure_ascii=False, separators=(",", ":"))
    return ToolCall(shape.id, shape.function.name, arguments)


def chat_words(content: str = "", thinking: str = "", calls: list[Words] | None = None) -> Words:
    message: Words = {"role": "assistant", "content": content}
    if thinking:
        message["thinking"] = thinking
    if calls:
        message["tool_calls"] = calls
    return {"message": message}


@dataclass(slots=True)
class OllamaReply:
    """One answer in Ollama's words. `words` puts content, thinking and calls where the route has them."""

    model: str
    words: Callable[..., Words]
    calls: int = 0
    sources: tuple[Source, ...] = ()

    def write_event(self, event: Event) -> Iterator[Words]:
        match event:
            case Text(text, logprobs):
                yield self.write_chunk(self.words(text) | write_likely(logprobs))
            case Thinking(text):
                yield self.write_chunk(self.words(thinking=text))
            case ToolCall():
                yield self.write_chunk(self.words(calls=[self.write_call(event)]))
            case Sources(passages):
                self.sources = passages
            case Done():
                last = {**self.write_last(event.reason), **write_passages(self.sources)}
                yield {**last, **write_context(event), **write_usage(event)}

    def write_failure(self, error: OssianError) -> Iterator[Words]:
        yield write_ollama_error(error)

    def write_whole(self, whole: Whole) -> Words:
        words = self.words(whole.text, whole.thinking, [self.write_call(call) for call in whole.calls])
        last = {**self.write_last(whole.done.reason), **words, **write_likely(whole.logprobs)}
        last |= write_passages(whole.sources)
        return {**last, **write_context(whole.done), **write_usage(whole.done)}

    def write_chunk(self, words: Words) -> Words:
        return {"model": self.model, "created_at": write_now(), **words, "done": False}

    def write_last(self, reason: str) -> Words:
        return {**self.write_chunk(self.words()), "done": True, "done_reason": reason}

    def write_call(self, call: ToolCall) -> Words:
        """A call whose arguments are an object, as Ollama has it; what is none is handed over as one text."""
        arguments = next(read_arguments(call.arguments), None)
        whole = arguments if isinstance(arguments, dict) else {"arguments": call.arguments}
        self.calls += 1
        return {"id": call.id, "function": {"index": self.calls - 1, "name": call.name, "arguments": whole}}


def write_likely(logprobs: Sequence[Logprob]) -> Words:
    return {"logprobs": write_logprobs(logprobs)} if logprobs else {}


def write_context(done: Done) -> Words:
    """What a caller of /api/generate sends back to go on."""
    return {"context": list(done.tokens)} if done.tokens else {}


def write_usage(done: Done) -> Words:
    """Ollama's six measures, never 0 because clients divide by them, and what the cache and guesses saved."""
    usage = done.usage
    guesses = {"ossian_guessed_tokens": usage.guessed_tokens, "ossian_kept_tokens": usage.kept_tokens}
    return {
        "total_duration": nanoseconds(usage.total_seconds),
        "load_duration": nanoseconds(usage.load_seconds),
        "prompt_eval_count": max(1, usage.prompt_tokens),
        "prompt_eval_duration": nanoseconds(usage.prompt_seconds),
        "eval_count": max(1, usage.completion_tokens),
        "eval_duration": nanoseconds(usage.completion_seconds),
        "ossian_cached_tokens": usage.cached_tokens,
    } | (guesses if usage.guessed_tokens else {})


def nanoseconds(seconds: float) -> int:
    return max(1, round(seconds * 1e9))


def write_now() -> str:
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"
