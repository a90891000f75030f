"""The OpenAPI document and the page that is made of it: valid, whole, and nothing on it from elsewhere."""

import re

import pytest
from openapi_spec_validator import validate

from ossian.api.answers import ANSWERS, all_shapes
from ossian.api.app import ROUTES
from ossian.api.glossary import GLOSSARY
from ossian.api.openapi import describe, find_examples
from ossian.api.schemas import error_schema, write_definitions

DOCUMENT = describe(ROUTES)
SHAPES = DOCUMENT["components"]["schemas"]
BODIES = {route.body.__name__: route.body for route in ROUTES if route.body}
ROUTES_BY_NAME = [pytest.param(route, id=route.name) for route in ROUTES]


def operation_of(route):
    return DOCUMENT["paths"][route.shown_path][route.method.lower()]


def test_the_document_is_valid_and_served_as_it_is(steady_server):
    validate(DOCUMENT)
    assert steady_server.get("/openapi.json").json() == DOCUMENT


def test_the_table_of_answers_names_every_route_and_no_other():
    assert sorted(name for answers in ANSWERS.values() for name in answers) == sorted(route.name for route in ROUTES)


@pytest.mark.parametrize("route", ROUTES_BY_NAME)
def test_every_route_tells_its_parameters_body_answer_and_errors(route):
    told = operation_of(route)
    asked = [one["name"] for one in told.get("parameters", ()) if one["in"] == "path"]
    assert asked == re.findall(r"{(\w+)}", route.shown_path)
    assert all(one["description"] for one in told.get("parameters", ()))
    assert told["summary"].endswith(".")
    assert {"403", "413"} < set(told["responses"])
    if route.body:
        assert told["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith(f"/{route.body.__name__}")
        assert {"400", "404", "415", "503"} <= set(told["responses"])
    for status, answer in told["responses"].items():
        if int(status) >= 400 and route.method != "HEAD":
            assert answer["content"]["application/json"]["schema"] == error_schema(route.dialect)


@pytest.mark.parametrize("name", BODIES)
def test_every_body_has_an_example_that_its_shape_takes(name):
    examples = find_examples(BODIES[name])
    assert examples, f"{name} has no example: see `documented` in shapes.py"
    for example in examples:
        BODIES[name].model_validate(example)
        assert set(example) <= set(SHAPES[name]["properties"])


def test_every_field_of_a_body_has_a_sentence():
    asked, said = write_definitions(BODIES.values()), write_definitions(all_shapes())
    assert set(asked) & set(said) == set(), "two shapes of one name hide each other"
    fields = [(name, field, told) for name in asked for field, told in SHAPES[name].get("properties", {}).items()]
    silent = [f"{name}.{field}" for name, field, told in fields if not told.get("description")]
    assert silent == [], "write them in glossary.py"
    known = {name for shape, field, _ in fields for name in (field, f"{shape}.{field}")}
    assert set(GLOSSARY) <= known, "of fields that are no more"


def test_what_a_route_that_streams_answers_has_both_content_types():
    chat = operation_of(next(route for route in ROUTES if route.path == "/v1/chat/completions"))
    assert list(chat["responses"]["200"]["content"]) == ["application/json", "text/event-stream"]
    chat = operation_of(next(route for route in ROUTES if route.path == "/api/chat"))
    assert list(chat["responses"]["200"]["content"]) == ["application/json", "application/x-ndjson"]


def test_the_page_shows_every_route_and_fetches_nothing(steady_server):
    response = steady_server.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    text = response.text
    for route in ROUTES:
        assert f"<code>{route.shown_path}</code>" in text
    assert re.findall(r"<(?:script|link|img|iframe|form)", text) == []
    assert re.findall(r'(?:src|href)="(?!#|openapi\.json)([^"]*)"', text) == []
    assert "url(" not in text and "@import" not in text


def test_links_of_the_page_lead_somewhere(steady_server):
    text = steady_server.get("/docs").text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= set(ids)


def test_examples_on_the_page_go_to_the_server_that_is_asked(steady_server):
    text = steady_server.get("/docs", headers={"host": "box.local:80"}).text
    assert "curl http://box.local/api/tags<" in text.replace(":80/", "/")
    assert "curl -X DELETE" in text and "curl -I" in text and "| curl --data-binary @-" in text


def test_the_page_is_behind_the_same_doors(serve):
    server = serve(api_key="secret")
    for path in ("/docs", "/openapi.json"):
        assert server.get(path).status_code == 403
        assert server.get(path, headers={"authorization": "Bearer secret", "host": "evil.example"}).status_code == 403
        assert server.get(path, headers={"authorization": "Bearer secret"}).status_code == 200
        assert server.client.head(server.url + path, headers={"x-api-key": "secret"}).status_code == 200


def test_nothing_that_a_caller_says_is_written_on_the_page_as_it_is(steady_server):
    for host in ("<b>.local", "'$(x)'.local", '"onload=x.local'):
        response = steady_server.get("/docs", headers={"host": host})
        assert response.status_code in (200, 400, 403)
        assert "<b>.local" not in response.text and '"onload' not in response.text


def test_a_model_with_a_line_break_in_its_name_is_refused_as_everywhere(steady_server):
    response = steady_server.get("/v1/models/a%0Ab")
    assert (response.status_code, response.json()["error"]["message"]) == (400, "invalid model name")
