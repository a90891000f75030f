"""One answer in OpenAI's words: chunks of a stream, or the whole completion."""

import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ossian.api.dialects import write_openai_error
from ossian.api.logprobs import write_logprobs
from ossian.api.passages import write_passages
from ossian.api.streams import Whole
from ossian.chat import Done, Event, Logprob, Source, Sources, Text, Thinking, ToolCall, Usage
from ossian.errors import OssianError

Words = dict[str, Any]


@dataclass(slots=True)
class OpenAIReply:
    """Every chunk of one answer has the same id and time; the first one says the role.

    as_functions   calls are written in the words of 2023: one, without an id
    """

    model: str
    choices: int = 1
    as_functions: bool = False
    include_usage: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    started: bool = False
    call_ids: list[str] = field(default_factory=list)
    finished: list[Usage] = field(default_factory=list)  # of the choices that are whole
    sources: tuple[Source, ...] = ()

    def write_event(self, event: Event) -> Iterator[Words]:
        match event:
            case Text(text, logprobs):
                yield self.write_chunk({"content": text}, logprobs=logprobs)
            case Thinking(text):
                yield self.write_chunk(self.write_thinking(text))
            case ToolCall() if not (self.as_functions and self.call_ids):
                yield self.write_chunk(self.write_calls([event]))
            case Sources(passages):
                self.sources = passages
            case Done():
                yield from self.write_end(event)

    def write_end(self, done: Done) -> Iterator[Words]:
        yield self.write_chunk({}, self.finish_reason(done)) | write_passages(self.sources)
        self.finished.append(done.usage)
        self.started, self.call_ids = False, []
        if self.include_usage and len(self.finished) == self.choices:
            yield {**self.write_head("chat.completion.chunk"), "choices": [], "usage": write_usage(*self.finished)}

    def write_failure(self, error: OssianError) -> Iterator[Words]:
        yield write_openai_error(error)

    def write_whole(self, *wholes: Whole) -> Words:
        choices = [self.write_choice(index, whole) for index, whole in enumerate(wholes)]
        usage = write_usage(*(whole.done.usage for whole in wholes))
        return {**self.write_head("chat.completion"), "choices": choices, "usage": usage}

    def write_choice(self, index: int, whole: Whole) -> Words:
        self.call_ids = []
        message: Words = {"role": "assistant", "content": whole.text}
        if whole.thinking:
            message |= self.write_thinking(whole.thinking)
        if whole.calls:
            message |= self.write_calls(whole.calls)
        message |= write_passages(whole.sources)
        reason = self.finish_reason(whole.done)
        return {"index": index, "message": message, "finish_reason": reason, "logprobs": write_content(whole.logprobs)}

    def write_chunk(self, delta: Words, finish_reason: str | None = None, logprobs: Sequence[Logprob] = ()) -> Words:
        """One chunk; content and tool calls never share one, because Copilot loses the content then (its stream.ts)."""
        if not self.started:
            self.started = True
            delta = {"role": "assistant", **delta}
        index = min(len(self.finished), self.choices - 1)
        choice = {"index": index, "delta": delta, "finish_reason": finish_reason, "logprobs": write_content(logprobs)}
        return {**self.write_head("chat.completion.chunk"), "choices": [choice]}

    def write_thinking(self, text: str) -> Words:
        """Reasoning under both its names. VS Code sends it back only when it came with a `cot_id`."""
        return {"reasoning": text, "reasoning_content": text, "cot_id": f"cot-{self.id}"}

    def write_head(self, kind: str) -> Words:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": "fp_ossian",
        }

    def write_calls(self, calls: Sequence[ToolCall]) -> Words:
        """Calls as a part of the message."""
        written = [self.write_call(call) for call in calls]
        return {"function_call": written[0]["function"]} if self.as_functions else {"tool_calls": written}

    def write_call(self, call: ToolCall) -> Words:
        """A whole call. Clients tell calls apart by id, so no two have the same."""
        fresh = call.id and call.id not in self.call_ids
        self.call_ids.append(call.id if fresh else f"call_{secrets.token_hex(4)}")
        return {
            "index": len(self.call_ids) - 1,
            "id": self.call_ids[-1],
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments or "{}"},
        }

    def finish_reason(self, done: Done) -> str:
        called = "function_call" if self.as_functions else "tool_calls"
        return called if self.call_ids and done.reason == "stop" else done.reason


def write_content(logprobs: Sequence[Logprob]) -> Words | None:
    return {"content": write_logprobs(logprobs), "refusal": None} if logprobs else None


def write_usage(*choices: Usage) -> Words:
    """What all choices cost; their one prompt counts once, as OpenAI has it."""
    prompt = max(usage.prompt_tokens for usage in choices)
    written = sum(usage.completion_tokens for usage in choices)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": choices[0].cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": sum(usage.thinking_tokens for usage in choices)},
    }
