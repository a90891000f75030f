"""Documents over HTTP: put in, listed, searched, asked from in every dialect, taken out; and who may do what."""

import json
from pathlib import Path

import anthropic
import ollama
import openai
import pytest

from ossian.chat import Done, Text, Thinking, Usage

PUFFINS = "# Puffins\nPuffins nest on Runde from April to August.\n"
FERRY = "# Ferry\nThe ferry to Runde leaves at nine.\n"
LINK = "[[1]](file://{}#L1)"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "ferry.md").write_text(FERRY)
    (folder / "puffins.md").write_text(PUFFINS)
    return folder


@pytest.fixture
def server(serve, notes):
    """A server whose model says: at nine, as the first passage has it, and as one that nobody gave it."""
    server = serve([[Thinking("I look."), Text("At nine [1]"), Text(" [7]."), Done("stop", Usage(9, 0, 4))]] * 9)
    put_in(server, notes)
    return server


def put_in(server, *paths: Path, name: str = "notes") -> list[dict]:
    answer = server.post(f"/api/library/{name}/documents", {"paths": [str(path) for path in paths]})
    return [json.loads(line) for line in answer.text.splitlines()]


def ask(server, **more) -> dict:
    messages = [{"role": "user", "content": "When does the ferry to Runde leave?"}]
    body = {"model": "fake", "messages": messages, "stream": False, "documents": ["notes"], **more}
    return server.post("/api/chat", body).json()


def test_putting_in_tells_each_step_and_what_came_of_it(serve, notes):
    server = serve()
    assert put_in(server, notes) == [
        {"status": "reading", "path": str(notes / "ferry.md"), "done": 1, "total": 2},
        {"status": "reading", "path": str(notes / "puffins.md"), "done": 2, "total": 2},
        {"status": "success", "files": 2, "chunks": 2, "skipped": 0, "unchanged": 0, "removed": 0},
    ]
    whole = server.post("/api/library/notes/documents", {"paths": [str(notes)], "stream": False}).json()
    assert whole == {"status": "success", "files": 0, "chunks": 0, "skipped": 0, "unchanged": 2, "removed": 0}


def test_collections_and_their_files_are_listed(server, notes):
    counted = {"name": "notes", "files": 2, "chunks": 2, "pending": 0, "skipped": 0, "roots": [str(notes)]}
    assert server.get("/api/library").json() == {"collections": [counted]}
    assert server.get("/api/library/notes").json() == counted
    files = server.get("/api/library/notes/documents").json()["documents"]
    assert files[0] == {
        "path": str(notes / "ferry.md"), "size": len(FERRY), "kind": "markdown", "state": "searchable", "reason": "",
        "chunks": 1, "pending": 0,
    }  # fmt: skip


def test_uploads_are_kept_and_searched(serve):
    server = serve()
    answer = server.client.post(server.url + "/api/library/notes/documents", files={"file": ("../../ferry.md", FERRY)})
    *_, end = [json.loads(line) for line in answer.text.splitlines()]
    assert (end["status"], end["files"]) == ("success", 1)
    (file,) = server.get("/api/library/notes/documents").json()["documents"]
    assert file["path"] == str(server.settings.home / "uploads" / "notes" / "ferry.md")


def test_uploads_of_one_name_stay_apart_and_go_with_what_they_belong_to(serve):
    server = serve()
    where = server.url + "/api/library/notes/documents"
    folder = server.settings.home / "uploads" / "notes"

    def upload(*files):
        server.client.post(where, files=[("file", file) for file in files])
        return {
            Path(file["path"]).name: file["state"]
            for file in server.get("/api/library/notes/documents").json()["documents"]
        }

    one, other = ("readme.md", "Puffins nest on Runde."), ("readme.md", "The ferry leaves at nine.")
    assert set(upload(one, other)) == {"readme.md", "readme (2).md"}
    assert set(upload(one)) == {"readme.md", "readme (2).md"}, "the same file was kept twice"
    assert upload((".env", "PASSWORD=x"))[".env"] == "skipped"
    assert sorted(path.name for path in folder.iterdir()) == ["readme (2).md", "readme.md"]
    server.client.request("DELETE", where, json={"paths": [str(folder / "readme.md")]})
    assert [path.name for path in folder.iterdir()] == ["readme (2).md"]
    server.client.delete(server.url + "/api/library/notes")
    assert not folder.exists()


def test_a_name_that_no_file_can_have_is_refused(serve):
    server = serve()
    where = server.url + "/api/library/notes/documents"
    answer = server.client.post(where, files={"file": ("x" * 300 + ".md", "Puffins.")})
    assert (answer.status_code, "cannot name a file" in answer.text) == (400, True)


def test_search_tells_passages_with_their_places(server, notes):
    found = server.post("/api/library/notes/search", {"query": "ferry to Runde", "k": 1}).json()
    (passage,) = found["passages"]
    assert passage.pop("score") > 0
    assert passage == {
        "collection": "notes", "path": str(notes / "ferry.md"), "first_line": 1, "last_line": 2, "page": None,
        "text": FERRY.strip(),
    }  # fmt: skip
    assert (found["meaning"], found["fits"]) == ("none", True)
    assert server.post("/api/library/notes/search", {"query": "Which wine goes with fish?"}).json()["fits"] is False


def test_an_answer_cites_what_it_was_given_and_nothing_else(server, notes):
    said = ask(server)
    assert said["message"]["content"] == f"At nine {LINK.format(notes / 'ferry.md')}."
    source = said["sources"][0]
    assert source == {
        "number": 1, "collection": "notes", "path": str(notes / "ferry.md"), "first_line": 1, "last_line": 2,
        "page": None, "text": FERRY.strip(), "changed": False, "cited": True, "link": f"file://{notes}/ferry.md#L1",
    }  # fmt: skip
    (asked,) = server.model.requests[-1].messages
    assert FERRY.strip() in asked.content


def test_a_collection_behind_a_models_name_does_the_same(server):
    said = ask(server, model="fake+notes", documents=[])
    assert said["sources"][0]["cited"] and said["model"] == "fake+notes"
    names = [model["name"] for model in server.get("/api/tags").json()["models"]]
    assert "fake:latest+notes" in names or "fake+notes" in names


def test_every_dialect_tells_the_sources(server, notes):
    question = [{"role": "user", "content": "When does the ferry to Runde leave?"}]
    link = LINK.format(notes / "ferry.md")
    listed = f"At nine {link}.\n\n**Sources**\n\n- [1] [{notes}/ferry.md:1](file://{notes}/ferry.md#L1)"
    client = openai.OpenAI(base_url=server.url + "/v1", api_key="none")
    chat = client.chat.completions.create(model="fake+notes", messages=question)
    assert chat.choices[0].message.content == f"At nine {link}."
    assert chat.choices[0].message.sources[0]["path"] == str(notes / "ferry.md")
    *_, last = client.chat.completions.create(model="fake+notes", messages=question, stream=True)
    assert last.sources[0]["cited"] is True
    assert (
        client.responses.create(model="fake+notes", input="When does the ferry to Runde leave?").output_text == listed
    )
    message = anthropic.Anthropic(base_url=server.url, api_key="none").messages.create(
        model="fake+notes", max_tokens=50, messages=question
    )
    assert message.content[-1].text == listed
    answers = list(ollama.Client(server.url).chat("fake+notes", question, stream=True))
    assert "".join(answer.message.content for answer in answers) == f"At nine {link}."


def test_vscode_shows_the_sources_under_the_text(server, notes):
    headers = {"user-agent": "GitHubCopilotChat/0.67.0"}
    body = {"model": "fake+notes", "messages": [{"role": "user", "content": "When does the ferry to Runde leave?"}]}
    said = server.client.post(server.url + "/v1/chat/completions", json=body, headers=headers).json()
    assert "**Sources**\n\n- [1]" in said["choices"][0]["message"]["content"]


def test_what_the_documents_do_not_cover_is_said(server):
    messages = [{"role": "user", "content": "Which wine goes with fish?"}]
    said = ask(server, messages=messages)
    assert said["message"]["content"].startswith("*The documents (notes) do not cover this; what follows is not from")
    assert "sources" not in said
    assert server.model.requests[-1].messages[-1].content == "Which wine goes with fish?"


def test_an_answer_in_a_format_stays_in_it(serve, notes):
    server = serve([[Text('{"time": "nine [1]"}'), Done("stop", Usage(9, 0, 4))]])
    put_in(server, notes)
    said = ask(server, format="json")
    assert said["message"]["content"] == '{"time": "nine [1]"}'
    assert said["sources"][0]["path"] == str(notes / "ferry.md")


def test_lines_are_shown_in_their_place_and_say_when_they_have_changed(server, notes):
    where = {"path": str(notes / "ferry.md"), "first_line": 2, "last_line": 9}
    line = "The ferry to Runde leaves at nine."
    shown = {"path": where["path"], "first_line": 2, "last_line": 2, "text": line, "changed": False}
    assert server.get("/api/library/notes/text", params=where).json() == shown
    (notes / "ferry.md").write_text("# Ferry\nGone.\n")
    changed = server.get("/api/library/notes/text", params=where).json()
    assert (changed["text"], changed["changed"]) == ("Gone.", True)
    assert ask(server)["sources"][0]["changed"] is True


def test_nothing_but_what_was_put_in_can_be_read(server):
    answer = server.get("/api/library/notes/text", params={"path": "/etc/passwd"})
    assert answer.status_code == 404
    assert "root" not in answer.text


def test_files_and_collections_are_taken_out_and_stay_on_the_disk(server, notes):
    gone = {"paths": [str(notes / "ferry.md")]}
    assert server.client.request("DELETE", server.url + "/api/library/notes/documents", json=gone).json() == {
        "removed": 1
    }
    assert server.client.delete(server.url + "/api/library/notes").json() == {"removed": 1}
    assert server.get("/api/library").json() == {"collections": []}
    assert (notes / "ferry.md").exists()


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/api/library/notes/documents", {"paths": []}, 400, "paths is missing or empty"),
        ("/api/library/notes/documents", {"paths": ["notes"]}, 400, "paths[0] must be absolute, or begin with ~"),
        ("/api/library/Not%20good/documents", {"paths": ["/tmp"]}, 400, "'Not good' cannot name a collection"),
        ("/api/library/none/search", {"query": "x"}, 404, "there is no collection of documents 'none'"),
        ("/api/library/notes/search", {"query": " "}, 400, "query is missing or empty"),
        ("/api/library/notes/search", {"query": "x", "k": 0}, 400, "k must be between 1 and 100"),
        ("/api/chat", {"model": "fake+none", "messages": [{"role": "user", "content": "x"}]}, 404, "'none'"),
        ("/api/generate", {"model": "fake", "prompt": "x", "raw": True, "documents": ["notes"]}, 400, "documents"),
        ("/v1/completions", {"model": "fake+notes", "prompt": "x"}, 400, "in conversations"),
    ],
)
def test_what_cannot_be_done_is_said(server, path, body, status, words):
    answer = server.post(path, body)
    assert answer.status_code == status
    assert words in answer.text


def test_putting_in_wants_the_admin_key_and_asking_does_not(serve, notes):
    server = serve([[Text("Hi"), Done("stop", Usage(1, 0, 1))]], api_key="infer", admin_key="manage")
    body, url = {"paths": [str(notes)]}, server.url + "/api/library/notes/documents"
    refused = server.client.post(url, json=body, headers={"Authorization": "Bearer infer"})
    assert refused.status_code == 403
    assert server.client.post(url, json=body, headers={"Authorization": "Bearer manage"}).status_code == 200
    search = server.url + "/api/library/notes/search"
    found = server.client.post(search, json={"query": "ferry"}, headers={"Authorization": "Bearer infer"})
    assert found.json()["passages"]


def test_the_demo_model_answers_from_a_note_and_cites_it(serve, notes):
    server = serve(stored=True, real=True)
    (notes / "lamp.md").write_text("The meeting in Oslo is at 14:30.\n")
    put_in(server, notes / "lamp.md")
    question = [{"role": "user", "content": "When is the meeting in Oslo?"}]
    said = ask(server, model="demo", messages=question, options={"temperature": 0})
    assert said["message"]["content"] == f"The meeting in Oslo is at 14:30. {LINK.format(notes / 'lamp.md')}"


def test_a_follow_up_on_the_same_passages_reads_few_tokens_again(serve, tmp_path):
    folder = tmp_path / "books"
    folder.mkdir()
    sentences = [f"Ferry {number} to the island of Runde leaves at {number} o'clock." for number in range(1, 120)]
    (folder / "ferries.md").write_text("# Ferries to Runde\n\n" + "\n".join(sentences) + "\n")
    server = serve(stored=True, real=True)
    put_in(server, folder)
    question = {"role": "user", "content": "When does ferry 7 to Runde leave?"}
    first = ask(server, model="demo", messages=[question], options={"temperature": 0, "num_predict": 40})
    turns = [question, first["message"], {"role": "user", "content": "And is it the ferry to Runde?"}]
    second = ask(server, model="demo", messages=turns, options={"temperature": 0, "num_predict": 40})
    assert first["prompt_eval_count"] > 500
    assert second["sources"][0]["text"] == first["sources"][0]["text"]
    assert second["prompt_eval_count"] - second["ossian_cached_tokens"] < 300
