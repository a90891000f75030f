"""Ollama's older door, /api/generate: one prompt, with a template of the caller's own, raw, or with a gap in code."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from ossian.api.desk import desk_of
from ossian.api.dialects import OLLAMA_ANSWER
from ossian.api.logprobs import read_top_logprobs
from ossian.api.ollama import OllamaReply, Words, check_request, load_or_unload, write_request
from ossian.api.options import read_format, read_options, with_options
from ossian.api.prompts import read_tokens
from ossian.api.shapes import read_body
from ossian.api.shapes_ollama import OllamaGenerate
from ossian.api.template import fill_template
from ossian.api.turns import check_ability, finish_conversation, ollama_name
from ossian.chat import ChatRequest, CompletionRequest, Message
from ossian.errors import BadRequest, NotSupported
from ossian.store.catalogue import ModelFile


async def generate(request: Request) -> Response:
    """Answer a single prompt, or continue raw text, as Ollama does."""
    desk = desk_of(request)
    body = await read_body(request, OllamaGenerate)
    check_request(body)
    file = desk.find(body.model)
    refuse_images(body)
    reply = OllamaReply(body.model, generate_words)
    if not body.prompt and not body.suffix:
        return load_or_unload(desk, body, file, reply, "generate")
    return desk.respond(desk.ask(read_generate(body, file), file), reply, OLLAMA_ANSWER, body.stream)


def read_generate(body: OllamaGenerate, file: ModelFile) -> ChatRequest | CompletionRequest:
    """What /api/generate asks: a conversation of one turn, with `raw` bare text, with `suffix` what stands between."""
    check_ability("generate", body.model, file)
    refuse_unserved(body, file)
    past = read_tokens(body.context, "context", file.vocabulary) if body.context else ()
    if body.raw or body.suffix or body.template:
        return read_raw(body, file, past)
    system = (Message("system", body.system),) if body.system else ()
    turns = (*system, Message("user", body.prompt))
    # The past begins with the model's own system text and turns.
    request = write_request(body, file, turns if past else finish_conversation(turns, file), [])
    return replace(request, past=past, keep_tokens=True)


def refuse_images(body: OllamaGenerate) -> None:
    """Raise BadRequest where an image is sent or wanted, also where a model is only to be loaded."""
    if body.images:
        raise NotSupported(body.model, "images")
    for name in ("width", "height", "steps"):
        if getattr(body, name) is not None:
            raise BadRequest(f"{name} is not supported: no model here draws images")


def refuse_unserved(body: OllamaGenerate, file: ModelFile) -> None:
    """What does not go together, or is not served, by name."""
    if body.documents and (body.raw or body.suffix or body.template or body.context):
        raise BadRequest("documents do not go together with raw, suffix, template or context")
    if body.raw and (body.template or body.system or body.context):
        raise BadRequest("raw mode does not support template, system, or context")
    if body.suffix and "insert" not in file.capabilities:
        raise BadRequest(f"{ollama_name(file)} does not support insert")
    if body.suffix and (body.system or body.template or body.context or read_format(body.format)):
        raise BadRequest("suffix does not go together with system, template, context or format")
    if body.context and not (file.is_gpt_oss or body.template):
        raise BadRequest("context is served for gpt-oss only; send the conversation to /api/chat instead")
    if body.think and (body.raw or body.suffix or body.template):
        raise BadRequest("think is not supported with raw, suffix or template: there is no place for thinking")


def read_raw(body: OllamaGenerate, file: ModelFile, past: tuple[int, ...]) -> CompletionRequest:
    """Text to be continued as it stands, or as the caller's template has it."""
    prompt = fill_template(body.template, body.system or file.system, body.prompt) if body.template else body.prompt
    request = CompletionRequest(
        body.model,
        prompt,
        body.suffix,
        format=read_format(body.format),
        top_logprobs=read_top_logprobs(body.logprobs, body.top_logprobs),
        past=past,
        keep_tokens=bool(body.template),
    )
    return with_options(request, read_options(body.options, file), body.keep_alive)


def generate_words(content: str = "", thinking: str = "", calls: list[Words] | None = None) -> Words:
    words: Words = {"response": content}
    if thinking:
        words["thinking"] = thinking
    if calls:
        words["tool_calls"] = calls
    return words
