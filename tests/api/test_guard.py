"""Who may come in: Host, Origin, key and size."""

import json
import socket

import pytest

from ossian.api.serve import refuse_open_door
from ossian.errors import SettingInvalid
from ossian.settings import Settings

EXTRA = {"hosts": ("ossian.example",), "origins": ("https://good.example", "https://*.sub.example")}
CHAT = {"model": "fake", "prompt": "Hi", "stream": False}


def bare_get(server, rest):
    """What a socket hears after a request that no client library would send."""
    with socket.create_connection(server.url.removeprefix("http://").split(":"), timeout=5) as connection:
        connection.sendall(f"GET /api/version {rest}\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.fixture(scope="module")
def open_server(serve_steadily):
    return serve_steadily(**EXTRA)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:11434", "127.0.0.1:1", "[::1]:11434", "192.168.1.7", "0.0.0.0:80", "box.local",
     "host.docker.internal:11434", "a.localhost", "ossian.example"],
)  # fmt: skip
def test_own_hosts_come_in(open_server, host):
    assert open_server.get("/api/version", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "8.8.8.8", "127.0.0.1.evil.example", "a b"])
def test_other_hosts_do_not(steady_server, host):
    server = steady_server
    response = server.get("/api/version", headers={"host": host})
    assert response.status_code == 403 and "OSSIAN_HOSTS" in response.json()["error"]
    assert server.get("/v1/models", headers={"host": host}).json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "origin",
    ["http://localhost", "https://127.0.0.1:3000", "http://0.0.0.0:1", "vscode-webview://abc", "app://x", "tauri://localhost",
     "chrome-extension://abc", "https://good.example", "https://a.sub.example"],
)  # fmt: skip
def test_these_pages_may_call(open_server, origin):
    response = open_server.post("/api/generate", CHAT, headers={"origin": origin})
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://localhost:x"]
)
def test_those_may_not(steady_server, origin):
    server = steady_server
    response = server.post("/api/generate", CHAT, headers={"origin": origin})
    assert response.status_code == 403 and "OSSIAN_ORIGINS" in response.json()["error"]
    assert server.models == []


def test_every_page_may_call_when_so_set_and_our_own_always(serve):
    server = serve(origins=("*",))
    assert server.get("/api/tags", headers={"origin": "null"}).status_code == 200
    own = {"host": "box.local:11434", "origin": "http://box.local:11434"}
    assert serve().get("/api/tags", headers=own).status_code == 200


def test_preflight(serve):
    server = serve(api_key="secret")
    headers = {"origin": "http://localhost:5173", "access-control-request-method": "POST"}
    response = server.client.options(server.url + "/v1/chat/completions", headers=headers)
    assert response.status_code == 204
    assert "x-stainless-retry-count" in response.headers["access-control-allow-headers"]
    assert "POST" in response.headers["access-control-allow-methods"]
    assert server.client.options(server.url + "/api/chat", headers={"origin": "http://evil.example"}).status_code == 403


def test_errors_can_be_read_by_pages(steady_server):
    response = steady_server.post("/api/generate", {"model": "nobody"}, headers={"origin": "http://localhost"})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (404, "http://localhost")


def test_a_key_is_wanted_when_there_is_one(serve):
    server = serve(api_key="schlüssel")
    for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Bearer"}, {"x-api-key": "wrong"}):
        response = server.get("/api/tags", headers=headers)
        assert response.status_code == 403 and "API key" in response.json()["error"]
    assert server.get("/").status_code == 200
    assert server.get("/api/tags", headers={"authorization": "bearer schlüssel".encode()}).status_code == 200
    assert server.post("/api/generate", CHAT, headers={"x-api-key": "schlüssel".encode()}).status_code == 200


def test_changing_models_needs_the_admin_key_and_that_opens_all_else(serve):
    server = serve(api_key="one", admin_key="two")
    answers = {}
    for key in ("one", "two"):
        headers = {"authorization": f"Bearer {key}"}
        asked = server.post("/api/generate", CHAT, headers=headers)
        copied = server.post("/api/copy", {"source": "nobody", "destination": "x"}, headers=headers)
        answers[key] = (asked.status_code, copied.status_code)
    assert answers == {"one": (200, 403), "two": (200, 404)}


def test_an_admin_key_alone_leaves_asking_open(serve):
    server = serve(admin_key="two")
    assert server.post("/api/generate", CHAT).status_code == 200
    response = server.post("/api/pull", {"model": "nobody"})
    assert response.status_code == 403 and "admin key" in response.json()["error"]


def test_without_a_key_any_authorization_is_ignored(steady_server):
    server = steady_server
    for value in ("Bearer ", "Bearer", "Bearer x", "Basic eDp5", ""):
        asked = f"HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {value}\r\n"
        assert bare_get(server, asked).startswith(b"HTTP/1.1 200")


def test_a_body_that_is_too_large_is_refused_announced_or_not(serve):
    server = serve(max_body=1000)
    body = json.dumps({**CHAT, "prompt": "x" * 2_000_000}).encode()
    assert server.post("/api/generate", content=body).status_code == 413
    pieces = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    response = server.post("/v1/chat/completions", content=pieces)
    assert response.status_code == 413 and "OSSIAN_MAX_BODY" in response.json()["error"]["message"]
    assert server.post("/api/generate", CHAT).status_code == 200


def test_a_request_without_a_host_comes_in(steady_server):
    assert bare_get(steady_server, "HTTP/1.0\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.example"])
def test_an_open_door_needs_a_key(host):
    with pytest.raises(SettingInvalid, match="OSSIAN_API_KEY"):
        refuse_open_door(Settings(address=(host, 11434)))
    refuse_open_door(Settings(address=(host, 11434), api_key="secret"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_none(host):
    refuse_open_door(Settings(address=(host, 11434)))
