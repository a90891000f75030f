"""What a server in Ollama's place must do, line by line, through the official clients.

`GET /`, versions, 404 and 405      test_simple_paths, test_refusals
every error and its status          here by the clients' classes; test_refusals
loading, unloading, keep_alive      here; test_ollama_door
a line for each piece, six figures  here; test_ollama_door, test_demo
a tool there and back on four APIs  here
no thinking where none is wanted    test_complaints; how much each level thinks needs gpt-oss itself
a format and hard thinking          test_complaints; benchmarks/structured.py counts a hundred
usage, stops, seeds, likelihoods    here; base64: test_vectors_door; bounds and choices: test_complaints
hanging up frees the model          test_hang_up, test_runner
models that Ollama has pulled       tests/store
keys, hosts, origins, ports         test_guard, tests/cli/test_port.py
"""

import asyncio
import datetime
import json
import math
import threading
from dataclasses import replace

import anthropic
import httpx2
import ollama
import openai
import pytest

from four_clients import CLIENTS, Ask, Offer, through
from ossian.chat import Done, Message, Text, Thinking, ToolCall, Usage
from ossian.engines.fake import FakeModel
from server_process import Server

QUESTION = "Explain recursion in Python."
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PATH = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS = (Offer("get-weather", CITY, "Weather now."), Offer("mcp.files.read", PATH, "Read a file."))
CALLS = (
    ToolCall("call_1", "get-weather", '{"city":  "Oslo"}'),
    ToolCall("call_2", "mcp.files.read", '{"path": "a.txt"}'),
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("home"))
    yield server
    server.close()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", CLIENTS)
def test_a_tool_is_called_and_its_result_read(serve, name, stream):
    """Two tools in one turn, names with - and ., results as lists of parts, instructions of a developer."""
    server = serve([[Thinking("Both."), *CALLS], [Text("Rain, it says.")]])
    ask = Ask("Weather?", model="fake", system="Be brief.", tools=TOOLS, effort="high", stream=stream)
    first = through(name, server.url, ask)
    assert first.calls == (("get-weather", {"city": "Oslo"}), ("mcp.files.read", {"path": "a.txt"}))
    assert (first.thinking, first.text) == ("Both.", "")

    server = serve([[Thinking("Both."), *CALLS], [Text("Rain, it says.")]])
    results = {"get-weather": "rain", "mcp.files.read": "rain, it says"}
    assert through(name, server.url, replace(ask, results=results)).text == "Rain, it says."
    system, *turns = server.model.requests[1].messages
    assert system == Message("system" if name == "anthropic" else "developer", "Be brief.")
    assert [even_out(turn) for turn in turns] == [
        Message("user", "Weather?"),
        Message("assistant", thinking="Both.", calls=tuple(map(even_out_call, CALLS))),
        Message("tool", "rain", name="get-weather"),
        Message("tool", "rain, it says", name="mcp.files.read"),
    ]


def even_out(turn: Message) -> Message:
    """Without ids, which each door makes in its own way and Ollama's client throws away."""
    return replace(turn, call_id="", calls=tuple(map(even_out_call, turn.calls)))


def even_out_call(call: ToolCall) -> ToolCall:
    return replace(call, id="", arguments=json.dumps(json.loads(call.arguments)))


@pytest.mark.parametrize("name", CLIENTS)
def test_a_stream_joins_to_the_whole_answer(demo, name):
    ask = Ask(QUESTION, effort="high")
    assert through(name, demo.url, replace(ask, stream=True)) == through(name, demo.url, ask)


def test_every_door_says_the_same(demo):
    told = [through(name, demo.url, Ask(QUESTION)) for name in CLIENTS]
    assert len({replace(said, reason="") for said in told}) == 1


@pytest.mark.parametrize("name", CLIENTS)
def test_a_seed_makes_an_answer_come_again(demo, name):
    def say(seed: int) -> str:
        return through(name, demo.url, Ask("Hello", effort="none", temperature=1.5, seed=seed, bound=40)).text

    assert say(7) == say(7)
    assert len({say(seed) for seed in range(5)}) > 1


STOPPED = {"ollama": "stop", "openai": "stop", "responses": "completed", "anthropic": "stop_sequence"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", CLIENTS)
def test_any_of_several_stops_ends_the_answer(demo, name, stream):
    ask = Ask(QUESTION, effort="none", stream=stream)
    whole = through(name, demo.url, ask).text
    first, second = whole[40:44], whole[20:24]
    said = through(name, demo.url, replace(ask, stop=("nowhere in it", first, second)))
    ends = min(whole.index(first) + 4, whole.index(second) + 4) - 4
    assert (said.text, said.reason) == (whole[:ends], STOPPED[name])


def test_usage_comes_last_and_is_that_of_the_whole(demo):
    client = openai.OpenAI(base_url=f"{demo.url}/v1", api_key="any")
    ask = {"model": "demo", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "seed": 1}
    whole = client.chat.completions.create(**ask)
    chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert chunks[-1].usage.prompt_tokens == whole.usage.prompt_tokens


@pytest.mark.parametrize("door", ["chat", "generate"])
def test_six_figures_are_above_zero(demo, door):
    client = ollama.Client(demo.url)
    options = {"temperature": 0, "seed": 1}
    ask = {"messages": [{"role": "user", "content": QUESTION}]} if door == "chat" else {"prompt": QUESTION}
    *_, end = getattr(client, door)(model="demo", **ask, options=options, stream=True)
    figures = (
        end.total_duration, end.load_duration, end.prompt_eval_count, end.prompt_eval_duration, end.eval_count,
        end.eval_duration,
    )  # fmt: skip
    assert all(isinstance(figure, int) and figure > 0 for figure in figures)
    assert end.total_duration >= end.prompt_eval_duration + end.eval_duration


def test_log_probabilities_make_up_the_answer(demo):
    client = openai.OpenAI(base_url=f"{demo.url}/v1", api_key="any")
    choice = client.chat.completions.create(
        model="demo", messages=[{"role": "user", "content": QUESTION}], logprobs=True, top_logprobs=5, temperature=0
    ).choices[0]
    tokens = choice.logprobs.content
    assert b"".join(bytes(token.bytes) for token in tokens).decode() == choice.message.content
    for token in tokens:
        likeliest = [top.logprob for top in token.top_logprobs]
        assert len(likeliest) == 5 and likeliest == sorted(likeliest, reverse=True)
        assert sum(map(math.exp, likeliest)) <= 1 + 1e-3
        assert token.logprob == likeliest[0] <= 0  # at temperature 0 the likeliest is drawn
        assert bytes(token.bytes).decode(errors="replace") == token.token


def test_ollamas_log_probabilities_make_up_the_answer_too(demo):
    reply = ollama.Client(demo.url).generate(
        "demo", QUESTION, logprobs=True, top_logprobs=2, options={"num_predict": 60}
    )
    assert "".join(token.token for token in reply.logprobs) == reply.response
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in reply.logprobs)


@pytest.mark.parametrize(
    ("keep_alive", "seconds"),
    [
        pytest.param(90, 90, id="number"),
        pytest.param("1h30m", 5400, id="duration"),
        pytest.param(-1, math.inf, id="negative number"),
        pytest.param("-1m", math.inf, id="negative duration"),
        pytest.param(None, 300, id="setting"),
    ],
)
def test_a_model_stays_as_long_as_was_said(serve, keep_alive, seconds):
    client = ollama.Client(serve().url)
    assert client.generate("fake", "", keep_alive=keep_alive).done_reason == "load"
    left = client.ps().models[0].expires_at - datetime.datetime.now(datetime.UTC)
    assert (left.days > 365 * 90) if seconds == math.inf else (seconds - 30 < left.total_seconds() <= seconds)
    assert client.generate("fake", "", keep_alive=0).done_reason == "unload"
    assert client.ps().models == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", CLIENTS)
def test_what_is_not_here_is_not_found_in_every_clients_own_words(serve, name, stream):
    errors = (ollama.ResponseError, openai.NotFoundError, anthropic.NotFoundError)
    with pytest.raises(errors, match="model 'nobody' not found") as caught:
        through(name, serve().url, Ask("Hi", model="nobody", stream=stream))
    assert caught.value.status_code == 404


@pytest.mark.parametrize("name", CLIENTS)
def test_tools_for_a_model_without_them_are_refused_in_ollamas_words(serve, name):
    errors = (ollama.ResponseError, openai.BadRequestError, anthropic.BadRequestError)
    with pytest.raises(errors, match="library/plain:latest does not support tools"):
        through(name, serve().url, Ask("Hi", model="plain", effort="none", tools=TOOLS))


def test_pieces_come_while_the_rest_is_written(serve):
    heard = threading.Event()

    class Waiting(FakeModel):
        async def chat(self, request):
            yield Text("one")
            await asyncio.to_thread(heard.wait, 10)
            yield Text(" two")
            yield Done("stop", Usage())

    body = {"model": "fake", "messages": [{"role": "user", "content": "Hi"}]}
    with httpx2.stream("POST", f"{serve(model=Waiting).url}/api/chat", json=body, timeout=10) as response:
        lines = response.iter_lines()
        assert json.loads(next(lines))["message"]["content"] == "one"
        heard.set()
        assert [json.loads(line)["done"] for line in lines] == [False, True]


def test_show_tells_the_tensors_and_the_vocabulary_where_that_is_asked_for(demo):
    short = httpx2.post(f"{demo.url}/api/show", json={"model": "demo"}).json()
    long = httpx2.post(f"{demo.url}/api/show", json={"model": "demo", "verbose": True}).json()
    added = {name: value for name, value in long["model_info"].items() if name not in short["model_info"]}
    assert all(isinstance(value, list) for value in added.values())
    assert len(added["tokenizer.ggml.tokens"]) == 4096 and "<|end|>" in added["tokenizer.ggml.tokens"]
    tensors = {tensor["name"]: tensor for tensor in long["tensors"]}
    embedding = tensors["token_embd.weight"]
    assert (embedding["shape"][1], "tensors" in short) == (4096, False)
    assert {tensor["type"] for tensor in tensors.values()} >= {"F32", "MXFP4"}
