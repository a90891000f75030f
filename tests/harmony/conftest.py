"""The recorder needs a package that tests do not, so pytest leaves it alone."""

import os
from typing import Any

import pytest
from official_tokens import VOCABULARY

collect_ignore = ["record_official.py"]


@pytest.fixture(scope="session")
def encoding() -> Any:
    if not VOCABULARY.exists():
        pytest.skip(f"no vocabulary at {VOCABULARY}; record_official.py tells how to build it")
    official = pytest.importorskip("openai_harmony")
    os.environ["TIKTOKEN_ENCODINGS_BASE"] = str(VOCABULARY.parent)
    return official.load_harmony_encoding("HarmonyGptOss")
