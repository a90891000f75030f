"""Every documented field of every door: what changes the answer is honoured or refused by name, the rest accepted."""

from dataclasses import replace
from pathlib import Path

import pytest

from ossian.chat import Text
from ossian.engines.fake import FAKE_FILE, FakeModel
from ossian.errors import ContextTooLong

CODER = replace(FAKE_FILE, name="coder", path=Path("coder"), digest="4" * 64, capabilities=("completion", "insert"))
SMALL = replace(FAKE_FILE, name="small", path=Path("small"), digest="5" * 64, capabilities=("embedding",))
HI = [{"role": "user", "content": "Hi"}]
CHAT = {"model": "fake", "messages": HI}


class Full(FakeModel):
    """No prompt fits."""

    @property
    def info(self):
        return replace(super().info, context=4)

    async def chat(self, request):
        raise ContextTooLong(200_000, 4096)
        yield Text("")

    async def complete(self, request):
        raise ContextTooLong(200_000, 4096)
        yield Text("")


TOO_LONG = [
    pytest.param("/v1/chat/completions", CHAT, "messages", id="chat"),
    pytest.param("/v1/completions", {"model": "fake", "prompt": "Hi"}, "prompt", id="completions"),
    pytest.param("/v1/responses", {"model": "fake", "input": "Hi"}, "input", id="responses"),
    pytest.param("/v1/embeddings", {"model": "small", "input": "Hello you"}, "input", id="embeddings"),
    pytest.param("/v1/rerank", {"model": "small", "query": "a", "documents": ["Hello"]}, "documents", id="documents"),
    pytest.param("/v1/rerank", {"model": "small", "query": "Hello", "documents": ["a"]}, "query", id="query"),
]


@pytest.mark.parametrize(("path", "body", "param"), TOO_LONG)
def test_what_is_too_long_is_named(serve, path, body, param):
    response = serve(model=Full, files=(FAKE_FILE, SMALL)).post(path, body)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, "context_length_exceeded", param)


def test_the_end_of_a_stream_that_has_begun_names_it_too(serve):
    class Late(Full):
        async def complete(self, request):
            yield Text("well")
            raise ContextTooLong(200_000, 4096)

    text = serve(model=Late).post("/v1/completions", {"model": "fake", "prompt": "Hi", "stream": True}).text
    assert '"param":"prompt"' in text and text.endswith("data: [DONE]\n\n")
