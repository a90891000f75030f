"""The page in a real browser, used as people use it: type, stop, drop a PDF, ask, click a citation, see a request."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from fpdf import FPDF

from server_process import Server

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ASKED_MODEL = re.compile(r"^fake.*\+notes$")
COUNTED = re.compile(r"\d+ tokens, ")


class PageServer(Server):
    """A process of its own, since a process holds one page; the model says what it is told."""

    def put_in(self, folder: Path, name: str = "notes") -> None:
        body = {"paths": [str(folder)], "stream": False}
        answer = httpx2.post(f"{self.url}/api/library/{name}/documents", json=body, timeout=60)
        assert answer.json()["status"] == "success"

    def get(self, path: str, **headers: str) -> httpx2.Response:
        return httpx2.get(self.url + path, headers=headers)


@contextmanager
def running(home: Path, *options: str, **settings: str) -> Iterator[PageServer]:
    server = PageServer(home, "--fake", *options, OSSIAN_EMBEDDER="off", **settings)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    with running(tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator["playwright.Browser"]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser):
    """Open the page of a server."""
    contexts = []

    def open_page(server: PageServer, **options):
        context = browser.new_context(**{"viewport": {"width": 1200, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.fetched = []
        page.on("request", lambda request: page.fetched.append(request.url))
        page.on("websocket", lambda socket: page.fetched.append(socket.url))
        page.goto(server.url)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def notes(server: PageServer, tmp_path: Path) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "ferry.md").write_text("# Ferry\nThe ferry to Runde leaves at nine.\n")
    server.put_in(folder)
    yield folder
    httpx2.delete(server.url + "/api/library/notes")


def ask(page, question: str) -> None:
    page.get_by_label("Your question").fill(question)
    page.get_by_label("Your question").press("Enter")


def choose(page, name: re.Pattern[str]) -> None:
    page.get_by_label("Model").click()
    page.get_by_role("option", name=name).first.click()


def write_pdf(path: Path, *pages: str) -> Path:
    pdf = FPDF()
    pdf.set_font("Helvetica", size=12)
    for text in pages:
        pdf.add_page()
        pdf.multi_cell(0, 8, text)
    pdf.output(str(path))
    return path


def test_a_browser_is_sent_to_the_page_and_nobody_else(server, visit):
    page = visit(server)
    page.get_by_label("Your question").wait_for()
    assert page.url == f"{server.url}/ui/"
    assert server.get("/").text == "Ollama is running"
    assert server.get("/", **{"accept": "text/html", "user-agent": "curl/8"}).text == "Ollama is running"


def test_an_answer_comes_formatted_and_nothing_is_fetched_from_elsewhere(server, visit):
    page = visit(server)
    ask(page, "It is **nine**.")
    page.get_by_text(COUNTED).wait_for()
    assert page.locator(".words strong").inner_text() == "nine"
    assert {url.split("/")[2] for url in page.fetched} == {server.url.split("/")[2]}


def test_shift_and_enter_begin_a_new_line(server, visit):
    page = visit(server)
    field = page.get_by_label("Your question")
    field.fill("one")
    field.press("Shift+Enter")
    field.press_sequentially("two")
    field.press("Enter")
    page.get_by_text(COUNTED).wait_for()
    assert page.locator(".question").inner_text() == "one\ntwo"


@pytest.mark.parametrize("by", ["the button", "Escape"])
def test_stop_ends_the_answer_and_the_conversation_goes_on(tmp_path, visit, by):
    with running(tmp_path, "--pause", "0.1") as server:
        page = visit(server)
        ask(page, "word " * 300)
        page.locator(".words").get_by_text("word word").wait_for()
        page.get_by_label("Stop").click() if by == "the button" else page.keyboard.press("Escape")
        page.get_by_text("Stopped.").wait_for()
        assert 'ossian_answers_total{end="left"} 1' in server.get("/metrics").text
        ask(page, "go on")
        page.get_by_text(COUNTED).wait_for()


def test_thinking_is_folded(tmp_path, visit):
    script = tmp_path / "script.json"
    script.write_text('[[{"thinking": "They ask about the ferry."}, {"text": "At nine."}]]')
    with running(tmp_path, "--script", str(script)) as server:
        page = visit(server)
        ask(page, "When does the ferry leave?")
        page.get_by_text(COUNTED).wait_for()
        assert not page.locator(".thought-text").is_visible()
        page.get_by_text("Thought", exact=True).click()
        page.get_by_text("They ask about the ferry.").wait_for()


def test_a_dropped_pdf_is_read_and_its_citation_opens_at_the_page(server, visit, tmp_path):
    page = visit(server)
    page.get_by_role("tab", name="Documents").click()
    pdf = write_pdf(tmp_path / "islands.pdf", "Puffins nest on Runde.", "The ferry to Runde leaves at nine.")
    page.locator("input[type=file]").set_input_files(pdf)
    page.get_by_text("1 files read").wait_for()
    page.get_by_text("islands.pdf", exact=True).wait_for()
    page.get_by_role("tab", name="Chat").click()
    choose(page, re.compile(r"\+documents$"))
    ask(page, "When does the ferry to Runde leave?")
    page.get_by_text(COUNTED).wait_for()
    page.locator(".chip", has_text="page 2").first.click()
    page.locator(".source .marked").wait_for()
    assert page.locator(".source .marked").inner_text().strip() == "The ferry to Runde leaves at nine."
    httpx2.delete(server.url + "/api/library/documents")


def test_files_that_are_dropped_together_all_arrive_in_the_collection_that_was_named(server, visit, tmp_path):
    page = visit(server)
    page.get_by_role("tab", name="Documents").click()
    page.get_by_label("Collection").fill("islands")
    page.get_by_label("Collection").press("Enter")
    page.get_by_role("tab", name="Chat").click()
    page.get_by_role("tab", name="Documents").click()
    small, large = tmp_path / "small.md", tmp_path / "large.bin"
    small.write_text("Puffins nest on Runde.")
    large.write_bytes(bytes(40_000_000))
    page.locator("input[type=file]").set_input_files([small, large])
    for name in ("small.md", "large.bin"):
        page.locator(".file").get_by_text(name, exact=True).wait_for()
    documents = httpx2.get(server.url + "/api/library/islands/documents").json()["documents"]
    assert [(file["path"].rpartition("/")[2], file["state"]) for file in documents] == [
        ("large.bin", "skipped"),
        ("small.md", "searchable"),
    ]
    httpx2.delete(server.url + "/api/library/islands")


def test_a_file_that_is_too_large_to_be_dropped_says_what_to_do(server, visit, tmp_path):
    page = visit(server)
    page.get_by_role("tab", name="Documents").click()
    large = tmp_path / "large.pdf"
    large.write_bytes(bytes(70_000_000))
    page.locator("input[type=file]").set_input_files(large)
    page.get_by_text("more than 64 MB cannot be dropped").wait_for()


def test_a_citation_in_the_text_opens_the_file_with_the_passage_marked(server, visit, notes):
    page = visit(server)
    choose(page, ASKED_MODEL)
    ask(page, "When does the ferry to Runde leave?")
    page.get_by_text(COUNTED).wait_for()
    page.locator(".words a").first.click()
    page.locator(".source .line").first.wait_for()
    assert page.locator(".source .marked .code").all_inner_texts() == ["# Ferry", "The ferry to Runde leaves at nine."]


def test_documents_are_searched_and_taken_away(server, visit, notes):
    page = visit(server)
    page.get_by_role("tab", name="Documents").click()
    page.get_by_text("ferry.md", exact=True).wait_for()
    page.get_by_label("Search").first.fill("ferry")
    page.get_by_label("Search").first.press("Enter")
    page.locator(".excerpt").get_by_text("The ferry to Runde leaves at nine.").wait_for()
    page.get_by_role("button", name="Take away").click()
    page.locator(".q-dialog").get_by_role("button", name="Take away").click()
    page.get_by_text("Nothing here yet.").wait_for()
    assert (notes / "ferry.md").exists()


def test_models_are_listed_with_what_is_loaded_and_can_be_unloaded(server, visit):
    page = visit(server)
    ask(page, "Hi")
    page.get_by_text(COUNTED).wait_for()
    page.get_by_role("tab", name="Models").click()
    page.get_by_text("of memory are free").wait_for()
    page.get_by_text(re.compile("^loaded, ")).wait_for()
    page.get_by_role("button", name="Unload").click()
    page.get_by_text(re.compile("on the disk")).first.wait_for()
    assert server.get("/api/ps").json() == {"models": []}


def test_a_request_of_an_editor_is_drawn_with_what_was_sent(server, visit):
    body = {"model": "fake", "messages": [{"role": "user", "content": 'call read_file {"path": "a"}'}]}
    body["tools"] = [{"type": "function", "function": {"name": "read_file"}}]
    httpx2.post(server.url + "/v1/chat/completions", json=body, headers={"user-agent": "GitHubCopilotChat/0.67.0"})
    page = visit(server)
    page.get_by_role("tab", name="Workflow").click()
    page.get_by_text("VS Code → /v1/chat/completions").first.click()
    page.locator(".drawing svg").first.wait_for()
    page.get_by_text("call read_file").first.wait_for()
    page.get_by_text(re.compile("known from before")).first.wait_for()
    page.get_by_text("What was sent").first.click()
    page.locator(".sent").first.wait_for()


def test_what_a_model_looks_up_by_itself_is_drawn(server, visit, notes):
    message = {"role": "user", "content": 'call read {"path": "ferry.md"}'}
    body = {"model": "fake", "messages": [message], "documents": ["notes"], "document_tools": True}
    assert httpx2.post(server.url + "/api/chat", json=body).status_code == 200
    page = visit(server)
    page.get_by_role("tab", name="Workflow").click()
    page.locator(".request").first.click()
    page.locator(".drawing svg").first.get_by_text("read", exact=True).wait_for()


def test_requests_are_not_kept_where_a_setting_says_so_and_the_key_is_asked_for(tmp_path, visit):
    with running(tmp_path, OSSIAN_WORKFLOW="off", OSSIAN_API_KEY="secret") as server:
        page = visit(server)
        page.get_by_label("Key").fill("guess")
        page.get_by_label("Key").press("Enter")
        page.get_by_text("This is not the key.").wait_for()
        assert page.get_by_label("Your question").count() == 0
        page.get_by_label("Key").fill("secret")
        page.get_by_label("Key").press("Enter")
        ask(page, "Hi")
        page.get_by_text(COUNTED).wait_for()
        page.get_by_role("tab", name="Workflow").click()
        page.get_by_text("Requests are not recorded").wait_for()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"secret" in path.read_bytes()]
    assert not Path(".nicegui").exists()


def test_a_foreign_page_cannot_open_the_socket(server):
    path = "/ui/_nicegui_ws/socket.io/?EIO=4&transport=polling"
    assert server.get(path, origin="https://evil.example").status_code == 403
    assert server.get(path, host="evil.example").status_code == 403


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_by_day_and_by_night(server, visit, dark):
    page = visit(server, viewport={"width": 360, "height": 740}, color_scheme="dark" if dark else "light")
    ask(page, "When does the ferry leave?")
    page.get_by_text(COUNTED).wait_for()
    for tab in ("Documents", "Models", "Workflow", "Chat"):
        page.get_by_role("tab", name=tab).click()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.locator("body").evaluate("body => body.classList.contains('body--dark')") is dark


def test_a_failure_is_a_sentence(server, visit, notes):
    page = visit(server)
    choose(page, ASKED_MODEL)
    httpx2.delete(server.url + "/api/library/notes")
    ask(page, "Hi")
    page.locator(".failure").wait_for()
    assert page.locator(".failure").inner_text().startswith("there is no collection of documents 'notes'.")
