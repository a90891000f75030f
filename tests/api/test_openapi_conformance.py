"""schemathesis asks every route of the OpenAPI document for what it says, and for what it does not."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from huggingface_hub import constants
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from loopback_hub import running_hub
from ossian.api.app import ROUTES
from ossian.api.openapi import describe
from ossian.api.shapes_vectors import EMBEDDER
from ossian.engines.fake import FAKE_FILE
from ossian.store import pull as pull_module
from small_gguf import gguf_bytes

ABLE = replace(
    FAKE_FILE, name="able", path=Path("able"), capabilities=("completion", "tools", "insert", "thinking", "embedding")
)
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
def server(serve_steadily, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with running_hub() as hub, pytest.MonkeyPatch.context() as patch:
        hub.add("ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b-mxfp4.gguf", gguf_bytes())
        patch.setattr(pull_module, "PAUSE_SECONDS", 0.01)
        patch.setattr(constants, "HF_HUB_CACHE", str(home / "cache"))
        patch.setenv("HF_ENDPOINT", hub.url)
        yield serve_steadily(files=(ABLE,), home=home, models=home / "models")


@schema.parametrize()
@settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_route_keeps_to_its_description(case, server):
    case.call_and_validate(base_url=server.url, excluded_checks=[checks.positive_data_acceptance])
