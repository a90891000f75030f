"""Record what OpenAI's own renderer makes of conversations.json, into official.json.

    pip install openai-harmony==0.0.8
    (cd /tmp && npm pack js-tiktoken@1.0.21 && tar xzf js-tiktoken-1.0.21.tgz)
    python tests/harmony/record_official.py /tmp/package/dist/ranks/o200k_base.js

The official package wants its vocabulary from the net. The same ranks are in the npm package js-tiktoken; the file that
is built from them is put where `test_official_ids` finds it, and openai-harmony checks its SHA-256 when it loads it.
"""

import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from openai_harmony import (
    Author,
    Conversation,
    DeveloperContent,
    HarmonyEncoding,
    HarmonyEncodingName,
    Message,
    ReasoningEffort,
    Role,
    SystemContent,
    ToolDescription,
    load_harmony_encoding,
)

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "recordings"
VOCABULARY = Path.home() / ".cache" / "ossian-tests" / "o200k_base.tiktoken"
TODAY = "2026-11-22"


def build_vocabulary(ranks: Path) -> None:
    """Write `base64 rank` lines. The ranks come as lines of: a mark, the first rank, tokens in base64."""
    packed = re.search(r'"bpe_ranks":("(?:[^"\\]|\\.)*")', ranks.read_text())
    assert packed is not None, f"no ranks in {ranks}"
    lines = [line.split(" ") for line in json.loads(packed[1]).splitlines()]
    tokens = {int(first) + index: token for _, first, *row in lines for index, token in enumerate(row)}
    VOCABULARY.parent.mkdir(parents=True, exist_ok=True)
    VOCABULARY.write_text("".join(f"{tokens[rank]} {rank}\n" for rank in sorted(tokens)))


def record(case: dict[str, Any], encoding: HarmonyEncoding) -> dict[str, Any]:
    """The official ids, the bytes each stands for (as lengths), the text. `official` is asked instead."""
    ids = write_ids(case.get("official", {}), case["request"], encoding)
    return {"name": case["name"], "text": encoding.decode(ids), "ids": ids, "lengths": write_lengths(ids, encoding)}


def write_lengths(ids: list[int], encoding: HarmonyEncoding) -> list[int]:
    return [len(encoding._inner.decode_bytes([token])) for token in ids]


def write_ids(instead: dict[str, Any], asked: dict[str, Any], encoding: HarmonyEncoding) -> list[int]:
    request = {**asked, **instead}
    messages = list(request["messages"])
    last = messages[-1]
    prefill = messages.pop() if last["role"] == "assistant" and not last.get("calls") else {}
    conversation = [system(request), *developer(request)]
    for message in messages:
        conversation += write_turn(message)
    think = request.get("think", True)
    if prefill.get("thinking") and (prefill.get("content") or not think):
        conversation.append(assistant(prefill["thinking"], "analysis"))
    if not think and request.get("tools") and not prefill.get("content"):
        conversation.append(assistant("", "analysis"))
        return encoding.render_conversation_for_completion(Conversation.from_messages(conversation), Role.ASSISTANT)
    ids = encoding.render_conversation_for_completion(Conversation.from_messages(conversation), Role.ASSISTANT)
    if prefill.get("content") or not think:
        return (
            ids
            + encoding.encode("<|channel|>final<|message|>", allowed_special="all")
            + plain(prefill, "content", encoding)
        )
    if prefill.get("thinking"):
        return (
            ids
            + encoding.encode("<|channel|>analysis<|message|>", allowed_special="all")
            + plain(prefill, "thinking", encoding)
        )
    return ids


def plain(message: dict[str, Any], key: str, encoding: HarmonyEncoding) -> list[int]:
    return encoding.encode(message.get(key, ""), disallowed_special=())


def system(request: dict[str, Any]) -> Message:
    effort = ReasoningEffort[request.get("reasoning", "medium").upper()]
    content = SystemContent.new().with_conversation_start_date(TODAY).with_reasoning_effort(effort)
    return Message.from_role_and_content(Role.SYSTEM, content)


def developer(request: dict[str, Any]) -> list[Message]:
    said = [message["content"] for message in request["messages"] if message["role"] in ("system", "developer")]
    tools = [
        ToolDescription.new(tool["name"], tool.get("description", ""), tool.get("parameters"))
        for tool in request.get("tools", [])
    ]
    content = DeveloperContent.new()
    content = content.with_instructions("\n\n".join(said)) if said else content
    content = content.with_function_tools(tools) if tools else content
    return [Message.from_role_and_content(Role.DEVELOPER, content)] if said or tools else []


def write_turn(message: dict[str, Any]) -> list[Message]:
    match message["role"]:
        case "user":
            return [Message.from_role_and_content(Role.USER, message["content"])]
        case "tool":
            author = Author.new(Role.TOOL, f"functions.{message['name']}")
            result = Message.from_author_and_content(author, message["content"])
            return [result.with_recipient("assistant").with_channel("commentary")]
        case "assistant":
            calls = message.get("calls", [])
            return [
                *([assistant(message["thinking"], "analysis")] if message.get("thinking") else []),
                *(
                    [assistant(message["content"], "commentary" if calls else "final")]
                    if message.get("content")
                    else []
                ),
                *(
                    assistant(call["arguments"], "commentary")
                    .with_recipient(f"functions.{call['name']}")
                    .with_content_type("<|constrain|>json")
                    for call in calls
                ),
            ]
    return []


def assistant(text: str, channel: str) -> Message:
    return Message.from_role_and_content(Role.ASSISTANT, text).with_channel(channel)


def record_editor(path: Path, encoding: HarmonyEncoding) -> dict[str, Any]:
    """An editor's own tools are not copied into this repository: only the digests of what they are rendered to."""
    tools = [tool["function"] for tool in json.loads(path.read_text())["body"]["tools"]]
    ids = write_ids({}, {"messages": [{"role": "user", "content": "Hi"}], "tools": tools}, encoding)
    text = encoding.decode(ids)
    return {"recording": path.name, "text_sha256": sha256(text), "ids_sha256": sha256(json.dumps(ids))}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def main() -> None:
    if len(sys.argv) > 1:
        build_vocabulary(Path(sys.argv[1]))
    os.environ["TIKTOKEN_ENCODINGS_BASE"] = str(VOCABULARY.parent)
    encoding = load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)
    cases = json.loads((HERE / "conversations.json").read_text())
    answers = [record(case, encoding) for case in cases]
    editors = [record_editor(path, encoding) for path in sorted(SHARED.glob("*.json"))]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in [*answers, *editors])
    (HERE / "official.json").write_text(f"[\n{lines}\n]\n")
    print(f"recorded {len(answers)} conversations, {len(editors)} editors' tools", file=sys.stderr)


if __name__ == "__main__":
    main()
