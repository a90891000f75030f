"""What a server really reads again, by its own count: the demo model, asked as an editor's agent mode asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest

from ossian.native.instruction_sets import KernelsMissing, load_kernels
from server_process import Server

BLOCK_TOKENS = 64
RULES = "\n".join(f"{number}. Put the {number} books back and say where they stand." for number in range(1, 30))
FIRST_CHAT, SECOND_CHAT = "31c3efb1-4073-48e3-9bfd-f57713200601", "0e9c2d4b-91aa-4f0e-8a53-6b1f0c7de218"
LETTER = "Dear reader, " + "the shop opens at nine and closes at five. " * 10
FIELDS = {"path": {"enum": ["notes.txt"]}, "text": {"enum": [LETTER]}}
SCHEMA = {"type": "object", "properties": FIELDS, "required": list(FIELDS), "additionalProperties": False}
WRITE_FILE = {"name": "write_file", "description": "Write a file.", "parameters": SCHEMA, "strict": True}
OTHERS = [{"name": f"read_shelf_{n}", "description": f"Read what stands on shelf {n}."} for n in range(20)]
TOOLS: Any = [{"type": "function", "function": tool} for tool in (WRITE_FILE, *OTHERS)]
CHOICE: Any = {"type": "function", "function": {"name": "write_file"}}
RESULT = "It is written."


@contextmanager
def running(home: Path, **settings: str) -> Iterator[openai.OpenAI]:
    server = Server(home, **settings)
    try:
        yield openai.OpenAI(base_url=f"{server.url}/v1", api_key="x")
    finally:
        server.close()


def begin(chat: str, date: str, words: str) -> list[Any]:
    """The first turn: instructions that end with the chat's id, the project, and the person."""
    log = f"- LOG: /home/me/editor/workspaces/logs/of/chats/{chat}"
    system = (
        f"You help in an editor.\n{RULES}\nThese words stand for others:\n- NOTES: /home/me/notes\n{log}\nPut them in."
    )
    project = "<project>\ndemo.py\nREADME.md\nnotes.txt\n</project>\n" * 3
    asked = f"<context>\nThe date is {date}.\n</context>\n<request>\n{words}\n</request>"
    return [{"role": "system", "content": system}, *({"role": "user", "content": text} for text in (project, asked))]


def ask(client: openai.OpenAI, messages: list[Any], **more: Any) -> Any:
    bounds = {"temperature": 0.0, "max_tokens": 400, "tools": TOOLS}
    return client.chat.completions.create(model="demo", messages=messages, **bounds, **more)


def go_on(messages: list[Any], answer: Any) -> list[Any]:
    """The next request: the call without its thinking, as most clients send it back, and what the tool says."""
    (call,) = answer.choices[0].message.tool_calls
    assert LETTER in call.function.arguments
    back = {"role": "assistant", "content": "", "tool_calls": [call.model_dump(exclude_none=True)]}
    return [*messages, back, {"role": "tool", "tool_call_id": call.id, "content": RESULT}]


def count_read(answer: Any) -> int:
    usage = answer.usage
    return int(usage.prompt_tokens - usage.prompt_tokens_details.cached_tokens)


def count_known(answer: Any) -> int:
    """What the engine has read after an answer; its last token was written and not read."""
    return int(answer.usage.prompt_tokens + answer.usage.completion_tokens - 1)


@pytest.mark.parametrize("order", ["cache", "official"])
def test_only_the_order_for_the_cache_saves_the_next_turn_and_the_next_chat(tmp_path, order):
    first = begin(FIRST_CHAT, "2026-11-22", "Write the letter.")
    with running(tmp_path, OSSIAN_PROMPT_ORDER=order) as client:
        called = ask(client, first, tool_choice=CHOICE)
        went_on = ask(client, go_on(first, called))
        other = ask(client, begin(SECOND_CHAT, "2026-11-23", "Is all well?"))
    assert called.usage.prompt_tokens_details.cached_tokens == 0
    reread = count_known(called) - went_on.usage.prompt_tokens_details.cached_tokens
    letter_tokens = called.usage.completion_tokens
    if order == "cache":
        assert reread < BLOCK_TOKENS
        assert count_read(other) < 300
    else:
        assert reread > letter_tokens / 2
        assert count_read(other) > 600


def test_a_turn_goes_on_after_a_restart_where_it_was(tmp_path):
    try:
        load_kernels()
    except KernelsMissing as error:
        pytest.skip(f"llama.cpp keeps nothing over a restart: {error}")
    first = begin(FIRST_CHAT, "2026-11-22", "Write the letter.")
    with running(tmp_path) as client:
        called = ask(client, first, tool_choice=CHOICE)
    with running(tmp_path) as client:
        went_on = ask(client, go_on(first, called))
    assert went_on.usage.prompt_tokens_details.cached_tokens > count_known(called) - BLOCK_TOKENS


def test_a_new_question_after_a_turn_with_calls_finds_that_turn_again(tmp_path):
    """All but the last answer, whose thought is dropped as harmony's guide says."""
    first = begin(FIRST_CHAT, "2026-11-22", "Write the letter.")
    with running(tmp_path) as client:
        second = go_on(first, ask(client, first, tool_choice=CHOICE))
        answered = ask(client, second)
        said = {"role": "assistant", "content": answered.choices[0].message.content or "Done."}
        last = ask(client, [*second, said, {"role": "user", "content": "Thank you. Is all well?"}])
    assert last.usage.prompt_tokens_details.cached_tokens > answered.usage.prompt_tokens - BLOCK_TOKENS
