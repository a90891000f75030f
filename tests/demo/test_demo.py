"""The model that ships in the package, through a real server process: a stranger's first five minutes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2
import ollama
import openai
import pytest

from ossian.engines.memory import has_kernels
from server_process import Server

QUESTION = "Explain recursion in Python."
HELLO = [{"role": "user", "content": QUESTION}]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("home"))
    yield server
    server.close()


def chat(server: Server, **more: object) -> httpx2.Response:
    body = {"model": "demo", "messages": HELLO, "stream": False, **more}
    return httpx2.post(f"{server.url}/api/chat", json=body, timeout=60)


def test_curl_streams_an_answer(server: Server) -> None:
    """Whether it is a right answer is measured by training/evaluate.py, not here."""
    body = json.dumps({"model": "demo", "prompt": QUESTION})
    command = ["curl", "-sN", f"{server.url}/api/generate", "-H", "Content-Type: application/json", "-d", body]
    lines = [json.loads(line) for line in subprocess.run(command, capture_output=True, text=True).stdout.splitlines()]
    assert len(lines) > 10
    assert len("".join(line["response"] for line in lines).split()) > 5
    assert lines[-1]["done"] and lines[-1]["done_reason"] == "stop"


def test_one_object_holds_answer_thinking_and_all_six_figures(server: Server) -> None:
    answer = chat(server).json()
    assert answer["message"]["content"] and answer["message"]["thinking"]
    assert answer["done_reason"] == "stop"
    counts = ("prompt_eval_count", "eval_count")
    durations = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
    assert all(isinstance(answer[name], int) and answer[name] > 0 for name in (*counts, *durations))


@pytest.mark.skipif(not has_kernels(), reason="llama.cpp serves one answer at once")
async def test_a_short_question_is_answered_while_a_long_one_is_still_read(server: Server) -> None:
    """A chat, or a suggestion while one types, does not wait for another chat's twenty thousand tokens."""
    long = {"model": "demo", "messages": [{"role": "user", "content": "lists and tuples. " * 5_000}], "stream": False}
    async with httpx2.AsyncClient(base_url=server.url, timeout=120) as client:
        slow = asyncio.create_task(client.post("/api/chat", json=long | {"options": {"num_predict": 1}}))
        await asyncio.sleep(0.5)  # it has begun to read
        quick = await client.post("/api/chat", json={"model": "demo", "messages": HELLO, "stream": False})
        assert quick.json()["message"]["content"]
        assert not slow.done()
        assert (await slow).json()["prompt_eval_count"] > 20_000


def test_a_stream_says_what_the_whole_answer_says(server: Server) -> None:
    options = {"temperature": 0, "seed": 1}
    whole = chat(server, options=options).json()["message"]
    lines = chat(server, options=options, stream=True).text.splitlines()
    pieces = [json.loads(line)["message"] for line in lines]
    for part in ("content", "thinking"):
        assert "".join(piece.get(part) or "" for piece in pieces) == whole[part]


def test_without_thinking_there_is_none(server: Server) -> None:
    message = chat(server, think=False).json()["message"]
    assert message["content"] and not message.get("thinking")


def test_the_official_clients_are_answered(server: Server) -> None:
    by_ollama = ollama.Client(server.url).chat("demo", HELLO, think="low")
    by_openai = openai.OpenAI(base_url=f"{server.url}/v1", api_key="x").chat.completions.create(
        model="demo", messages=HELLO, reasoning_effort="low"
    )
    assert by_ollama.message.content and by_ollama.message.thinking
    assert by_openai.choices[0].message.content
    assert by_openai.choices[0].finish_reason == "stop"
    assert by_openai.usage.total_tokens > 20


async def test_the_official_async_clients_stream(server: Server) -> None:
    streams = await ollama.AsyncClient(server.url).chat("demo", HELLO, stream=True)
    assert "".join([part.message.content or "" async for part in streams])
    client = openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="x")
    chunks = await client.chat.completions.create(model="demo", messages=HELLO, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])


def test_a_killed_model_says_so_and_the_next_question_gets_a_fresh_one(server: Server) -> None:
    chat(server)
    (runner,) = server.runners()
    body = {"model": "demo", "messages": HELLO, "options": {"temperature": 2.0}}
    with httpx2.stream("POST", f"{server.url}/api/chat", json=body, timeout=60) as response:
        lines = response.iter_lines()
        next(lines)
        os.kill(runner.pid, signal.SIGKILL)
        last = [json.loads(line) for line in lines][-1]
    assert "was ended by SIGKILL" in last["error"]
    assert chat(server).status_code == 200


def test_a_prompt_of_200_000_tokens_is_refused_with_its_length(server: Server) -> None:
    response = chat(server, messages=[{"role": "user", "content": "list " * 200_000}])
    assert response.status_code == 400
    assert "exceed the context length of 131072" in response.json()["error"]


async def test_fifty_callers_of_whom_half_leave_disturb_nobody(server: Server) -> None:
    chat(server)
    (runner,) = server.runners()
    before = runner.memory_info().rss

    async def ask(number: int) -> str:
        body = {"model": "demo", "messages": HELLO, "stream": False, "options": {"num_predict": 8}}
        async with httpx2.AsyncClient(timeout=60) as client:
            asked = asyncio.create_task(client.post(f"{server.url}/api/chat", json=body))
            if number % 2:
                await asyncio.sleep(0.02 * number)
                asked.cancel()
                return "left"
            return (await asked).json()["done_reason"]

    told = await asyncio.gather(*(ask(number) for number in range(50)))
    assert [word for word in told if word != "left"] == ["length"] * 25
    assert chat(server).status_code == 200
    assert runner.memory_info().rss < before + 100_000_000


def test_the_command_line_answers_and_says_nothing_else_on_stdout(server: Server) -> None:
    command = [sys.executable, "-m", "ossian", "run", "demo", QUESTION]
    told = subprocess.run(command, env=server.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert told.returncode == 0
    assert len(told.stdout.split()) > 5
    assert "Started" not in told.stdout


def test_unloading_gives_the_memory_back(server: Server) -> None:
    chat(server)
    assert len(server.runners()) == 1
    chat(server, messages=[], keep_alive=0)
    end = time.monotonic() + 5
    while server.runners():
        assert time.monotonic() < end
        time.sleep(0.05)
