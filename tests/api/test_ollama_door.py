"""Ollama's own client, curl and bare HTTP on /api."""

import asyncio
import json
import subprocess
from dataclasses import replace

import ollama
import pytest

from ossian.chat import Done, Message, Text, Thinking, ToolCall, Usage
from ossian.engines.fake import FAKE_FILE, FakeModel

WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "Tell it", "parameters": {"type": "object", "properties": {}}},
}
DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
MEASURES = (*DURATIONS, "prompt_eval_count", "eval_count")


def lines(response):
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_whole_answer_has_content_thinking_and_six_measures(serve):
    server = serve([[Thinking("hm hm"), Text("All well."), Done("length", Usage(7, 2, 3, 0.5, 0.25, 0.125, 1))]])
    response = server.post(
        "/api/chat", {"model": "fake:latest", "messages": [{"role": "user", "content": "Hi"}], "stream": False}
    )
    answer = response.json()
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert answer["model"] == "fake:latest"
    assert answer["message"] == {"role": "assistant", "content": "All well.", "thinking": "hm hm"}
    assert (answer["done"], answer["done_reason"]) == (True, "length")
    assert (answer["prompt_eval_count"], answer["prompt_eval_duration"]) == (7, 250_000_000)
    assert (answer["eval_count"], answer["eval_duration"]) == (3, 125_000_000)
    assert all(isinstance(answer[name], int) and answer[name] > 0 for name in MEASURES)


def test_an_answer_tells_how_much_of_it_was_guessed_where_something_was(serve):
    usage = Usage(7, 2, 3)
    server = serve(
        [
            [Text("Hi."), Done("stop", usage)],
            [Text("Hi."), Done("stop", replace(usage, guessed_tokens=4, kept_tokens=2))],
        ]
    )
    body = {"model": "fake", "messages": [{"role": "user", "content": "Hi"}], "stream": False}
    without, guessed = (server.post("/api/chat", body).json() for _ in range(2))
    assert {name: guessed[name] for name in guessed.keys() - without.keys()} == {
        "ossian_guessed_tokens": 4,
        "ossian_kept_tokens": 2,
    }


class Slow(FakeModel):
    """Reads its prompt for a while; asked for trouble it then fails."""

    async def chat(self, request):
        await asyncio.sleep(0.3)
        if request.messages[-1].content == "trouble":
            raise RuntimeError("broken")
        yield Text("There.")
        yield Done("stop", Usage())


def test_a_long_wait_is_filled_with_pieces_without_words(serve):
    server = serve(model=Slow, comment_seconds=0.005)
    body = {"model": "fake", "messages": [{"role": "user", "content": "Hi"}]}
    first, *_, words, last = lines(server.post("/api/chat", body))
    assert (first["message"], first["done"]) == ({"role": "assistant", "content": ""}, False)
    assert (words["message"]["content"], last["done"]) == ("There.", True)
    pieces = ollama.Client(server.url).chat("fake", body["messages"], stream=True)
    assert "".join(piece.message.content or "" for piece in pieces) == "There."
    *_, error = lines(server.post("/api/chat", body | {"messages": [{"role": "user", "content": "trouble"}]}))
    assert "error" in error


def test_a_short_wait_is_silent_and_an_error_behind_it_has_its_status(serve):
    server = serve(model=Slow, comment_seconds=5)
    body = {"model": "fake", "messages": [{"role": "user", "content": "trouble"}]}
    assert server.post("/api/chat", body).status_code == 500


def test_no_letter_ends_a_line_of_a_stream(serve):
    said = "one\u2028two\u2029three\x85four"
    server = serve([(Text(said),)])
    pieces = ollama.Client(server.url).chat("fake", [{"role": "user", "content": "Hi"}], stream=True)
    assert "".join(piece.message.content or "" for piece in pieces) == said


def test_a_stream_is_one_object_a_line_and_adds_up_to_the_whole(serve):
    server = serve([[Thinking("one two"), Text("three four")]])
    response = server.post("/api/chat", {"model": "fake", "messages": [{"role": "user", "content": "Hi"}]})
    chunks = lines(response)
    assert response.headers["content-type"] == "application/x-ndjson"
    assert "".join(chunk["message"].get("thinking", "") for chunk in chunks) == "one two"
    assert "".join(chunk["message"]["content"] for chunk in chunks) == "three four"
    assert [chunk["done"] for chunk in chunks] == [False] * 4 + [True]
    assert chunks[-1]["done_reason"] == "stop"
    assert all(chunks[-1][name] > 0 for name in MEASURES)


def test_generate_speaks_response(serve):
    server = serve([[Thinking("so"), Text("fine")]])
    whole = server.post("/api/generate", {"model": "fake", "prompt": "Hi", "system": "Be kind", "stream": False}).json()
    assert (whole["response"], whole["thinking"], whole["done_reason"]) == ("fine", "so", "stop")
    assert server.model.requests[0].messages == (Message("system", "Be kind"), Message("user", "Hi"))
    chunks = lines(server.post("/api/generate", {"model": "fake", "prompt": "Hi"}))
    assert [chunk["response"] for chunk in chunks] == ["", "fine", ""]


def test_raw_text_is_continued_as_it_is(serve):
    answer = serve().post("/api/generate", {"model": "fake", "prompt": "def f(", "raw": True, "stream": False}).json()
    assert answer["response"] == "You said: def f("


def test_curl_needs_no_content_type(serve):
    server = serve()
    command = ["curl", "-sS", f"{server.url}/api/generate", "-d", '{"model": "fake", "prompt": "Hello there"}']
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    chunks = [json.loads(line) for line in done.stdout.splitlines()]
    assert "".join(chunk["response"] for chunk in chunks) == "You said: Hello there"


@pytest.mark.parametrize("body", [{"prompt": ""}, {}])
def test_an_empty_prompt_loads_and_keep_alive_0_unloads(serve, body):
    server = serve()
    loaded = server.post("/api/generate", {"model": "fake", "keep_alive": "10m", **body}).json()
    assert (loaded["response"], loaded["done"], loaded["done_reason"]) == ("", True, "load")
    assert [model["name"] for model in server.get("/api/ps").json()["models"]] == ["fake"]
    unloaded = server.post("/api/generate", {"model": "fake", "keep_alive": 0, **body}).json()
    assert unloaded["done_reason"] == "unload"
    assert server.get("/api/ps").json() == {"models": []}


def test_an_empty_chat_loads_and_unloads(serve):
    server = serve()
    loaded = server.post("/api/chat", {"model": "fake", "messages": []}).json()
    assert (loaded["message"], loaded["done_reason"]) == ({"role": "assistant", "content": ""}, "load")
    for name in ("fake", "embedder"):
        assert server.post("/api/chat", {"model": name, "keep_alive": 0}).json()["done_reason"] == "unload"
    assert server.post("/api/chat", {"model": "embedder"}).status_code == 400


def test_options_reach_the_model(serve):
    server = serve(files=(replace(FAKE_FILE, parameters={"temperature": 1.0, "stop": ["<x>"], "top_k": 5}),))
    options = {
        "num_ctx": 4096.0,
        "num_predict": 12,
        "temperature": 0,
        "seed": 7,
        "_otelTraceContext": {},
        "top_p": None,
    }
    server.post("/api/generate", {"model": "fake", "prompt": "Hi", "options": options, "think": "max"})
    asked = server.model.requests[0]
    assert (asked.context, asked.max_tokens, asked.stop) == (4096, 12, ("<x>",))
    assert (asked.sampling.temperature, asked.sampling.seed, asked.sampling.top_k) == (0.0, 7, 5)
    assert asked.sampling.top_p is None
    assert (asked.think, asked.reasoning) == (True, "high")


@pytest.mark.parametrize("num_predict", [-1, -2, 0])
def test_no_bound_is_no_bound(serve, num_predict):
    server = serve()
    options = {"num_predict": num_predict, "seed": -1}
    server.post("/api/generate", {"model": "fake", "prompt": "Hi", "options": options, "format": "json"})
    asked = server.model.requests[0]
    assert (asked.max_tokens, asked.sampling.seed, asked.format) == (None, None, "json")


def test_the_client_of_ollama_calls_a_tool_and_goes_on(serve):
    server = serve()
    client = ollama.Client(server.url)
    messages = [{"role": "user", "content": 'call weather {"city":  "Oslo"}'}]
    reply = client.chat("fake", messages=messages, tools=[WEATHER], think="high")
    call = reply.message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("weather", {"city": "Oslo"})
    assert reply.message.thinking
    messages += [reply.message, {"role": "tool", "content": "rain", "tool_name": "weather"}]
    assert client.chat("fake", messages=messages, tools=[WEATHER]).message.content == "The tool answered: rain"
    assert server.model.requests[1].messages[2].name == "weather"


def test_the_thinking_behind_a_call_is_put_back_when_the_client_drops_it(serve):
    server = serve([[Thinking("Oslo it is."), ToolCall("call_1", "weather", '{"city":  "Oslo"}')], [Text("Rain.")]])
    question = {"role": "user", "content": "Weather?"}
    call = server.post(
        "/api/chat", {"model": "fake", "messages": [question], "tools": [WEATHER], "stream": False}
    ).json()
    assistant = {"role": "assistant", "content": "", "tool_calls": call["message"]["tool_calls"]}
    result = {"role": "tool", "content": "rain", "tool_call_id": "call_1"}
    server.post("/api/chat", {"model": "fake", "messages": [question, assistant, result], "tools": [WEATHER]})
    assert server.model.requests[1].messages == (
        Message("user", "Weather?"),
        Message("assistant", thinking="Oslo it is.", calls=(ToolCall("call_1", "weather", '{"city":  "Oslo"}'),)),
        Message("tool", "rain", call_id="call_1", name="weather"),
    )


def test_a_call_in_a_stream_is_whole(serve):
    server = serve([[ToolCall("call_1", "a", '{"x":1}'), ToolCall("call_2", "b", "not json")]])
    body = {"model": "fake", "messages": [{"role": "user", "content": "go"}], "tools": [WEATHER]}
    calls = [chunk["message"]["tool_calls"] for chunk in lines(server.post("/api/chat", body))[:-1]]
    assert calls == [
        [{"id": "call_1", "function": {"index": 0, "name": "a", "arguments": {"x": 1}}}],
        [{"id": "call_2", "function": {"index": 1, "name": "b", "arguments": {"arguments": "not json"}}}],
    ]


async def test_the_async_client_streams(serve):
    client = ollama.AsyncClient(serve().url)
    stream = await client.chat("fake", messages=[{"role": "user", "content": "Hello there"}], stream=True, think=False)
    assert "".join([part.message.content async for part in stream]) == "You said: Hello there"
    whole = await client.generate("fake", "Hello there")
    assert (whole.response, whole.done_reason) == ("You said: Hello there", "stop")


def test_the_client_of_ollama_lists_shows_and_watches(serve):
    client = ollama.Client(serve().url)
    client.generate("fake", "")
    assert [model.model for model in client.list().models] == ["fake", "plain", "embedder"]
    assert client.show("fake").capabilities == ["completion", "tools", "thinking"]
    assert client.ps().models[0].context_length == 131_072
    with pytest.raises(ollama.ResponseError, match="model 'nobody' not found") as error:
        client.chat("nobody", messages=[{"role": "user", "content": "Hi"}])
    assert error.value.status_code == 404


def test_show_says_what_is_served(serve):
    file = replace(
        FAKE_FILE,
        parameters={"temperature": 1.0, "stop": ["a", "b"]},
        metadata={**FAKE_FILE.metadata, "general.basename": "base", "gpt-oss.many": [1] * 6, "gpt-oss.few": [1] * 5},
        parameter_count=20_914_757_184,
        quantization="MXFP4",
        system="Be brief.",
    )
    server = serve(files=(file,), context_length=65_536)
    shown = server.post("/api/show", {"name": "fake"}).json()
    assert shown["details"] == {
        "parent_model": "",
        "format": "gguf",
        "family": "gptoss",
        "families": ["gptoss"],
        "parameter_size": "20.9B",
        "quantization_level": "MXFP4",
    }
    assert shown["model_info"] == {
        "general.architecture": "gpt-oss",
        "gpt-oss.context_length": 65_536,
        "general.basename": "base",
        "gpt-oss.many": None,
        "gpt-oss.few": [1] * 5,
        "general.parameter_count": 20_914_757_184,
        "ossian.trained_context_length": 131_072,
    }
    assert shown["parameters"].split() == ["temperature", "1.0", "stop", '"a"', "stop", '"b"', "num_ctx", "65536"]
    assert (shown["context_length"], shown["max_output_tokens"]) == (65_536, 16_384)
    assert shown["modelfile"].startswith("FROM fake\nPARAMETER temperature 1.0\n")
    assert server.post("/api/show", {"model": "fake", "verbose": True}).json()["model_info"]["gpt-oss.many"] == [1] * 6


def test_vs_code_finds_the_name_it_asked_for(serve):
    headers = {"user-agent": "GitHubCopilotChat/0.67.0", "authorization": "Bearer"}
    shown = serve().post("/api/show", {"model": "fake:latest"}, headers=headers).json()
    assert shown["model_info"]["general.basename"] == "fake:latest"


def test_tags_and_ps_have_what_editors_read(serve):
    server = serve()
    server.post("/api/generate", {"model": "fake", "keep_alive": -1})
    tag = server.get("/api/tags").json()["models"][0]
    assert (tag["model"], len(tag["digest"]), tag["capabilities"]) == ("fake", 64, list(FAKE_FILE.capabilities))
    assert tag["modified_at"] == "2026-01-01T00:00:00Z"
    assert tag["context_length"] == tag["details"]["context_length"] == 131_072
    seat = server.get("/api/ps").json()["models"][0]
    assert seat["expires_at"] > "2100" and seat["size_vram"] == 0


def test_an_error_before_the_first_word_has_its_status_and_one_after_it_its_line(serve):
    class Breaking(FakeModel):
        async def chat(self, request):
            if request.messages[-1].content == "late":
                yield Text("Well")
            raise RuntimeError("/home/somebody/secret broke")

    server = serve(model=Breaking)
    early = server.post("/api/chat", {"model": "fake", "messages": [{"role": "user", "content": "early"}]})
    assert early.status_code == 500
    assert "internal error" in early.json()["error"] and "secret" not in early.text
    late = server.post("/api/chat", {"model": "fake", "messages": [{"role": "user", "content": "late"}]})
    assert late.status_code == 200
    assert [set(line) & {"error", "message"} for line in lines(late)] == [{"message"}, {"error"}]
    assert server.users == 0
