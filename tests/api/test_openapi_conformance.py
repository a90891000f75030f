"""schemathesis asks every route of the OpenAPI document for what it says, and for what it does not."""

import json
import re
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from ossian.api.app import ROUTES
from ossian.api.openapi import describe
from ossian.api.shapes_vectors import EMBEDDER

NAMES = ("able", "nobody", "gpt-oss:20b", "mine")


def document() -> dict[str, Any]:
    """The document, with names of models that there are: a random one is seldom a model's."""
    told = json.loads(re.sub(rf'"(demo|{re.escape(EMBEDDER)})"', '"able"', json.dumps(describe(ROUTES))))
    for schema in told["components"]["schemas"].values():
        for field in {"model", "source", "destination", "from"} & set(schema.get("properties", ())):
            if "description" in schema["properties"][field]:
                unset = [] if field in schema.get("required", ()) else [None]
                schema["properties"][field] = {"enum": [*NAMES, *unset]}
    return told


schema = schemathesis.openapi.from_dict(document())
schema.config.generation.update(modes=list(GenerationMode))


@pytest.fixture(scope="module")
def session():
    with requests.Session() as session:
        yield session


# A body of the right shape may still be refused: no schema says which models there are, or that n is too many.
@schema.parametrize()
@settings(max_examples=15, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_route_keeps_to_its_description(case, able_server, session):
    case.call_and_validate(able_server.url, session, excluded_checks=[positive_data_acceptance])
