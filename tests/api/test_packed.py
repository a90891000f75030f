"""Bodies may come packed, at every door, and never grow beyond the bound."""

import gzip
import hashlib
import json

import pytest
import zstandard

CHAT = {"model": "fake", "messages": [{"role": "user", "content": "Hello"}], "stream": False}
BODY = json.dumps(CHAT).encode()
PACKED = [
    pytest.param("gzip", gzip.compress(BODY), id="gzip"),
    pytest.param("GZIP", gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]), id="gzip in two members"),
    pytest.param("zstd", zstandard.compress(BODY), id="zstd"),
    pytest.param("zstd", zstandard.ZstdCompressor(write_content_size=False).compress(BODY), id="zstd of unknown size"),
    pytest.param("zstd", zstandard.compress(BODY[:9]) + zstandard.compress(BODY[9:]), id="zstd in two frames"),
    pytest.param("identity", BODY, id="identity"),
]
BROKEN = [
    pytest.param("gzip", BODY, 400, "the body is not gzip", id="not gzip"),
    pytest.param("gzip", gzip.compress(BODY)[:-12], 400, "the body is not gzip", id="cut gzip"),
    pytest.param("zstd", BODY, 400, "the body is not zstd", id="not zstd"),
    pytest.param("zstd", zstandard.compress(BODY)[:-4], 400, "ends too early", id="cut zstd"),
    pytest.param("br", BODY, 415, 'the Content-Encoding "br" is not known; send one of gzip', id="unknown"),
    pytest.param("gzip", gzip.compress(b" " * 10_000_000), 413, "larger than 100000 bytes", id="gzip bomb"),
    pytest.param("zstd", zstandard.compress(b" " * 10_000_000), 413, "larger than 100000 bytes", id="zstd bomb"),
]


@pytest.mark.parametrize("path", ["/api/chat", "/v1/chat/completions"])
@pytest.mark.parametrize(("encoding", "body"), PACKED)
def test_a_packed_body_is_read(steady_server, path, encoding, body):
    response = steady_server.client.post(steady_server.url + path, content=body, headers={"content-encoding": encoding})
    assert response.status_code == 200, response.text
    assert "You said: Hello" in response.text


@pytest.fixture(scope="module")
def small_server(serve_steadily):
    return serve_steadily(max_body=100_000)


@pytest.mark.parametrize(("encoding", "body", "status", "words"), BROKEN)
def test_what_cannot_be_unpacked_is_refused(small_server, encoding, body, status, words):
    headers = {"content-encoding": encoding}
    response = small_server.client.post(f"{small_server.url}/v1/chat/completions", content=body, headers=headers)
    assert response.status_code == status
    assert words in response.json()["error"]["message"]


@pytest.mark.parametrize(("size", "status"), [(50_000, 201), (100_001, 413)])
def test_an_upload_may_come_packed_and_is_bounded_then(serve, tmp_path, size, status):
    """One that is not packed is bounded by the disk alone; unpacking happens in memory."""
    server = serve(max_body=100_000, models=tmp_path)
    digest = hashlib.sha256(bytes(size)).hexdigest()
    headers = {"content-encoding": "gzip"}
    response = server.client.post(
        f"{server.url}/api/blobs/sha256:{digest}", content=gzip.compress(bytes(size)), headers=headers
    )
    assert response.status_code == status
    assert [path.name for path in tmp_path.rglob("sha256-*")] == [f"sha256-{digest}"] * (status == 201)
