"""What the server counts of itself, read with Prometheus's own parser."""

import asyncio
import json
import socket
from dataclasses import replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from ossian import __version__
from ossian.chat import Done, Text, Usage
from ossian.engines.fake import FAKE_FILE, FakeModel
from ossian.errors import ModelFailed

EMBEDDER = replace(FAKE_FILE, name='a "b"\\', path=Path("embedder"), digest="2" * 64, capabilities=("embedding",))
HELLO = [{"role": "user", "content": "Hello there"}]
ANSWER = [[Text("All well"), Done("stop", Usage(7, 2, 3, prompt_seconds=0.5, completion_seconds=0.25))]]


def figures(server):
    """Every sample by its name and labels."""
    families = text_string_to_metric_families(server.get("/metrics").text)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples
    }


def requests(route, method, status):
    return ("ossian_requests_total", ("method", method), ("route", route), ("status", str(status)))


def test_a_server_that_has_done_nothing(serve):
    server = serve()
    response = server.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.text == EMPTY.format(version=__version__)
    assert server.client.head(server.url + "/metrics").status_code == 200


def test_answers_and_what_they_cost(serve, eventually):
    server = serve(ANSWER)
    server.post("/v1/chat/completions", {"model": "fake", "messages": HELLO})
    server.post("/api/chat", {"model": "fake", "messages": HELLO})
    eventually(lambda: requests("/api/chat", "POST", 200) in figures(server))  # counted once the answer is out
    counted = figures(server)
    assert counted[requests("/v1/chat/completions", "POST", 200)] == 1
    assert counted[requests("/api/chat", "POST", 200)] == 1
    assert counted[("ossian_answers_total", ("end", "stop"))] == 2
    assert counted["ossian_answers_in_progress",] == 0
    assert [counted[f"ossian_{name}_tokens_total",] for name in ("prompt", "cached", "completion")] == [14, 4, 6]
    assert (counted["ossian_prompt_seconds_sum",], counted["ossian_prompt_seconds_count",]) == (1.0, 2)
    assert (counted["ossian_completion_seconds_sum",], counted["ossian_completion_seconds_count",]) == (0.5, 2)
    assert counted["ossian_load_seconds_sum",] > 0
    assert counted["ossian_models_loaded",] == 1
    assert counted["ossian_model_context_tokens", ("model", "fake")] == 131_072
    assert counted["ossian_model_bytes", ("model", "fake")] == 0


def test_vectors_count_as_tokens_read(serve):
    server = serve(files=(EMBEDDER,))
    server.post("/api/embed", {"model": EMBEDDER.name, "input": ["four", "five"]})
    server.post("/v1/rerank", {"model": EMBEDDER.name, "query": "q", "documents": ["d"]})
    counted = figures(server)
    assert counted["ossian_prompt_tokens_total",] == 10
    assert counted["ossian_load_seconds_count",] == 2
    assert counted["ossian_model_context_tokens", ("model", EMBEDDER.name)] == 131_072


def test_a_path_is_counted_under_its_route_and_nobodys_path_has_no_name(serve):
    server = serve(api_key="secret")
    key = {"authorization": "Bearer secret"}
    server.client.headers.update(key)
    server.get("/v1/models/fake")
    server.get("/v1/models/nobody")
    server.get("/nowhere")
    server.get("/api/chat")
    server.client.request("BREW", server.url + "/coffee")
    server.post("/api/chat", {"messages": HELLO})
    server.get("/api/tags", headers={"authorization": "wrong"})
    counted = {name: value for name, value in figures(server).items() if name[0] == "ossian_requests_total"}
    assert counted == {
        requests("/v1/models/{model:path}", "GET", 200): 1,
        requests("/v1/models/{model:path}", "GET", 404): 1,
        requests("other", "GET", 404): 1,
        requests("other", "other", 404): 1,
        requests("/api/chat", "GET", 405): 1,
        requests("/api/chat", "POST", 400): 1,
        requests("other", "GET", 403): 1,
    }


class Troubled(FakeModel):
    async def chat(self, request):
        if request.messages[-1].content == "wait":
            await asyncio.sleep(60)
        raise ModelFailed("it died.")
        yield Text("")


def test_how_answers_end_and_who_waits(serve, eventually):
    server = serve(model=Troubled, num_parallel=1)
    server.post("/api/chat", {"model": "fake", "messages": HELLO})
    sent = json.dumps({"model": "fake", "messages": [{"role": "user", "content": "wait"}]})
    head = f"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(sent)}\r\n\r\n"
    address = server.url.removeprefix("http://").split(":")
    with socket.create_connection(address) as first, socket.create_connection(address) as second:
        for connection in (first, second):
            connection.sendall((head + sent).encode())
        eventually(lambda: figures(server)["ossian_answers_in_progress",] == 2)
        eventually(lambda: figures(server)["ossian_waiting",] == 1)
    eventually(lambda: figures(server)["ossian_answers_in_progress",] == 0)
    counted = figures(server)
    assert counted["ossian_answers_total", ("end", "failed")] == 1
    assert counted["ossian_answers_total", ("end", "left")] == 2
    assert counted["ossian_waiting",] == 0
    assert counted[requests("/api/chat", "POST", 499)] == 2
    assert counted[requests("/api/chat", "POST", 503)] == 1


EMPTY = """\
# HELP ossian_build_info The version of Ossian.
# TYPE ossian_build_info gauge
ossian_build_info{{version="{version}"}} 1
# HELP ossian_requests_total Requests by route, method and status.
# TYPE ossian_requests_total counter
# HELP ossian_answers_total Answers by how they ended.
# TYPE ossian_answers_total counter
# HELP ossian_answers_in_progress Answers begun, waiting ones too.
# TYPE ossian_answers_in_progress gauge
ossian_answers_in_progress 0
# HELP ossian_waiting Callers who wait for a model or a load.
# TYPE ossian_waiting gauge
ossian_waiting 0
# HELP ossian_prompt_tokens_total Tokens of prompts.
# TYPE ossian_prompt_tokens_total counter
ossian_prompt_tokens_total 0
# HELP ossian_cached_tokens_total Of these, from the cache.
# TYPE ossian_cached_tokens_total counter
ossian_cached_tokens_total 0
# HELP ossian_completion_tokens_total Tokens written.
# TYPE ossian_completion_tokens_total counter
ossian_completion_tokens_total 0
# HELP ossian_load_seconds Waiting for the model. In seconds.
# TYPE ossian_load_seconds summary
ossian_load_seconds_sum 0.0
ossian_load_seconds_count 0
# HELP ossian_prompt_seconds Reading prompts. In seconds.
# TYPE ossian_prompt_seconds summary
ossian_prompt_seconds_sum 0.0
ossian_prompt_seconds_count 0
# HELP ossian_completion_seconds Writing answers. In seconds.
# TYPE ossian_completion_seconds summary
ossian_completion_seconds_sum 0.0
ossian_completion_seconds_count 0
# HELP ossian_models_loaded Models in memory.
# TYPE ossian_models_loaded gauge
ossian_models_loaded 0
# HELP ossian_model_bytes Bytes a model holds in memory.
# TYPE ossian_model_bytes gauge
# HELP ossian_model_gpu_bytes Of these, on the GPU.
# TYPE ossian_model_gpu_bytes gauge
# HELP ossian_model_context_tokens Context a model is served with.
# TYPE ossian_model_context_tokens gauge
"""
