"""/v1/models, with the clients of OpenAI and of Anthropic."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import anthropic
import openai
import pytest

from ossian.engines.fake import FAKE_FILE

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = {"a": 0, "b": 1, "c": 2}
FILES = tuple(replace(FAKE_FILE, name=name, modified_at=NEW_YEAR + timedelta(days=day)) for name, day in DAYS.items())
ANTHROPICS = {"anthropic-version": "2023-06-01"}


@pytest.fixture(scope="module")
def server(serve_steadily):
    return serve_steadily(files=FILES, context_length=65_536)


def of_anthropic(server, **more):
    return anthropic.Anthropic(base_url=server.url, api_key="ignored", max_retries=0, **more)


def test_each_client_lists_the_models_in_its_own_shape(server):
    of_openai = openai.OpenAI(base_url=f"{server.url}/v1", api_key="ignored", max_retries=0)
    assert [model.id for model in of_openai.models.list()] == ["a", "b", "c"]
    assert [model.id for model in of_anthropic(server).models.list()] == ["c", "b", "a"]


def test_anthropics_list_and_one_of_it(server):
    written = {
        "type": "model",
        "id": "a",
        "display_name": "a",
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": 65_536,
        "max_tokens": 16_384,
    }
    page = server.get("/v1/models?after_id=b", headers=ANTHROPICS).json()
    assert page == {"data": [written], "has_more": False, "first_id": "a", "last_id": "a"}
    assert server.get("/v1/models/a", headers=ANTHROPICS).json() == written
    assert of_anthropic(server).models.retrieve("a").created_at == NEW_YEAR


def test_the_client_turns_the_pages(server):
    client = of_anthropic(server)
    assert [model.id for model in client.models.list(limit=1)] == ["c", "b", "a"]
    assert [model.id for model in client.models.list(limit=1, before_id="a").data] == ["b"]
    assert client.models.list(limit=2, before_id="a").has_more is False


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "after_id=z", "before_id=z"])
def test_a_page_that_cannot_be_is_refused_by_its_field(server, query):
    response = server.get(f"/v1/models?{query}", headers=ANTHROPICS)
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
    assert query.partition("=")[0] in response.json()["error"]["message"]


def test_errors_are_said_in_the_words_of_the_client(server):
    with pytest.raises(anthropic.NotFoundError) as error:
        of_anthropic(server).models.retrieve("nobody")
    assert error.value.body["error"]["type"] == "not_found_error"
    assert server.get("/v1/models/nobody").json()["error"]["code"] == "model_not_found"
    stranger = {**ANTHROPICS, "host": "evil.example"}
    assert server.get("/v1/models", headers=stranger).json()["type"] == "error"


def test_without_models_the_list_is_empty(serve):
    page = serve(files=()).get("/v1/models", headers=ANTHROPICS).json()
    assert page == {"data": [], "has_more": False, "first_id": None, "last_id": None}
