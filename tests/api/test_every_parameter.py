"""Whatever parameter an official client has, a shape of ours has too: it is served, or refused by name."""

import inspect
from collections.abc import Iterable
from typing import Any

import ollama
import pytest
from anthropic.types import message_count_tokens_params, message_create_params
from anthropic.types.beta import message_create_params as beta_create_params
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params

from ossian.api.shapes import Shape
from ossian.api.shapes_anthropic import AnthropicChat, AnthropicPrompt
from ossian.api.shapes_completions import OpenAICompletion
from ossian.api.shapes_manage import OllamaCopy, OllamaCreate, OllamaDelete, OllamaPush
from ossian.api.shapes_ollama import OllamaChat, OllamaGenerate, OllamaPull, OllamaShow
from ossian.api.shapes_openai import OpenAIChat
from ossian.api.shapes_responses import ResponsesCreate
from ossian.api.shapes_vectors import OllamaEmbed, OllamaEmbeddings, OpenAIEmbeddings

HEADERS = {"betas", "user_profile_id"}  # sent as headers
# What was read is always kept, whatever is said about caches.
CHANGES_NO_ANSWER = {
    "metadata", "user", "store", "prediction", "safety_identifier", "service_tier", "workspace_id", "billing_policy",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "cache_control",
    "insecure",  # a permission
}  # fmt: skip

OLLAMAS = {
    "chat": OllamaChat, "generate": OllamaGenerate, "embed": OllamaEmbed, "embeddings": OllamaEmbeddings,
    "pull": OllamaPull, "push": OllamaPush, "create": OllamaCreate, "copy": OllamaCopy, "delete": OllamaDelete,
    "show": OllamaShow,
}  # fmt: skip
TYPED = [
    pytest.param(chat_create_params.CompletionCreateParamsBase, OpenAIChat, id="chat"),
    pytest.param(completion_create_params.CompletionCreateParamsBase, OpenAICompletion, id="completions"),
    pytest.param(embedding_create_params.EmbeddingCreateParams, OpenAIEmbeddings, id="embeddings"),
    pytest.param(response_create_params.ResponseCreateParamsBase, ResponsesCreate, id="responses"),
    pytest.param(message_create_params.MessageCreateParamsBase, AnthropicChat, id="messages"),
    pytest.param(beta_create_params.MessageCreateParamsBase, AnthropicChat, id="beta messages"),
    pytest.param(message_count_tokens_params.MessageCountTokensParams, AnthropicPrompt, id="count_tokens"),
]


def unknown(parameters: Iterable[str], shape: type[Shape]) -> set[str]:
    known = set(shape.model_fields) | {field.alias for field in shape.model_fields.values() if field.alias}
    return set(parameters) - known - CHANGES_NO_ANSWER - HEADERS


@pytest.mark.parametrize(("parameters", "shape"), TYPED)
def test_openai_and_anthropic(parameters: Any, shape: type[Shape]) -> None:
    assert unknown(parameters.__annotations__, shape) == set()


@pytest.mark.parametrize("call", OLLAMAS)
def test_ollama(call: str) -> None:
    parameters = set(inspect.signature(getattr(ollama.Client, call)).parameters) - {"self"}
    parameters = {name.rstrip("_") for name in parameters}
    assert unknown(parameters, OLLAMAS[call]) == set()
