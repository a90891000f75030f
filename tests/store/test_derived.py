"""Models made from others: manifests beside the files they stand on, and what may be deleted."""

import hashlib
import os
import subprocess
import sys
import time

import pytest

from ossian.chat import Message
from ossian.errors import BadRequest, DiskRefused, ModelNotFound
from ossian.store.blobs import FORGOTTEN_SECONDS, KEPT_FREE_BYTES, blob_path, receive
from ossian.store.catalogue import Catalogue
from ossian.store.derived import Derived, find_manifests, manifest_path, read_derived, read_new_name, write_derived
from ossian.store.hugging_face import Hub
from ossian.store.names import read_name
from ossian.store.remove import files_of, remove, tidy, write_model
from small_gguf import gguf_bytes, write_gguf

FULL = Derived(
    "tiny",
    "tiny",
    system="Be kind.",
    license="MIT",
    parameters={"temperature": 0.5, "stop": ["a"]},
    messages=(Message("user", "Hi"), Message("assistant", "Hello! 👋")),
)
HOSTILE = [
    "", " ", ".", "..", "../up", "a/../../up", "/etc/passwd", "~/x", "a/b", "a:b:c", "a:../up", "a:/etc", "..:..", ":a",
    "a:", "a\0b", "a\nb", "a\\b", "-a", ".hidden", "a:.hidden", "x" * 200, "a:" + "x" * 200, "hf.co/a/b",
    "huggingface.co/a/b:c", "http://a/b", "mine.gguf", "a:mine.gguf", "C:\\x", "％2e％2e",
]  # fmt: skip


@pytest.fixture
def models(tmp_path):
    return tmp_path / "models"


@pytest.fixture
def catalogue(tmp_path, models):
    write_gguf(tmp_path / "demo.gguf")
    return Catalogue(models, demo=tmp_path / "demo.gguf", hub=Hub(cache=tmp_path / "hub"))


def make(models, name, derived=FULL):
    path = manifest_path(models, read_new_name(name))
    write_model(path, derived, models)
    return path


def put_blob(models, data):
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    with receive(models, digest) as upload:
        upload.write(data)
        upload.finish()
    return digest


def names(catalogue):
    return sorted(model.name for model in catalogue.list())


def test_a_manifest_is_read_as_it_was_written(models):
    path = make(models, "Mine:Small")
    assert path == models / "manifests" / "mine" / "small.json"
    assert read_derived(path) == FULL
    assert [*find_manifests(models)] == [("mine:small", path)]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_leads_elsewhere_is_no_name(name):
    with pytest.raises(BadRequest, match="invalid model name"):
        read_new_name(name)


@pytest.mark.parametrize("name", ["mine", "MINE:latest", " mine "])
def test_a_made_model_has_the_file_of_its_base_and_more(catalogue, models, name):
    write_gguf(models / "tiny.gguf")
    make(models, "mine")
    mine, tiny = catalogue.find(name), catalogue.find("tiny")
    assert names(catalogue) == ["demo", "mine", "tiny"]
    assert (mine.name, mine.path, mine.size, mine.metadata) == ("mine", tiny.path, tiny.size, tiny.metadata)
    assert mine.parameters == {"temperature": 0.5, "stop": ["a"]}
    assert (mine.system, mine.license, mine.messages) == ("Be kind.", "MIT", FULL.messages)
    assert (mine.derived, tiny.derived) == (FULL, None)
    assert len({mine.digest, tiny.digest}) == 2


def test_equal_models_have_equal_digests_and_others_have_others(catalogue, models):
    write_gguf(models / "tiny.gguf")
    for name, derived in (("a", FULL), ("b", FULL), ("c", Derived("tiny", "tiny"))):
        make(models, name, derived)
    a, b, c = (catalogue.find(name).digest for name in "abc")
    assert a == b != c


def test_a_model_may_have_the_name_of_the_file_it_is_made_from(catalogue, models):
    make(models, "demo", Derived("demo", "demo", system="Be brief."))
    assert names(catalogue) == ["demo"]
    assert (catalogue.find("demo").system, catalogue.find("demo").path.name) == ("Be brief.", "demo.gguf")
    remove(files_of("demo", catalogue, models))
    assert (catalogue.find("demo").system, catalogue.find("demo").derived) == ("", None)


def test_a_model_whose_base_has_gone_is_left_out_and_says_what_to_do(catalogue, models):
    make(models, "mine")
    assert names(catalogue) == ["demo"]
    with pytest.raises(
        BadRequest, match=r"'mine' is made from 'tiny', which is not on this machine\. Try: ossian pull"
    ):
        catalogue.find("mine")
    write_gguf(models / "tiny.gguf")
    assert names(catalogue) == ["demo", "mine", "tiny"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"base": 3}', '{"base": "tiny"}', "\xff", "null", '{"base":"a","messages":[3]}'],
)
def test_a_damaged_manifest_is_left_out_named_when_asked_for_and_can_be_deleted(catalogue, models, text):
    path = make(models, "mine")
    path.write_text(text, encoding="latin-1")
    assert names(catalogue) == ["demo"]
    with pytest.raises(BadRequest, match=r"the manifest mine/latest\.json is damaged"):
        catalogue.find("mine")
    remove(files_of("mine", catalogue, models))
    assert not path.exists()


def test_what_else_lies_among_the_manifests_is_no_model(models):
    for place in ("mine/latest.json.part", "a b/latest.json", ".hidden/latest.json", "mine/x.gguf.json", "Mine/x.json"):
        path = models / "manifests" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert [*find_manifests(models)] == []


def test_a_folder_that_cannot_be_written_is_a_sentence(models):
    models.parent.mkdir(exist_ok=True)
    models.write_text("a file")
    with pytest.raises(DiskRefused, match=r"latest\.json cannot be written \(Not a directory\)"):
        write_derived(manifest_path(models, read_name("mine")), FULL)


def test_deleting_a_made_model_leaves_the_file(catalogue, models):
    tiny = write_gguf(models / "tiny.gguf")
    manifest = make(models, "mine")
    assert files_of("mine", catalogue, models) == (manifest,)
    remove((manifest,))
    assert tiny.exists()
    assert names(catalogue) == ["demo", "tiny"]


def test_a_file_that_another_model_stands_on_stays(catalogue, models):
    tiny = write_gguf(models / "tiny.gguf")
    manifest = make(models, "mine")
    with pytest.raises(
        BadRequest, match=r"'tiny' is not deleted, because mine would lose its file: delete mine first\."
    ):
        files_of("tiny", catalogue, models)
    remove((manifest,))
    assert files_of("tiny", catalogue, models) == (tiny,)


def test_an_uploaded_file_goes_with_the_last_model_made_of_it(catalogue, models):
    digest = put_blob(models, gguf_bytes())
    first, second = make(models, "first", Derived(digest)), make(models, "second", Derived(digest))
    assert catalogue.find("first").path == catalogue.find("second").path == blob_path(models, digest)
    assert files_of("first", catalogue, models) == (first,)
    remove((first,))
    assert files_of("second", catalogue, models) == (second, blob_path(models, digest))


def test_a_new_model_of_the_same_name_frees_the_uploaded_file_of_the_old_one(catalogue, models):
    old, new = put_blob(models, gguf_bytes(weights=32)), put_blob(models, gguf_bytes(weights=64))
    make(models, "mine", Derived(old))
    make(models, "mine", Derived(old, system="again"))
    assert blob_path(models, old).exists()
    make(models, "mine", Derived(new))
    assert (blob_path(models, old).exists(), blob_path(models, new).exists()) == (False, True)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        pytest.param("demo", "a part of Ossian itself", id="demo"),
        pytest.param("elsewhere/x.gguf", "lies outside the folder of models; delete the file itself", id="path"),
        pytest.param(".ollama/models/blobs/sha256-ab.gguf", "the store of Ollama, where `ollama rm`", id="Ollama"),
        pytest.param("hub/models--o--r/snapshots/c/x.gguf", "hf cache rm model/o/r", id="cache of the Hub"),
    ],
)
def test_what_is_not_ours_is_never_deleted(tmp_path, models, place, words):
    path = place if place == "demo" else str(write_gguf(tmp_path / place))
    with pytest.raises(BadRequest) as refused:
        files_of(path, Catalogue(models), models)
    assert words in str(refused.value)


def test_a_link_into_another_store_is_deleted_and_what_it_means_is_not(catalogue, models, tmp_path):
    foreign = write_gguf(tmp_path / ".ollama" / "models" / "blobs" / "sha256-ab")
    models.mkdir()
    (models / "linked.gguf").symlink_to(foreign)
    remove(files_of("linked", catalogue, models))
    assert (names(catalogue), foreign.exists()) == (["demo"], True)


def test_a_folder_that_leads_elsewhere_is_not_ours(catalogue, models, tmp_path):
    write_gguf(tmp_path / "foreign" / "r" / "x-Q8_0.gguf")
    models.mkdir()
    (models / "o").symlink_to(tmp_path / "foreign")
    assert catalogue.find("hf.co/o/r") is not None
    with pytest.raises(BadRequest, match="lies outside the folder of models"):
        files_of("hf.co/o/r", catalogue, models)


def test_a_damaged_file_can_be_deleted(catalogue, models):
    path = write_gguf(models / "tiny.gguf")
    path.write_bytes(b"GGUF")
    assert files_of("tiny", catalogue, models) == (path,)


def test_what_is_not_there_cannot_be_deleted(catalogue, models):
    with pytest.raises(ModelNotFound):
        files_of("nobody", catalogue, models)


def test_an_upload_is_there_when_its_digest_is_right(models):
    digest = put_blob(models, b"data")
    assert blob_path(models, digest).read_bytes() == b"data"
    assert [path.name for path in (models / "blobs").iterdir()] == [digest.replace(":", "-")]


def test_an_upload_with_another_digest_leaves_nothing(models):
    digest = f"sha256:{'0' * 64}"
    found = f"sha256:{hashlib.sha256(b'data').hexdigest()}"
    with pytest.raises(BadRequest) as refused, receive(models, digest) as upload:
        upload.write(b"data")
        upload.finish()
    assert str(refused.value) == f'digest mismatch, expected "{digest}", got "{found}"'
    assert [*(models / "blobs").iterdir()] == []


def test_an_upload_never_fills_the_disk(models):
    with (
        pytest.raises(DiskRefused, match=r"0\.0 GB more are to be written and the disk has 0\.0 GB free"),
        receive(models, f"sha256:{'0' * 64}", lambda folder: KEPT_FREE_BYTES + 3) as upload,
    ):
        upload.write(b"123")
        upload.write(b"1234")
    assert [*(models / "blobs").iterdir()] == []


@pytest.mark.parametrize("text", ["", "sha256:abc", "sha256:" + "g" * 64, "sha256:../" + "a" * 61, "md5:" + "a" * 64])
def test_what_is_no_digest_is_refused(models, text):
    with pytest.raises(BadRequest, match="invalid digest format"):
        blob_path(models, text)


def test_what_a_killed_upload_left_is_swept_and_what_is_being_written_is_not(models):
    script = (
        "import sys, pathlib, time; from ossian.store.blobs import receive\n"
        f"with receive(pathlib.Path({str(models)!r}), 'sha256:' + '0' * 64) as upload:\n"
        "    upload.write(b'half'); print('writing', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    tidy(models)
    assert len([*(models / "blobs").glob("*.part")]) == 1
    process.kill()
    process.wait()
    process.stdout.close()
    tidy(models)
    assert [*(models / "blobs").iterdir()] == []


def test_an_upload_of_which_nobody_makes_a_model_goes_after_a_day(models):
    used, forgotten, fresh = (put_blob(models, data) for data in (b"a", b"b", b"c"))
    make(models, "mine", Derived(used))
    for digest in (used, forgotten):
        long_ago = time.time() - FORGOTTEN_SECONDS - 60
        os.utime(blob_path(models, digest), (long_ago, long_ago))
    tidy(models)
    assert {path.name for path in (models / "blobs").iterdir()} == {used.replace(":", "-"), fresh.replace(":", "-")}
