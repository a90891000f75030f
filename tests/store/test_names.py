"""What people call models."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ossian.errors import BadRequest
from ossian.store.names import ModelName, read_name

GPT_OSS = ModelName("ossian", "library", "gpt-oss", "20b")


@pytest.mark.parametrize(
    "text",
    ["gpt-oss", "gpt-oss:20b", "gpt-oss-20b", "GPT-OSS:20B", "Gpt-Oss-20b:latest", " gpt-oss ", "openai/gpt-oss-20b"],
)
def test_every_spelling_of_gpt_oss_is_one_model(text):
    assert read_name(text) == GPT_OSS


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("demo", ModelName("ossian", "library", "demo", "latest"), id="a short name"),
        pytest.param("demo:latest", ModelName("ossian", "library", "demo", "latest"), id="as Ollama lists it"),
        pytest.param("gpt-oss:120b", ModelName("ossian", "library", "gpt-oss", "120b"), id="the large one"),
        pytest.param("hf.co/a/b", ModelName("hugging_face", "a", "b", ""), id="a repository"),
        pytest.param("hf.co/a/b:latest", ModelName("hugging_face", "a", "b", ""), id="latest says nothing there"),
        pytest.param("hf.co/a/b:Q4_K_M", ModelName("hugging_face", "a", "b", "Q4_K_M"), id="a quantization"),
        pytest.param("https://huggingface.co/a/b", ModelName("hugging_face", "a", "b", ""), id="an address"),
        pytest.param("HF.co/Org/Model-GGUF", ModelName("hugging_face", "Org", "Model-GGUF", ""), id="case is kept"),
    ],
)
def test_a_name_is_read(text, name):
    assert read_name(text) == name
    assert read_name(str(name)) == name


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "a/b", "../x", "hf.co/a", "hf.co/../b", "hf.co/a/b/c", "hf.co/a/b:../c", "a:b:c", "é", "x" * 2000],
)
def test_what_cannot_be_a_name_is_refused(text):
    with pytest.raises(BadRequest, match="invalid model name"):
        read_name(text)


@given(st.text(max_size=50) | st.from_regex(r"hf\.co/.{0,20}/.{0,20}:.{0,10}", fullmatch=True))
def test_any_text_is_a_name_or_refused(text):
    try:
        name = read_name(text)
    except BadRequest:
        return
    assert not any(part.startswith(".") or "/" in part for part in (name.owner, name.model, name.tag))
