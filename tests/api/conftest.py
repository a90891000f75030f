"""A server for tests that ask at random: one model that can do everything, folders of its own, a Hub on loopback."""

from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants

from loopback_hub import running_hub
from ossian.engines.fake import FAKE_FILE
from ossian.store import pull
from small_gguf import gguf_bytes

ABILITIES = ("completion", "tools", "insert", "thinking", "embedding")
ABLE = replace(FAKE_FILE, name="able", path=Path("able"), capabilities=ABILITIES)


@pytest.fixture(scope="module")
def able_server(serve_steadily, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with running_hub() as hub, pytest.MonkeyPatch.context() as patch:
        hub.add("ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b-mxfp4.gguf", gguf_bytes())
        patch.setattr(pull, "PAUSE_SECONDS", 0.01)
        patch.setattr(constants, "HF_HUB_CACHE", str(home / "cache"))
        patch.setenv("HF_ENDPOINT", hub.url)
        yield serve_steadily(files=(ABLE,), home=home, models=home / "models")
