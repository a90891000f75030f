"""The demo model says what the README shows, calls an offered function, and says what it is. No more is promised."""

import pytest

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "The city"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture(scope="module")
def server(serve_steadily):
    return serve_steadily(stored=True, real=True)


def ask(server, question: str, **more) -> dict:
    messages = [{"role": "user", "content": question}]
    body = {"model": "demo", "messages": messages, "stream": False, "options": {"temperature": 0}, **more}
    return server.client.post(server.url + "/api/chat", json=body, timeout=60).json()["message"]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Explain recursion in Python.", ("calls itself", "base case", "```python")),
        ("What is a decorator?", ("takes a function", "```python")),
        ("What is a generator?", ("yield", "```python")),
        ("What is the difference between a list and a tuple?", ("mutable", "immutable")),
        ("Who are you?", ("demonstration model",)),
    ],
)
def test_a_question_about_the_basics_is_answered(server, question, words):
    said = ask(server, question)
    assert [word for word in words if word not in said["content"]] == []
    assert said["thinking"]


@pytest.mark.parametrize("city", ["Oslo", "Paris", "Madrid"])
def test_a_function_is_called_with_the_persons_word(server, city):
    said = ask(server, f"What is the weather in {city}?", tools=[WEATHER])
    (call,) = said["tool_calls"]
    assert (call["function"]["name"], call["function"]["arguments"]) == ("get_weather", {"city": city})


def test_a_value_is_copied_from_a_passage(server):
    said = ask(
        server, "The red lamp belongs to Maria Keller. The meeting in Oslo is at 14:30.\n\nWhen is the meeting in Oslo?"
    )
    assert "14:30" in said["content"]
