"""Every example that the documentation shows is sent to a real server with real models, and answered as it says."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest

from loopback_hub import running_hub
from ossian.api.app import ROUTES
from ossian.api.openapi import describe
from server_process import Server
from small_embedder import write_embedder
from small_gguf import gguf_bytes

DOCUMENT = json.loads(json.dumps(describe(ROUTES)))
JSON = "application/json"
EMBEDDER = "nomic-ai/nomic-embed-text-v1.5-GGUF/nomic-embed-text-v1.5.Q4_K_M.gguf"
GPT_OSS = ("ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b-mxfp4.gguf")
OPERATIONS = [
    pytest.param(method, path, operation, id=f"{method.upper()} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("home")
    write_embedder(home / "models" / EMBEDDER)
    with running_hub() as hub:
        hub.add(*GPT_OSS, gguf_bytes())
        server = Server(home, HF_ENDPOINT=hub.url)
        yield server
        server.close()


def send(server: Server, method: str, path: str, body: Any = None) -> httpx2.Response:
    content = json.dumps(body) if isinstance(body, dict) else body
    return httpx2.request(method, server.url + path, content=content, timeout=60)


def bodies_of(operation: dict[str, Any]) -> list[Any]:
    """All examples; None where nothing is sent."""
    content = operation.get("requestBody", {}).get("content", {})
    if JSON in content:
        return [example["value"] for example in content[JSON]["examples"].values()]
    return [media["example"] for media in content.values()] or [None]


def fill(path: str, operation: dict[str, Any], server: Server) -> str:
    """The path with its examples; only the id of an answer is that of a real one."""
    if "{id}" in path:
        kept = send(server, "post", "/v1/responses", {"model": "demo", "input": "What is a list?"}).json()["id"]
        path = path.replace("{id}", kept)
    if "/{name}" in path:
        note = Path(server.environment["OSSIAN_HOME"]) / "note.md"
        note.write_text("A list is sorted by `sort`.")
        send(server, "post", "/api/library/books/documents", {"paths": [str(note)]})
        path += f"?path={note}" if path.endswith("/text") else ""
    for told in operation.get("parameters", ()):
        path = path.replace(f"{{{told['name']}}}", str(told.get("example")))
    return path


def closed(schema: Any) -> Any:
    """The same schema, which also refuses fields that are not told."""
    match schema:
        case {"properties": dict()}:
            return {key: closed(value) for key, value in schema.items()} | {"additionalProperties": False}
        case dict():
            return {key: closed(value) for key, value in schema.items()}
        case list():
            return [closed(item) for item in schema]
    return schema


def check(response: httpx2.Response, told: dict[str, Any]) -> None:
    """The content type is among those that are told, and JSON is of the shape that is told, with no field more."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    assert kind in (told.get("content") or {"": None})
    if kind == JSON:
        components = closed(copy.deepcopy(DOCUMENT["components"]))
        jsonschema.validate(response.json(), {**told["content"][JSON]["schema"], "components": components})


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_every_example_is_answered_as_it_says(server, method, path, operation):
    status, told = next(iter(operation["responses"].items()))
    bodies = bodies_of(operation)
    assert bodies, "an example is missing: see `documented` in shapes.py"
    for body in bodies:
        response = send(server, method, fill(path, operation, server), body)
        assert response.status_code == int(status), response.text
        check(response, told)
