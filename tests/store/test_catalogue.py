"""Which models are on this disk, in folders as people, `ossian pull` and huggingface_hub leave them."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ossian.chat import MODEL_CAPABILITIES
from ossian.errors import BadRequest
from ossian.store.catalogue import Catalogue
from ossian.store.hugging_face import Hub
from small_gguf import GPT_OSS, gguf_bytes, write_gguf

REPOSITORY, FILE = "ggml-org/gpt-oss-20b-GGUF", "gpt-oss-20b-mxfp4.gguf"


@pytest.fixture
def models(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def hub(tmp_path):
    return Hub(cache=tmp_path / "hf" / "hub")


@pytest.fixture
def catalogue(tmp_path, models, hub):
    return Catalogue(models, demo=tmp_path / "demo.gguf", hub=hub)


def names(catalogue):
    return sorted(model.name for model in catalogue.list())


def write_cached(cache: Path, repository: str, file: str, commit: str = "a" * 40) -> Path:
    """A file in the Hub's cache as huggingface_hub lays it out: a blob, and a link in a snapshot of a commit."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    blob = write_gguf(folder / "blobs" / ("b" * 64))
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    link = folder / "snapshots" / commit / file
    link.parent.mkdir(parents=True)
    link.symlink_to(os.path.relpath(blob, link.parent))
    return link


def test_an_empty_disk_has_no_models(catalogue):
    assert (catalogue.list(), catalogue.find("gpt-oss"), catalogue.find("hf.co/a/b")) == ([], None, None)


def test_the_demo_is_a_model(catalogue, tmp_path):
    write_gguf(tmp_path / "demo.gguf")
    assert names(catalogue) == ["demo"]
    assert catalogue.find("demo") == catalogue.find("Demo:latest") == catalogue.list()[0]


def test_a_file_laid_into_the_folder_has_its_own_name(catalogue, models):
    path = write_gguf(models / "Tiny.gguf")
    write_gguf(models / "mine" / "other.gguf")
    assert names(catalogue) == ["other", "tiny"]
    assert catalogue.find("TINY").path == path


def test_a_file_whose_name_is_no_model_name_is_found_by_it_all_the_same(catalogue, models):
    path = write_gguf(models / "My Model (1).gguf")
    assert names(catalogue) == ["My Model (1)"]
    assert catalogue.find("My Model (1)").path == path


def test_what_a_model_is_comes_from_its_file(catalogue, models):
    write_gguf(models / "tiny.gguf", weights=4096)
    tiny = catalogue.find("tiny")
    assert (tiny.architecture, tiny.is_gpt_oss, tiny.context_length, tiny.parameter_count) == (
        "gpt-oss", True, 131_072, 4096,
    )  # fmt: skip
    assert (tiny.capabilities, tiny.vocabulary) == (("completion", "tools", "insert", "thinking"), 100)
    assert (tiny.parameters, tiny.license, tiny.size) == ({"temperature": 1.0}, "apache-2.0", tiny.path.stat().st_size)
    assert len(tiny.digest) == 64


@pytest.mark.parametrize(
    ("pooling", "capabilities"),
    [
        pytest.param({}, ("completion",), id="writes"),
        pytest.param({"bert.pooling_type": 1}, ("embedding",), id="gives vectors"),
        pytest.param({"bert.pooling_type": 4}, ("rerank",), id="gives scores"),
    ],
)
def test_how_a_model_pools_says_what_it_can_do(catalogue, models, pooling, capabilities):
    write_gguf(models / "tiny.gguf", {"general.architecture": "bert", **pooling})
    assert catalogue.find("tiny").capabilities == capabilities
    assert set(capabilities) <= set(MODEL_CAPABILITIES)


@pytest.mark.parametrize("name", ["gpt-oss:20b", "gpt-oss-20b", "gpt-oss", "GPT-OSS", "openai/gpt-oss-20b"])
@pytest.mark.parametrize("place", ["pulled", "cached", "laid"])
def test_gpt_oss_is_found_by_all_its_names_wherever_it_lies(catalogue, models, hub, name, place):
    if place == "cached":
        path = write_cached(hub.cache, REPOSITORY, FILE)
    else:
        path = write_gguf(models / (f"{REPOSITORY}/{FILE}" if place == "pulled" else "gpt-oss-20b.gguf"))
    assert names(catalogue) == ["gpt-oss:20b"]
    found = catalogue.find(name)
    assert (found.name, found.path) == ("gpt-oss:20b", path)


@pytest.mark.parametrize("tag", ["", ":latest", ":Q4_K_M", ":q4", ":small-Q4_K_M", ":small-Q4_K_M.gguf"])
def test_a_repository_is_found_by_what_it_was_pulled_as(catalogue, models, tag):
    path = write_gguf(models / "org" / "small-GGUF" / "small-Q4_K_M.gguf")
    write_gguf(models / "org" / "small-GGUF" / "small-Q8_0.gguf")
    assert names(catalogue) == ["hf.co/org/small-GGUF:small-Q4_K_M", "hf.co/org/small-GGUF:small-Q8_0"]
    assert catalogue.find(f"hf.co/org/small-GGUF{tag}").path == path


def test_a_repository_is_used_from_the_cache_of_the_hub_where_it_lies(catalogue, hub, models):
    path = write_cached(hub.cache, "org/small", "small-Q8_0.gguf")
    assert catalogue.find("hf.co/org/small").path == catalogue.find("hf.co/org/small:Q8_0").path == path
    assert catalogue.find("hf.co/org/small:Q4_0") is None
    assert not models.exists()


def test_the_cache_of_the_hub_is_where_HF_HOME_says(tmp_path, models):
    path = write_cached(tmp_path / "home" / "hub", REPOSITORY, FILE)
    script = (
        f"from pathlib import Path; from ossian.store.catalogue import Catalogue; "
        f"print(Catalogue(Path({str(models)!r})).find('gpt-oss').path)"
    )
    environment = {name: text for name, text in os.environ.items() if not name.startswith("HF_")}
    found = subprocess.run(
        [sys.executable, "-c", script],
        env={**environment, "HF_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(path)


def test_a_file_whose_blob_is_gone_from_the_cache_is_no_model(catalogue, hub):
    write_cached(hub.cache, REPOSITORY, FILE).resolve().unlink()
    assert (catalogue.list(), catalogue.find("gpt-oss")) == ([], None)


def test_a_path_is_a_model(catalogue, tmp_path, monkeypatch):
    path = write_gguf(tmp_path / "elsewhere" / "some.gguf")
    assert (catalogue.find(str(path)).name, catalogue.find(str(path)).path) == (str(path), path)
    assert catalogue.list() == []
    monkeypatch.chdir(path.parent)
    assert catalogue.find("some.gguf").path == path


def test_a_file_asked_for_by_path_and_by_name_keeps_both_names(catalogue, models):
    path = write_gguf(models / "tiny.gguf")
    assert [catalogue.find(name).name for name in (str(path), "tiny", str(path))] == [str(path), "tiny", str(path)]


@pytest.mark.parametrize("name", ["no.gguf", "/no/such.gguf", "~nobody-here/x.gguf", "\0.gguf", "x" * 500 + ".gguf"])
def test_a_path_where_nothing_lies_is_no_crash(catalogue, name):
    try:
        assert catalogue.find(name) is None
    except BadRequest as error:
        assert "invalid model name" in str(error)


def test_a_damaged_file_is_left_out_of_the_list_and_named_when_asked_for(catalogue, models, caplog):
    write_gguf(models / "good.gguf")
    damaged = models / "damaged.gguf"
    damaged.write_bytes(gguf_bytes()[:200])
    with caplog.at_level(logging.WARNING):
        assert names(catalogue) == names(catalogue) == ["good"]
    assert len(caplog.records) == 1
    with pytest.raises(BadRequest, match=r"damaged\.gguf is not a usable GGUF file \(it ends too early\)"):
        catalogue.find("damaged")
    write_gguf(damaged)
    assert names(catalogue) == ["damaged", "good"]


def test_what_cannot_be_read_is_left_out_and_said_when_asked_for(catalogue, models, monkeypatch):
    locked = write_gguf(models / "locked.gguf")
    (models / "folder.gguf").mkdir()
    (models / "dangling.gguf").symlink_to(models / "nowhere")
    write_gguf(models / ".hidden" / "hidden.gguf")
    really_open = Path.open

    def refuse(path, *arguments, **more):
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return really_open(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", refuse)
    assert catalogue.list() == []
    with pytest.raises(BadRequest, match=r"locked\.gguf cannot be read \(Permission denied\)"):
        catalogue.find("locked")


def test_a_file_is_read_again_when_it_changes_and_only_then(catalogue, models, monkeypatch):
    path = write_gguf(models / "tiny.gguf", weights=1024)
    first = catalogue.find("tiny")
    monkeypatch.setattr("ossian.store.catalogue.read_header", None)
    assert catalogue.find("tiny") == first
    monkeypatch.undo()
    write_gguf(path, weights=2048)
    assert catalogue.find("tiny").parameter_count == 2048
    assert catalogue.find("tiny").digest != first.digest


def test_half_a_pull_is_no_model(catalogue, models):
    write_gguf(models / "a" / "b" / "c.gguf.0123456789ab.part")
    assert catalogue.list() == []


def test_the_newest_model_stands_first(catalogue, models):
    for age, name in enumerate(("new", "older", "oldest")):
        os.utime(write_gguf(models / f"{name}.gguf", {**GPT_OSS, "general.name": name}), (1e9 - age, 1e9 - age))
    assert [model.name for model in catalogue.list()] == ["new", "older", "oldest"]
