"""VS Code's built-in chat shows an error in its words only as a 400 or 404, or as a part of the answer."""

import json

import pytest

from ossian.chat import Text, Thinking
from ossian.engines.fake import FakeModel
from ossian.errors import ModelFailed, Unreadable

AGENT = {"user-agent": "GitHubCopilotChat/0.67.0", "authorization": "Bearer"}
EXTENSION = {"user-agent": "node", "x-onbehalf-extension-id": "github.copilot-chat/0.67.0"}
HELLO = [{"role": "user", "content": "Hello"}]
BODIES = {
    "/v1/chat/completions": {"model": "fake", "messages": HELLO},
    "/v1/responses": {"model": "fake", "input": "Hello"},
    "/v1/messages": {"model": "fake", "messages": HELLO, "max_tokens": 99},
}
SENTENCE = "the model's process died."
BROKE_OFF = f"Half an\n\n**The answer broke off:** {SENTENCE}"


class Dead(FakeModel):
    """Fails before the first word."""

    error: Exception = ModelFailed(SENTENCE)

    async def chat(self, request):
        raise self.error
        yield


class Unread(Dead):
    error = Unreadable("a file cannot be read.")


class Faulty(Dead):
    error = RuntimeError("a secret")


class Dying(FakeModel):
    """Fails after the first words."""

    async def chat(self, request):
        yield Thinking("Well.")
        yield Text("Half an")
        raise ModelFailed(SENTENCE)


def read_stream(text):
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


@pytest.mark.parametrize("headers", [AGENT, EXTENSION], ids=["user agent", "header"])
@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_no_error_has_a_status_that_hides_it(serve, headers, path, stream):
    for model, status, sentence in ((Dead, 503, SENTENCE), (Unread, 400, "a file"), (Faulty, 500, "internal error")):
        server = serve(model=model)
        body = {**BODIES[path], "stream": stream}
        assert server.post(path, body).status_code == status
        shown = server.post(path, body, headers=headers)
        assert (shown.status_code, shown.json()["error"]["message"].startswith(sentence)) == (400, True)


def test_a_key_that_is_missing_resets_no_token(serve):
    server = serve(api_key="secret")
    shown = server.post("/v1/chat/completions", BODIES["/v1/chat/completions"], headers=AGENT)
    assert shown.status_code == 400
    assert "this server wants its API key" in shown.json()["error"]["message"]
    assert server.get("/api/version", headers=AGENT).status_code == 400
    assert server.get("/api/version").status_code == 403


def test_a_body_that_is_too_large_is_shown(serve):
    shown = serve(max_body=10).post("/v1/chat/completions", BODIES["/v1/chat/completions"], headers=AGENT)
    assert (shown.status_code, "OSSIAN_MAX_BODY" in shown.text) == (400, True)


def test_a_model_that_is_missing_is_still_not_found(serve):
    shown = serve().post("/v1/chat/completions", {"model": "gpt-oss:20b", "messages": HELLO}, headers=AGENT)
    assert (shown.status_code, "ossian pull gpt-oss:20b" in shown.text) == (404, True)


def test_an_answer_that_breaks_off_ends_with_a_sentence_in_chat_completions(serve):
    body = {**BODIES["/v1/chat/completions"], "stream": True, "stream_options": {"include_usage": True}}
    said = serve(model=Dying).post("/v1/chat/completions", body, headers=AGENT).text
    choices = [chunk["choices"][0] for chunk in read_stream(said) if chunk["choices"]]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == BROKE_OFF
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    assert not [chunk for chunk in read_stream(said) if "error" in chunk]
    assert said.endswith("data: [DONE]\n\n")


def test_an_answer_that_breaks_off_ends_with_a_sentence_in_responses(serve):
    body = {**BODIES["/v1/responses"], "stream": True}
    events = read_stream(serve(model=Dying).post("/v1/responses", body, headers=AGENT).text)
    assert events[-1]["type"] == "response.completed"
    message = events[-1]["response"]["output"][-1]
    assert (message["content"][0]["text"], message["status"]) == (BROKE_OFF, "completed")


def test_what_broke_off_cannot_be_gone_on_from_and_vscode_hears_the_code_for_that(serve):
    # At this code VS Code sends the whole conversation instead (failKind invalidPreviousResponseId, 1.139.1).
    server = serve(model=Dying)
    broken = read_stream(server.post("/v1/responses", {**BODIES["/v1/responses"], "stream": True}, headers=AGENT).text)
    again = {**BODIES["/v1/responses"], "previous_response_id": broken[-1]["response"]["id"]}
    refused = server.post("/v1/responses", again, headers=AGENT)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "previous_response_not_found")


def test_an_answer_that_breaks_off_ends_with_a_sentence_in_messages(serve):
    body = {**BODIES["/v1/messages"], "stream": True}
    events = read_stream(serve(model=Dying).post("/v1/messages", body, headers=AGENT).text)
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == BROKE_OFF
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    assert events[-2]["delta"]["stop_reason"] == "end_turn"


def test_others_hear_of_an_answer_that_breaks_off_in_their_dialect(serve):
    server = serve(model=Dying)
    ends = {path: read_stream(server.post(path, {**body, "stream": True}).text)[-1] for path, body in BODIES.items()}
    assert ends["/v1/chat/completions"]["error"]["message"] == SENTENCE
    assert ends["/v1/responses"]["type"] == "response.failed"
    assert ends["/v1/messages"]["error"]["message"] == SENTENCE
