"""The paths that only say something, and the page that describes them all."""

from ossian import __version__
from ossian.api.app import ROUTES


def test_ollama_is_running(steady_server):
    server = steady_server
    assert server.get("/").text == "Ollama is running"
    assert server.client.head(server.url + "/").status_code == 200


def test_the_version_is_one_that_clients_accept(steady_server):
    response = steady_server.get("/api/version")
    assert response.json() == {"version": "0.33.0", "ossian": __version__}
    assert response.headers["x-ossian-version"] == __version__
    assert "server" not in response.headers


def test_every_get_answers_head(steady_server):
    server = steady_server
    for path in ("/", "/api/version", "/api/tags", "/api/ps", "/v1/models", "/health", "/api/status"):
        response = server.client.head(server.url + path)
        assert (response.status_code, response.text) == (200, "")


def test_the_description_names_every_path_and_shape(steady_server):
    page = steady_server.get("/openapi.json").json()
    assert set(page["paths"]) == {route.path.replace(":path", "") for route in ROUTES}
    assert {"OllamaChat", "OllamaGenerate", "OpenAIChat", "OllamaMessage"} <= set(page["components"]["schemas"])
    assert all(route.answer.__doc__ for route in ROUTES)
