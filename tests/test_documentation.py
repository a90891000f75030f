"""What the program has, the documentation names; what the documentation shows, works."""

import re
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from ossian.api.app import build_app
from ossian.cli import COMMANDS, HIDDEN
from ossian.engines.fake import FAKE_FILE, FakeModel, find_fake
from ossian.engines.pool import Pool
from ossian.settings import VARIABLES, Settings

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs" / "reference.md").read_text()


def routes() -> list[str]:
    async def start(*_: object) -> FakeModel:
        return FakeModel()

    app = build_app(Settings(), Pool(Settings(), find_fake, start), lambda: [FAKE_FILE])
    return sorted({route.path for route in app.routes if isinstance(route, APIRoute)})


@pytest.mark.parametrize("route", routes())
def test_every_route_is_documented(route: str) -> None:
    assert f"`{route.replace(':path', '')}`" in REFERENCE


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - set(HIDDEN)))
def test_every_command_is_documented(command: str) -> None:
    assert f"`ossian {command}" in REFERENCE


@pytest.mark.parametrize("variable", VARIABLES, ids=lambda variable: variable.names[0])
def test_every_setting_is_documented(variable: object) -> None:
    for name in variable.names:  # type: ignore[attr-defined]
        assert f"`{name}`" in REFERENCE


def test_no_setting_is_documented_that_does_not_exist() -> None:
    known = {name for variable in VARIABLES for name in variable.names}
    named = set(re.findall(r"`((?:OSSIAN|OLLAMA)_[A-Z_]+)`", REFERENCE))
    assert named <= known
