"""One answer in Anthropic's words: the events of a stream, or the whole message."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from ossian.api.dialects import PING, write_anthropic_error
from ossian.api.recall import read_arguments
from ossian.api.streams import Whole
from ossian.chat import Done, Event, Text, Thinking, ToolCall, Usage
from ossian.errors import OssianError

Words = dict[str, Any]
Display = Literal["shown", "sealed", "hidden"]
"""Thinking in the answer: as blocks with their text, as empty blocks, or not at all."""

# Clients drop thinking without a signature. Nothing is proved here: what comes back is taken as it is.
SIGNATURE = "b3NzaWFu"


@dataclass(slots=True)
class AnthropicReply:
    """`blocks` counts those begun, `open` is the kind of the one that is being written.

    one_call   calls behind the first are left out: the caller asked for no parallel tool use
    """

    model: str
    display: Display = "shown"
    one_call: bool = False
    id: str = field(default_factory=lambda: f"msg_{secrets.token_hex(12)}")
    request_id: str = field(default_factory=lambda: f"req_{secrets.token_hex(12)}")
    started: bool = False
    blocks: int = 0
    open: str = ""
    call_ids: list[str] = field(default_factory=list)

    def write_event(self, event: Event) -> Iterator[Words]:
        if not self.started:
            yield from self.write_start()
        match event:
            case Thinking(text) if text and self.display != "hidden":
                yield from self.open_block({"type": "thinking", "thinking": "", "signature": ""})
                if self.display == "shown":
                    yield self.write_delta({"type": "thinking_delta", "thinking": text})
            case Text(text) if text:
                yield from self.open_block({"type": "text", "text": ""})
                yield self.write_delta({"type": "text_delta", "text": text})
            case ToolCall() if self.wants(event):
                yield from self.write_call_events(event)
            case Done():
                yield from self.close_block()
                yield from self.write_end(event)

    def write_start(self) -> Iterator[Words]:
        """The first event. Tokens are counted in the last one: only then is known which came from the cache."""
        self.started = True
        yield {"type": "message_start", "message": self.write_message([], None, Usage())}
        yield PING

    def write_call_events(self, call: ToolCall) -> Iterator[Words]:
        """A call whose input comes in one piece."""
        block = self.write_call(call)
        yield from self.close_block()
        yield from self.open_block({**block, "input": {}})
        partial = json.dumps(block["input"], ensure_ascii=False)
        yield self.write_delta({"type": "input_json_delta", "partial_json": partial})
        yield from self.close_block()

    def write_end(self, done: Done) -> Iterator[Words]:
        yield {"type": "message_delta", "delta": self.write_stop(done), "usage": write_usage(done.usage)}
        yield {"type": "message_stop"}

    def write_failure(self, error: OssianError) -> Iterator[Words]:
        yield {**write_anthropic_error(error), "request_id": self.request_id}

    def write_whole(self, whole: Whole) -> Words:
        content: list[Words] = []
        if whole.thinking and self.display != "hidden":
            shown = whole.thinking if self.display == "shown" else ""
            content.append({"type": "thinking", "thinking": shown, "signature": SIGNATURE})
        if whole.text:
            content.append({"type": "text", "text": whole.text})
        content += [self.write_call(call) for call in whole.calls if self.wants(call)]
        return self.write_message(content, whole.done, whole.done.usage)

    def write_message(self, content: list[Words], done: Done | None, usage: Usage) -> Words:
        head = {"id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content}
        return {**head, **self.write_stop(done), "usage": write_usage(usage)}

    def write_stop(self, done: Done | None) -> Words:
        """Why it ended; nothing while it has not."""
        if done is None:
            return {"stop_reason": None, "stop_sequence": None}
        reason = "tool_use" if self.call_ids else "end_turn"
        if done.stop or done.reason == "length":
            reason = "stop_sequence" if done.stop else "max_tokens"
        return {"stop_reason": reason, "stop_sequence": done.stop or None}

    def open_block(self, block: Words) -> Iterator[Words]:
        """Begin a block, unless one of its kind is open."""
        if self.open == block["type"]:
            return
        yield from self.close_block()
        self.open = block["type"]
        self.blocks += 1
        yield {"type": "content_block_start", "index": self.blocks - 1, "content_block": block}

    def close_block(self) -> Iterator[Words]:
        if self.open == "thinking":
            yield self.write_delta({"type": "signature_delta", "signature": SIGNATURE})
        if self.open:
            self.open = ""
            yield {"type": "content_block_stop", "index": self.blocks - 1}

    def write_delta(self, delta: Words) -> Words:
        return {"type": "content_block_delta", "index": self.blocks - 1, "delta": delta}

    def wants(self, call: ToolCall) -> bool:
        return not (self.one_call and self.call_ids)

    def write_call(self, call: ToolCall) -> Words:
        """A call with its input as an object; what is none is handed over as one text. No two have the same id."""
        fresh = call.id and call.id not in self.call_ids
        self.call_ids.append(call.id if fresh else f"toolu_{secrets.token_hex(12)}")
        arguments = next(read_arguments(call.arguments), None)
        whole = arguments if isinstance(arguments, dict) else {"arguments": call.arguments}
        return {"type": "tool_use", "id": self.call_ids[-1], "name": call.name, "input": whole}


def write_usage(usage: Usage) -> Words:
    """Anthropic counts the tokens that came from the cache apart."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"thinking_tokens": usage.thinking_tokens},
    }
