"""Models made, copied, deleted and uploaded over a real socket, with real files and Ollama's own client."""

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import ollama
import pytest
from huggingface_hub import constants

from ossian.api.app import ROUTES
from ossian.chat import Message
from ossian.store import blobs
from small_gguf import gguf_bytes, write_gguf

SHOTS = [{"role": "user", "content": "2+2"}, {"role": "assistant", "content": "4"}]
WISHES = {
    "system": "Be brief.",
    "parameters": {"temperature": 0.25, "stop": ["END", "\nUser"], "seed": 7.0},
    "messages": SHOTS,
    "license": ["MIT", "no warranty"],
}
MODELFILE = (
    'FROM tiny\nPARAMETER temperature 0.25\nPARAMETER stop "END"\nPARAMETER stop """\nUser"""\nPARAMETER seed 7\n'
    'SYSTEM """Be brief."""\nLICENSE """MIT\nno warranty"""\nMESSAGE user "2+2"\nMESSAGE assistant "4"\n'
)
ZEROS = f"sha256:{'0' * 64}"
HOSTILE = ["../up", "a/../../up", "/etc/passwd", "a:../up", "..", "a/b", ".x", "a\\b", "hf.co/a/b", "x.gguf", "a" * 300]


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    write_gguf(tmp_path / "models" / "tiny.gguf")
    return tmp_path / "models"


@pytest.fixture
def server(serve, models):
    return serve(models=models, stored=True)


@pytest.fixture
def client(server):
    return ollama.Client(server.url)


def statuses(response):
    return [json.loads(line)["status"] for line in response.text.splitlines()]


def names(client):
    return sorted(model.model for model in client.list().models)


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def post_blob(server, digest, data, **more):
    return server.client.post(f"{server.url}/api/blobs/{digest}", content=data, **more)


def leftovers(models):
    return sorted(path.name for path in (models / "blobs").glob("*")) if (models / "blobs").exists() else []


def test_a_creation_tells_its_steps(server):
    response = server.post("/api/create", {"model": "mine", "from": "tiny", "template": "x", **WISHES})
    assert response.headers["content-type"] == "application/x-ndjson"
    assert statuses(response) == [
        "template is ignored: gpt-oss is always asked in its own language, harmony",
        "using tiny",
        "writing manifest",
        "success",
    ]


def test_without_a_stream_the_last_line_comes_alone(server):
    response = server.post("/api/create", {"name": "mine", "from": "tiny", "stream": False})
    assert (response.status_code, response.json()) == (200, {"status": "success"})


def test_the_client_of_ollama_creates_shows_copies_and_deletes(client, models):
    assert client.create("mine", from_="tiny", **WISHES).status == "success"
    shown = client.show("mine")
    assert (shown.license, shown.details.parent_model, shown.details.family) == ("MIT\nno warranty", "tiny", "gptoss")
    assert shown.parameters.split("\n")[:4] == [
        "temperature                    0.25", 'stop                           "END"',
        'stop                           "\\nUser"', "seed                           7",
    ]  # fmt: skip
    assert shown.modelfile == MODELFILE
    assert client.copy("mine", "yours").status == "success"
    assert names(client) == ["demo", "mine", "tiny", "yours"]
    assert client.show("yours").modelfile == MODELFILE
    assert client.delete("mine").status == "success"
    assert client.delete("yours").status == "success"
    assert names(client) == ["demo", "tiny"]
    assert client.delete("tiny").status == "success"
    assert (names(client), (models / "tiny.gguf").exists()) == (["demo"], False)


def test_show_tells_all_that_was_made(server, client):
    client.create("mine", from_="tiny", **WISHES)
    shown = server.post("/api/show", {"model": "mine"}).json()
    assert (shown["system"], shown["messages"]) == ("Be brief.", SHOTS)
    tag = next(tag for tag in server.get("/api/tags").json()["models"] if tag["name"] == "mine")
    assert (tag["details"]["parent_model"], tag["size"]) == ("tiny", client.list().models[0].size)
    assert server.get("/v1/models/mine").json()["id"] == "mine"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/api/chat", {"messages": [{"role": "user", "content": "3+3"}]}, id="chat"),
        pytest.param("/api/generate", {"prompt": "3+3"}, id="generate"),
        pytest.param("/v1/chat/completions", {"messages": [{"role": "user", "content": "3+3"}]}, id="v1"),
    ],
)
def test_what_was_made_is_said_and_set_before_every_conversation(server, client, path, body):
    client.create("mine", from_="tiny", **WISHES)
    answer = server.post(path, {"model": "mine", "stream": False, **body})
    assert answer.status_code == 200
    asked = server.model.requests[-1]
    assert asked.messages == (
        Message("system", "Be brief."), Message("user", "2+2"), Message("assistant", "4"), Message("user", "3+3"),
    )  # fmt: skip
    assert (asked.sampling.temperature, asked.sampling.seed, asked.stop) == (0.25, 7, ("END", "\nUser"))


def test_the_callers_own_system_text_stands_before_the_turns_of_the_model(server, client):
    client.create("mine", from_="tiny", **WISHES)
    asked = [{"role": "system", "content": "Be long."}, {"role": "user", "content": "3+3"}]
    client.chat("mine", asked)
    assert [turn.content for turn in server.model.requests[-1].messages] == ["Be long.", "2+2", "4", "3+3"]


def test_ps_goes_by_the_name_that_was_asked_for_and_the_file_is_loaded_once(server, client):
    client.create("mine", from_="tiny", **WISHES)
    for name in ("tiny", "mine"):
        client.generate(name, "Hi")
        (seat,) = client.ps().models
        assert (seat.name, seat.details.parent_model) == (name, "tiny" if name == "mine" else "")
    assert len(server.models) == 1


def test_a_model_made_from_a_made_one_adds_to_it(server, client):
    client.create("mine", from_="tiny", **WISHES)
    client.create("ours", from_="mine", system="Be bold.", parameters={"seed": 8})
    shown = server.post("/api/show", {"model": "ours"}).json()
    assert (shown["system"], shown["messages"], shown["details"]["parent_model"]) == ("Be bold.", SHOTS, "mine")
    client.delete("mine")
    assert client.show("ours").modelfile == MODELFILE.replace("seed 7", "seed 8").replace("brief", "bold")


def test_a_context_of_its_own_is_served_and_shown(server, client):
    client.create("small", from_="tiny", parameters={"num_ctx": 8192})
    assert "PARAMETER num_ctx 8192" in client.show("small").modelfile
    client.generate("small", "Hi")
    assert server.model.requests[-1].context == 8192


def test_a_path_is_something_to_make_a_model_from(client, tmp_path):
    path = write_gguf(tmp_path / "elsewhere" / "x.gguf")
    client.create("mine", from_=str(path))
    assert client.show("mine").details.parent_model == str(path)
    client.delete("mine")
    assert path.exists()


def test_a_repository_is_remembered_by_its_file(client, models):
    write_gguf(models / "o" / "r" / "x-Q8_0.gguf")
    client.create("mine", from_="hf.co/o/r")
    write_gguf(models / "o" / "r" / "x-MXFP4.gguf")
    assert client.show("mine").modelfile.startswith("FROM hf.co/o/r:x-Q8_0\n")


def test_options_about_the_machine_are_left_out_with_a_line(server, client):
    response = server.post("/api/create", {"model": "mine", "from": "tiny", "parameters": {"num_gpu": 3, "seed": None}})
    assert statuses(response)[0] == "num_gpu is not used: Ossian decides that for itself"
    assert "num_gpu" not in client.show("mine").modelfile


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        pytest.param({"model": ""}, 400, "invalid model name", id="no name"),
        pytest.param({"from": ""}, 400, "neither 'from' or 'files' was specified", id="from nothing"),
        pytest.param({"files": {"a": ZEROS}}, 400, "both 'from' and 'files' were specified", id="from both"),
        pytest.param(
            {"from": "nobody"}, 404, "model 'nobody' not found on this machine. Try: ossian pull", id="unknown"
        ),
        pytest.param({"from": "a b"}, 400, "invalid model name 'a b'", id="from no name"),
        pytest.param({"from": 3}, 400, "from must be a string", id="from of a wrong type"),
        pytest.param({"from": "", "files": {}}, 400, "neither 'from' or 'files'", id="no files"),
        pytest.param({"from": "", "files": {"a": "x"}}, 400, "invalid digest format", id="no digest"),
        pytest.param({"from": "", "files": {"a": "sha256:../../x"}}, 400, "invalid digest format", id="digest up"),
        pytest.param({"from": "", "files": {"a": ZEROS}}, 400, f"the file {ZEROS} is not here", id="not uploaded"),
        pytest.param({"from": "", "files": {"a": ZEROS, "b": ZEROS}}, 400, "files has 2 entries", id="two files"),
        pytest.param({"from": "", "files": [ZEROS]}, 400, "files must be an object", id="a list of files"),
        pytest.param({"quantize": "q4_0"}, 400, "quantize is not supported", id="quantize"),
        pytest.param({"adapters": {"a": ZEROS}}, 400, "adapters is not supported", id="adapters"),
        pytest.param({"renderer": "x"}, 400, "renderer is not supported", id="renderer"),
        pytest.param({"parser": "x"}, 400, "parser is not supported", id="parser"),
        pytest.param({"modelfile": "FROM x"}, 400, "modelfile is not supported: send what it says", id="modelfile"),
        pytest.param({"parameters": {"num_ctx": "8k"}}, 400, 'option "num_ctx" must be of type integer', id="integer"),
        pytest.param({"parameters": {"stop": [1]}}, 400, "must be of an array of strings", id="stop"),
        pytest.param({"parameters": {"mirostat": 1}}, 400, "unknown parameter 'mirostat'", id="unknown parameter"),
        pytest.param({"parameters": [1]}, 400, "parameters must be an object", id="parameters"),
        pytest.param({"license": 3}, 400, "license must be a string or a list of strings", id="license"),
        pytest.param({"messages": [{"role": "king"}]}, 400, "messages[0].role", id="king"),
        pytest.param({"messages": [{"role": "tool"}]}, 400, 'messages[0].role "tool" is not supported', id="tool"),
        pytest.param({"messages": [{"role": "user", "images": ["a"]}]}, 400, "messages[0].images is not", id="image"),
        pytest.param({"system": ["a"]}, 400, "system must be a string", id="system"),
    ],
)
def test_what_cannot_be_made_has_a_status_and_its_name(server, models, more, status, words, stream):
    response = server.post("/api/create", {"model": "mine", "from": "tiny", "stream": stream, **more})
    assert response.status_code == status
    assert words in response.json()["error"]
    assert not (models / "manifests").exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leads_out_of_the_folder(server, models, tmp_path, name):
    before = sorted(tmp_path.rglob("*"))
    for method, path, body, words in (
        ("POST", "/api/create", {"model": name, "from": "tiny"}, "invalid model name"),
        ("POST", "/api/copy", {"source": "tiny", "destination": name}, f'destination "{name}" is invalid'),
    ):
        response = server.client.request(method, server.url + path, json=body)
        assert (response.status_code, response.json()["error"].startswith(words)) == (400, True)
    response = server.client.request("DELETE", server.url + "/api/delete", json={"model": name})
    assert response.status_code in (400, 404)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/api/copy", {"source": "no", "destination": "b"}, 404, 'model "no" not found'),
        ("POST", "/api/copy", {"source": "a b", "destination": "b"}, 400, 'source "a b" is invalid'),
        ("POST", "/api/copy", {"source": "tiny", "destination": ""}, 400, 'destination "" is invalid'),
        ("POST", "/api/copy", {"source": "", "destination": "b"}, 404, 'model "" not found'),
        ("DELETE", "/api/delete", {"model": "no"}, 404, "model 'no' not found"),
        ("DELETE", "/api/delete", {"model": "a b"}, 400, 'name "a b" is invalid'),
        ("DELETE", "/api/delete", {"model": "a\0"}, 400, "is invalid"),
        ("DELETE", "/api/delete", {}, 400, 'name "" is invalid'),
        ("DELETE", "/api/delete", None, 400, "missing request body"),
        ("DELETE", "/api/delete", {"model": "demo"}, 400, "'demo' is not deleted: it is a part of Ossian itself"),
        ("POST", "/api/push", {"model": "tiny"}, 400, "'tiny' cannot be pushed: Ossian keeps models on this machine"),
        ("POST", "/api/push", {}, 400, "has nowhere to push them to"),
        ("POST", "/api/me", None, 401, "unauthorized"),
        ("POST", "/api/signout", None, 401, "you are not currently signed in"),
    ],
)
def test_what_is_refused_is_told_in_the_words_of_ollama(server, method, path, body, status, words):
    content = {} if body is None else {"json": body}
    response = server.client.request(method, server.url + path, **content)
    assert response.status_code == status
    assert words in response.json()["error"]


def test_a_file_that_a_made_model_needs_is_not_deleted(server, client, models):
    client.copy("tiny", "mine")
    with pytest.raises(ollama.ResponseError, match="because mine would lose its file: delete mine first"):
        client.delete("tiny")
    assert (models / "tiny.gguf").exists()


def test_a_loaded_model_is_unloaded_before_its_file_goes(server, client):
    client.generate("tiny", "Hi")
    assert len(client.ps().models) == 1
    client.delete("tiny")
    assert (client.ps().models, server.model.alive) == ([], False)


def test_another_model_stays_loaded_when_one_that_shares_its_file_is_deleted(server, client):
    client.copy("tiny", "mine")
    client.generate("tiny", "Hi")
    client.delete("mine")
    assert [seat.name for seat in client.ps().models] == ["tiny"]


def test_a_damaged_model_can_be_deleted(client, models):
    (models / "tiny.gguf").write_bytes(b"GGUF")
    client.delete("tiny")
    assert not (models / "tiny.gguf").exists()


def test_an_uploaded_file_becomes_a_model(server, client, models, tmp_path):
    path = write_gguf(tmp_path / "mine.gguf", weights=300_000)
    digest = client.create_blob(path)
    assert digest == digest_of(path.read_bytes())
    assert leftovers(models) == [digest.replace(":", "-")]
    assert client.create("mine", files={"mine.gguf": digest}, system="Be brief.").status == "success"
    shown = client.show("mine")
    assert (shown.details.parent_model, shown.modelfile.partition("\n")[0]) == ("", "FROM mine")
    client.create("ours", from_="mine")
    assert client.show("ours").details.parent_model == "mine"
    client.delete("mine")
    assert client.generate("ours", "Hi").response == "You said: Hi"
    client.delete("ours")
    assert leftovers(models) == []


def test_whether_a_file_is_there_is_told(server):
    data = gguf_bytes()
    place = f"{server.url}/api/blobs/{digest_of(data)}"
    assert server.client.head(place).status_code == 404
    assert (post_blob(server, digest_of(data), data).status_code, server.client.head(place).status_code) == (201, 200)
    assert post_blob(server, digest_of(data), data).status_code == 200
    assert server.client.head(f"{server.url}/api/blobs/sha256:abc").status_code == 400


def test_a_file_may_be_larger_than_any_other_body(serve, models):
    server = serve(models=models, stored=True, max_body=1000)
    data = bytes(3_000_000)
    assert post_blob(server, digest_of(data), data).status_code == 201
    assert post_blob(server, digest_of(b"x" + data), iter([b"x", data])).status_code == 201
    assert server.post("/api/create", {"model": "m", "from": "x" * 1000}).status_code == 413


@pytest.mark.parametrize("digest", ["sha256:abc", "x", "sha256:" + "z" * 64, "sha512:" + "0" * 64, "..%2f..%2fup"])
def test_what_is_no_digest_is_refused(server, models, digest):
    response = post_blob(server, digest, b"data")
    assert response.status_code in (400, 404)
    assert leftovers(models) == []


def test_a_file_that_is_not_what_its_digest_says_is_removed(server, models):
    response = post_blob(server, ZEROS, b"data")
    assert response.status_code == 400
    assert response.json()["error"] == f'digest mismatch, expected "{ZEROS}", got "{digest_of(b"data")}"'
    assert leftovers(models) == []


def test_a_file_that_is_no_model_makes_none(server, models):
    post_blob(server, digest_of(b"text"), b"text")
    response = server.post("/api/create", {"model": "mine", "files": {"a.gguf": digest_of(b"text")}})
    assert response.status_code == 400
    assert response.json()["error"].startswith("supplied file was not in GGUF format:")
    assert leftovers(models) == []


def test_a_disk_that_is_too_full_is_said_before_the_first_byte(server, models, monkeypatch):
    monkeypatch.setattr(blobs, "KEPT_FREE_BYTES", 1 << 60)
    response = post_blob(server, ZEROS, bytes(5_000_000))
    assert (response.status_code, "the disk has 0.0 GB free" in response.json()["error"]) == (507, True)
    assert leftovers(models) == []


def begin_upload(url, size):
    """An upload that has sent half of what it announced."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"POST /api/blobs/{ZEROS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"
    connection.sendall(head.encode() + bytes(size // 2))
    return connection


def test_who_hangs_up_leaves_nothing_behind(server, models, eventually):
    connection = begin_upload(server.url, 8_000_000)
    eventually(lambda: len(leftovers(models)) == 1, 5)
    connection.close()
    eventually(lambda: leftovers(models) == [], 5)


def test_a_server_that_is_killed_in_the_middle_leaves_nothing_half(models, tmp_path, eventually):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    place = {"OSSIAN_HOST": address, "OSSIAN_MODELS": str(models), "OSSIAN_HOME": str(tmp_path / "home")}
    client = ollama.Client(address)

    def start():
        process = subprocess.Popen(
            [sys.executable, "-m", "ossian", "serve"], env={**os.environ, **place}, stderr=subprocess.DEVNULL
        )
        wait_until_it_answers(client)
        return process

    first = start()
    connection = begin_upload(f"http://{address}", 8_000_000)
    eventually(lambda: any((models / "blobs").glob("*.part")), 10)
    first.send_signal(signal.SIGKILL)
    first.wait()
    connection.close()
    second = start()
    try:
        assert leftovers(models) == []
        assert names(client) == ["demo", "tiny"]
        digest = client.create_blob(models / "tiny.gguf")
        assert client.create("mine", files={"x.gguf": digest}).status == "success"
    finally:
        second.kill()
        second.wait()


def wait_until_it_answers(client):
    for _ in range(200):
        try:
            return client.list()
        except ConnectionError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


async def test_others_are_answered_while_a_file_comes(server):
    client = ollama.AsyncClient(server.url)
    connection = begin_upload(server.url, 8_000_000)
    assert (await client.list()).models
    connection.close()


def test_the_routes_that_manage_are_marked():
    assert {(route.method, route.path) for route in ROUTES if route.manages} == {
        ("POST", "/api/pull"), ("POST", "/api/create"), ("POST", "/api/copy"), ("DELETE", "/api/delete"),
        ("HEAD", "/api/blobs/{digest}"), ("POST", "/api/blobs/{digest}"), ("POST", "/api/push"),
        ("POST", "/api/library/{name}/documents"), ("DELETE", "/api/library/{name}/documents"),
        ("DELETE", "/api/library/{name}"),
    }  # fmt: skip


def test_a_model_that_recites_is_nothing_to_make_a_model_from(serve, models):
    server = serve(models=models)
    for path, body in (("create", {"model": "m", "from": "fake"}), ("copy", {"source": "fake", "destination": "m"})):
        response = server.post(f"/api/{path}", body)
        assert (response.status_code, "'fake' has no file on this disk" in response.json()["error"]) == (400, True)
    assert server.client.request("DELETE", server.url + "/api/delete", json={"model": "tiny"}).status_code == 404
    assert (models / "tiny.gguf").exists()
