"""What users of Ollama complain about, asked of a real server: each complaint is a test here or has one elsewhere.

prompt cut in silence               here; test_refusals, test_vectors_door
a small context in the editor       here; test_ollama_door::test_show_says_what_is_served, test_vscode_requests
num_ctx out of reach on /v1         test_every_field_reaches_the_model of the four doors of /v1
reloading for another num_ctx       here
"error parsing tool call"           here; test_structured, test_harmony_parse
tool_choice ignored                 here; test_openai_promises, test_structured
max_completion_tokens ignored       here; test_openai_door
the role developer is lost          test_acceptance::test_a_tool_is_called_and_its_result_read
thinking that cannot be turned off  here; test_local, test_demo
structured answers with thinking    here; test_structured; benchmarks/structured.py counts
schemas of tools lose their depth   here; test_harmony_official has the rendering
the prompt is read again            here; test_runner
no key, open to the network         test_guard, test_port
no ranking                          test_rerank_door
"address already in use"            tests/cli/test_port.py
one answer at a time                here
loops, and hanging up in vain       test_local, test_stops, test_hang_up
nothing but analysis                tests/engines/test_reopened.py
a tool's JSON shown as words        here; test_harmony_parse, test_recordings
tools that nobody offered           test_structured::test_without_a_choice_only_offered_tools_are_called
"""

import json
import threading

import anthropic
import httpx2
import jsonschema
import ollama
import openai
import pytest

from four_clients import CLIENTS, Ask, Offer, through
from ossian.chat import Text
from server_process import Server

QUESTION = "Explain recursion in Python."
TOO_LONG = "list " * 140_000
CHOOSERS = [name for name in CLIENTS if name != "ollama"]  # Ollama's client has no word for the choice of a tool
PLAN = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["trip", "visit"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 30},
        "note": {"anyOf": [{"type": "string", "maxLength": 20}, {"type": "null"}]},
        "stops": {"type": "array", "items": {"$ref": "#/$defs/stop"}, "minItems": 1, "maxItems": 2},
    },
    "required": ["kind", "days", "note", "stops"],
    "additionalProperties": False,
    "$defs": {
        "stop": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 12}},
            "required": ["city"],
            "additionalProperties": False,
        }
    },
}
WEATHER = Offer("get-weather", {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12}}})
TRAVEL = Offer("mcp.travel.plan", PLAN, "Plan a trip.")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("home"))
    yield server
    server.close()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", CLIENTS)
def test_a_prompt_that_is_too_long_is_refused_with_both_lengths(demo, name, stream):
    errors = (ollama.ResponseError, openai.BadRequestError, anthropic.BadRequestError)
    with pytest.raises(errors, match=r"14[0-9]{4} tokens.* exceed the context length of 131072") as caught:
        through(name, demo.url, Ask(TOO_LONG, stream=stream))
    assert caught.value.status_code == 400


def test_editors_are_told_the_context_that_is_served(tmp_path):
    """VS Code warns below 65,536; what it is told must also be what fits."""
    server = Server(tmp_path, OSSIAN_CONTEXT_LENGTH="70000")
    client = ollama.Client(server.url)
    client.generate("demo", "")
    shown = client.show("demo")
    served = client.ps().models[0].context_length
    assert served >= 70_000
    assert shown.modelinfo["gpt-oss.context_length"] == served
    assert f"num_ctx {served}" in " ".join(shown.parameters.split())
    server.close()


def test_callers_who_want_different_contexts_share_one_model(serve):
    server = serve()
    client = ollama.Client(server.url)
    for context in (4096, 65_536, 8192):
        client.chat("fake", [{"role": "user", "content": "Hi"}], options={"num_ctx": context})
    openai_client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="any")
    openai_client.completions.create(model="fake", prompt="Hi", extra_body={"num_ctx": 16_384})
    assert len(server.models) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", CHOOSERS)
def test_a_required_call_can_always_be_read(demo, name, stream):
    for seed in range(3):
        ask = Ask("A week in Oslo", tools=[TRAVEL], choice="required", temperature=1.0, seed=seed, stream=stream)
        said = through(name, demo.url, ask)
        ((called, arguments),) = said.calls
        assert (called, said.text) == ("mcp.travel.plan", "")
        jsonschema.validate(arguments, PLAN)


@pytest.mark.parametrize("name", CHOOSERS)
def test_the_choice_of_a_tool_is_kept(demo, name):
    ask = {"tools": [WEATHER, TRAVEL], "seed": 3, "temperature": 1.0}
    assert through(name, demo.url, Ask("Weather in Oslo?", choice="none", **ask)).calls == ()
    assert [call for call, _ in through(name, demo.url, Ask("Hello", choice="get-weather", **ask)).calls] == [
        "get-weather"
    ]
    ((called, _),) = through(name, demo.url, Ask("Hello", choice="required", **ask)).calls
    assert called in ("get-weather", "mcp.travel.plan")


def test_ollamas_door_knows_the_choice_of_a_tool_too(demo):
    tools = [{"type": "function", "function": tool.write()} for tool in (WEATHER, TRAVEL)]
    body = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}], "tools": tools, "stream": False}

    def ask(choice):
        return httpx2.post(f"{demo.url}/api/chat", json={**body, "tool_choice": choice}, timeout=60).json()

    named = ask({"type": "function", "function": {"name": "get-weather"}})["message"]
    assert [call["function"]["name"] for call in named["tool_calls"]] == ["get-weather"]
    assert "tool_calls" not in ask("none")["message"]
    assert ask("sometimes")["error"].startswith('tool_choice must be "none", "auto", "required"')


LENGTH = {"ollama": "length", "openai": "length", "responses": "max_output_tokens", "anthropic": "max_tokens"}


@pytest.mark.parametrize("name", CLIENTS)
def test_the_bound_counts_thinking_too(demo, name):
    said = through(name, demo.url, Ask(QUESTION, effort="high", bound=20))
    assert (said.written_tokens, said.reason) == (20, LENGTH[name])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", CLIENTS)
def test_thinking_can_be_turned_off(demo, name, stream):
    said = through(name, demo.url, Ask(QUESTION, effort="none", stream=stream))
    assert said.thinking == "" and said.text


@pytest.mark.parametrize("name", CLIENTS)
def test_a_model_that_thinks_hard_still_answers_in_the_format(demo, name):
    for seed in range(3):
        said = through(name, demo.url, Ask(QUESTION, schema=PLAN, effort="high", temperature=1.0, seed=seed))
        jsonschema.validate(json.loads(said.text), PLAN)
        assert said.thinking


@pytest.mark.parametrize("name", CHOOSERS)
def test_a_tools_schema_reaches_the_model_as_it_was_sent(serve, name):
    server = serve()
    through(name, server.url, Ask("Hi", model="fake", tools=[TRAVEL]))
    assert [dict(tool.parameters) for tool in server.model.requests[0].tools] == [PLAN]


def test_ollamas_door_drops_nothing_of_a_schema(serve):
    """Ollama's own client does: it knows eight keywords."""
    server = serve()
    tool = {"type": "function", "function": TRAVEL.write()}
    server.post("/api/chat", {"model": "fake", "messages": [{"role": "user", "content": "Hi"}], "tools": [tool]})
    (read,) = server.model.requests[0].tools
    assert (read.name, read.description, read.parameters) == (TRAVEL.name, TRAVEL.description, PLAN)


def test_what_was_said_before_is_not_read_again(demo):
    client = openai.OpenAI(base_url=f"{demo.url}/v1", api_key="any")
    messages = [{"role": "system", "content": "Be brief. " * 200}, {"role": "user", "content": QUESTION}]
    bounds = {"reasoning_effort": "none", "max_tokens": 60}  # so odd a question makes the demo model go on and on
    first = client.chat.completions.create(model="demo", messages=messages, **bounds)
    messages += [first.choices[0].message, {"role": "user", "content": "And iteration?"}]
    second = client.chat.completions.create(model="demo", messages=messages, **bounds)
    assert second.usage.prompt_tokens_details.cached_tokens > 0.9 * first.usage.prompt_tokens


def test_a_short_question_does_not_wait_for_a_long_answer(serve):
    server = serve([[Text("word " * 2_000)], [Text("Here.")]], pause=0.01, num_parallel=2)
    body = {"model": "fake", "messages": [{"role": "user", "content": "Hi"}]}
    begun, ended = threading.Event(), threading.Event()

    def listen():
        with httpx2.stream("POST", f"{server.url}/api/chat", json=body, timeout=60) as response:
            for _ in response.iter_lines():
                begun.set()
                if ended.is_set():
                    return

    listener = threading.Thread(target=listen)
    listener.start()
    assert begun.wait(10)
    answer = server.post("/api/chat", {**body, "stream": False}).json()
    assert answer["message"]["content"] == "Here." and listener.is_alive()
    ended.set()
    listener.join(10)


@pytest.mark.parametrize("name", CHOOSERS)
def test_a_required_call_that_the_bound_cuts_short_is_brought_to_an_end(demo, name):
    long = Offer(
        "write", {"type": "object", "properties": {"text": {"type": "string", "minLength": 300}}, "required": ["text"]}
    )
    said = through(name, demo.url, Ask("Write", tools=[long], choice="required", bound=60))
    assert (said.text, said.reason) == ("", LENGTH[name])
    assert all(len(arguments["text"]) >= 300 for _, arguments in said.calls)
