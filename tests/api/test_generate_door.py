"""What /api/generate has beyond a conversation of one turn: an earlier context, templates, raw text."""

from dataclasses import replace

import ollama
import pytest

from ossian.api.template import fill_template
from ossian.chat import CompletionRequest, Done, Message, Text, Usage
from ossian.engines.fake import FAKE_FILE, FakeModel
from ossian.errors import BadRequest

MADE = replace(FAKE_FILE, system="Be brief.", messages=(Message("user", "2+2?"), Message("assistant", "4.")))
DONE = Done("stop", Usage(2, 0, 1), tokens=(1, 2, 3))


class Writer(FakeModel):
    """Remembers what was to be continued."""

    def __init__(self):
        super().__init__([[Text("well"), DONE]])

    async def complete(self, request):
        self.requests.append(request)
        yield Text("well")
        yield DONE if request.keep_tokens else Done("stop", Usage(2, 0, 1))


def test_the_client_of_ollama_goes_on_from_a_context(serve):
    server = serve(model=Writer)
    client = ollama.Client(server.url)
    first = client.generate("fake", "Hello", system="Be kind")
    assert first.context == [1, 2, 3]
    *_, last = client.generate("fake", "And now?", context=first.context, stream=True)
    assert last.context == [1, 2, 3]
    opened, went_on = server.model.requests
    assert (opened.messages, opened.past) == ((Message("system", "Be kind"), Message("user", "Hello")), ())
    assert (went_on.messages, went_on.past) == ((Message("user", "And now?"),), (1, 2, 3))


def test_a_model_says_its_own_turns_once(serve):
    server = serve(model=Writer, files=(MADE,))
    server.post("/api/generate", {"model": "fake", "prompt": "Hi"})
    server.post("/api/generate", {"model": "fake", "prompt": "Hi", "context": [4]})
    assert [[turn.content for turn in request.messages] for request in server.model.requests] == [
        ["Be brief.", "2+2?", "4.", "Hi"],
        ["Hi"],
    ]


def test_raw_text_and_gaps_have_no_context(serve):
    server = serve(model=Writer)
    raw = server.post("/api/generate", {"model": "fake", "prompt": "Hi", "raw": True, "stream": False}).json()
    assert raw["response"] == "well" and "context" not in raw


def test_a_template_makes_the_prompt_and_the_answer_is_raw(serve):
    server = serve(model=Writer)
    template = "{{ if .System }}{{ .System }}\n{{ end }}USER: {{ .Prompt }}\nBOT:{{ .Response }}END"
    body = {"model": "fake", "prompt": "Hi", "system": "Be kind", "template": template, "context": [9], "stream": False}
    answer = server.post("/api/generate", body).json()
    assert (answer["response"], answer["context"]) == ("well", [1, 2, 3])
    assert server.model.requests == [
        CompletionRequest("fake", "Be kind\nUSER: Hi\nBOT:", past=(9,), keep_tokens=True),
    ]


FILLED = [
    pytest.param("", "", id="empty"),
    pytest.param("{{ .Prompt }}", "P", id="only the prompt"),
    pytest.param("{{.System}} {{.Prompt}} ", "S P ", id="no blanks"),
    pytest.param("a  {{- .Prompt -}}  b", "aPb", id="white space taken away"),
    pytest.param("{{- .Prompt }} b", "P b", id="at the beginning"),
    pytest.param("{{ if .System }}yes{{ else }}no{{ end }}", "yes", id="if"),
    pytest.param("{{ if .Response }}yes{{ else }}no{{ end }}", "no", id="else"),
    pytest.param("{{ if .Response }}1{{ else if .Prompt }}2{{ else }}3{{ end }}", "2", id="else if"),
    pytest.param("{{ if .Response }}{{ if .Prompt }}1{{ else }}2{{ end }}{{ end }}3", "3", id="if in if"),
    pytest.param("{{ if .Response }}{{ .Response }}{{ end }}3", "3", id="an answer that is not shown ends nothing"),
    pytest.param("{{ .Prompt }}: {{ .Response }} over", "P: ", id="cut at the answer"),
    pytest.param("{ .Prompt } }}", "{ .Prompt } }}", id="no actions"),
]
NOT_UNDERSTOOD = [
    pytest.param("{{ range .Messages }}{{ end }}", "{{ range .Messages }}", id="range"),
    pytest.param("{{ .Suffix }}", "{{ .Suffix }}", id="another variable"),
    pytest.param("{{ if and .System .Prompt }}{{ end }}", "{{ if and", id="another condition"),
    pytest.param("{{ end }}", "{{ end }}", id="end of nothing"),
    pytest.param("{{ else }}", "{{ else }}", id="else of nothing"),
    pytest.param("{{ if .System }}", "has no {{ end }}", id="no end"),
    pytest.param("{{ .Prompt", "has no }}", id="open"),
    pytest.param("{{" * 100_000, "has no }}", id="very open"),
]


@pytest.mark.parametrize(("template", "filled"), FILLED)
def test_templates(template, filled):
    assert fill_template(template, "S", "P") == filled


@pytest.mark.parametrize(("template", "words"), NOT_UNDERSTOOD)
def test_what_a_template_may_not_say(steady_server, template, words):
    with pytest.raises(BadRequest, match=r"^template: "):
        fill_template(template, "S", "P")
    answer = steady_server.post("/api/generate", {"model": "fake", "prompt": "Hi", "template": template})
    assert answer.status_code == 400 and words in answer.json()["error"]


def test_deep_and_long_templates_take_no_time():
    deep = 20_000
    assert fill_template("{{ if .System }}" * deep + "x" + "{{ end }}" * deep, "S", "P") == "x"
    assert fill_template(" " * 1_000_000 + "{{- .Prompt }}", "S", "P") == "P"
