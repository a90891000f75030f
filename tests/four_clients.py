"""One question put through the official clients: Ollama's, OpenAI's on both its doors, Anthropic's."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import anthropic
import ollama
import openai

Fields = dict[str, Any]


@dataclass(frozen=True)
class Offer:
    """A tool, as every client can send it."""

    name: str
    parameters: Mapping[str, Any]
    description: str = ""

    def write(self) -> Fields:
        return {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}


@dataclass(frozen=True)
class Ask:
    """A question. `effort` none, low, medium or high; `choice` of a tool auto, none, required or a name.

    results    what the tools say, by their names: with them the conversation goes on behind the first answer
    """

    text: str
    model: str = "demo"
    system: str = ""
    effort: str = "low"
    tools: Sequence[Offer] = ()
    choice: str = "auto"
    schema: Mapping[str, Any] | None = None
    bound: int = 2_000
    temperature: float = 0.0
    seed: int = 1
    stop: Sequence[str] = ()
    stream: bool = False
    results: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Said:
    """An answer: what was thought and said, the calls with their arguments, how it ended and what it cost."""

    thinking: str
    text: str
    calls: tuple[tuple[str, Any], ...]
    reason: str
    prompt_tokens: int
    written_tokens: int


def drop_none(**fields: Any) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


class Ollama:
    def __init__(self, url: str) -> None:
        self.client = ollama.Client(url)

    def first(self, ask: Ask) -> list[Any]:
        system = [{"role": "developer", "content": ask.system}] if ask.system else []
        return [*system, {"role": "user", "content": ask.text}]

    def put(self, ask: Ask, messages: list[Any]) -> tuple[Said, Any]:
        options = {"temperature": ask.temperature, "seed": ask.seed, "stop": list(ask.stop), "num_predict": ask.bound}
        reply = self.client.chat(
            ask.model,
            messages,
            think=False if ask.effort == "none" else ask.effort,
            tools=[{"type": "function", "function": tool.write()} for tool in ask.tools],
            format=ask.schema,
            options=options,
            stream=ask.stream,
        )
        parts = list(reply) if ask.stream else [reply]
        text = "".join(part.message.content or "" for part in parts)
        calls = [call for part in parts for call in part.message.tool_calls or ()]
        thinking = "".join(part.message.thinking or "" for part in parts)
        said = Said(
            thinking,
            text,
            tuple((call.function.name, dict(call.function.arguments)) for call in calls),
            parts[-1].done_reason,
            parts[-1].prompt_eval_count,
            parts[-1].eval_count,
        )
        return said, ollama.Message(role="assistant", content=text, thinking=thinking, tool_calls=calls)

    def follow(self, turn: Any, results: Mapping[str, str]) -> list[Any]:
        names = [call.function.name for call in turn.tool_calls]
        return [turn, *({"role": "tool", "tool_name": name, "content": results[name]} for name in names)]


class OpenAI:
    def __init__(self, url: str) -> None:
        self.client = openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)

    def first(self, ask: Ask) -> list[Any]:
        system = [{"role": "developer", "content": ask.system}] if ask.system else []
        return [*system, {"role": "user", "content": ask.text}]

    def fields(self, ask: Ask) -> Fields:
        named = {"type": "function", "function": {"name": ask.choice}}
        return drop_none(
            model=ask.model,
            reasoning_effort=ask.effort,
            temperature=ask.temperature,
            seed=ask.seed,
            max_completion_tokens=ask.bound,
            stop=list(ask.stop) or None,
            response_format=ask.schema
            and {"type": "json_schema", "json_schema": {"name": "answer", "schema": ask.schema}},
            tools=[{"type": "function", "function": tool.write()} for tool in ask.tools] or None,
            tool_choice=(ask.choice if ask.choice in ("auto", "none", "required") else named) if ask.tools else None,
        )

    def put(self, ask: Ask, messages: list[Any]) -> tuple[Said, Any]:
        asked = self.fields(ask) | {"messages": messages}
        if ask.stream:
            with self.client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
                reply = stream.get_final_completion()
        else:
            reply = self.client.chat.completions.create(**asked)
        choice, usage = reply.choices[0], reply.usage
        calls = [call.function for call in choice.message.tool_calls or ()]
        said = Said(
            getattr(choice.message, "reasoning", None) or "",
            choice.message.content or "",
            tuple((call.name, json.loads(call.arguments)) for call in calls),
            choice.finish_reason,
            usage.prompt_tokens,
            usage.completion_tokens,
        )
        return said, choice.message

    def follow(self, turn: Any, results: Mapping[str, str]) -> list[Any]:
        parts = {call.id: [{"type": "text", "text": results[call.function.name]}] for call in turn.tool_calls}
        return [turn, *({"role": "tool", "tool_call_id": id, "content": content} for id, content in parts.items())]


class Responses(OpenAI):
    def fields(self, ask: Ask) -> Fields:
        named = {"type": "function", "name": ask.choice}
        return drop_none(
            model=ask.model,
            reasoning={"effort": ask.effort},
            temperature=ask.temperature,
            max_output_tokens=ask.bound,
            extra_body={"options": {"seed": ask.seed, "stop": list(ask.stop)}},
            text=ask.schema and {"format": {"type": "json_schema", "name": "answer", "schema": ask.schema}},
            tools=[{"type": "function", "strict": False, **tool.write()} for tool in ask.tools] or None,
            tool_choice=(ask.choice if ask.choice in ("auto", "none", "required") else named) if ask.tools else None,
        )

    def put(self, ask: Ask, messages: list[Any]) -> tuple[Said, Any]:
        asked = self.fields(ask) | {"input": messages}
        if ask.stream:
            with self.client.responses.stream(**asked) as stream:
                reply = stream.get_final_response()
        else:
            reply = self.client.responses.create(**asked)
        calls = [item for item in reply.output if item.type == "function_call"]
        said = Said(
            "".join(part.text for item in reply.output if item.type == "reasoning" for part in item.summary),
            reply.output_text,
            tuple((call.name, json.loads(call.arguments)) for call in calls),
            reply.incomplete_details.reason if reply.incomplete_details else reply.status,
            reply.usage.input_tokens,
            reply.usage.output_tokens,
        )
        return said, reply.output

    def follow(self, turn: Any, results: Mapping[str, str]) -> list[Any]:
        calls = [item for item in turn if item.type == "function_call"]
        outputs = {call.call_id: [{"type": "input_text", "text": results[call.name]}] for call in calls}
        return [
            *turn,
            *({"type": "function_call_output", "call_id": id, "output": parts} for id, parts in outputs.items()),
        ]


class Anthropic:
    CHOICES: Mapping[str, Fields] = {"required": {"type": "any"}, "auto": {"type": "auto"}, "none": {"type": "none"}}

    def __init__(self, url: str) -> None:
        self.client = anthropic.Anthropic(base_url=url, api_key="any", max_retries=0)

    def first(self, ask: Ask) -> list[Any]:
        return [{"role": "user", "content": ask.text}]

    def fields(self, ask: Ask) -> Fields:
        thinks = ask.effort != "none"
        config = drop_none(
            effort=ask.effort if thinks else None,
            format=ask.schema and {"type": "json_schema", "schema": ask.schema},
        )
        tools = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters} for tool in ask.tools
        ]
        return drop_none(
            model=ask.model,
            max_tokens=ask.bound,
            system=ask.system or None,
            stop_sequences=list(ask.stop),
            thinking={"type": "adaptive" if thinks else "disabled"},
            output_config=config or None,
            tools=tools or None,
            tool_choice=self.CHOICES.get(ask.choice, {"type": "tool", "name": ask.choice}) if tools else None,
            extra_body={"temperature": ask.temperature, "options": {"seed": ask.seed}},
        )

    def put(self, ask: Ask, messages: list[Any]) -> tuple[Said, Any]:
        asked = self.fields(ask) | {"messages": messages}
        if ask.stream:
            with self.client.messages.stream(**asked) as stream:
                reply = stream.get_final_message()
        else:
            reply = self.client.messages.create(**asked)
        said = Said(
            "".join(block.thinking for block in reply.content if block.type == "thinking"),
            "".join(block.text for block in reply.content if block.type == "text"),
            tuple((block.name, block.input) for block in reply.content if block.type == "tool_use"),
            reply.stop_reason,
            reply.usage.input_tokens + (reply.usage.cache_read_input_tokens or 0),
            reply.usage.output_tokens,
        )
        return said, reply.content

    def follow(self, turn: Any, results: Mapping[str, str]) -> list[Any]:
        used = [block for block in turn if block.type == "tool_use"]
        blocks = [
            {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": results[block.name]}]}
            for block in used
        ]
        return [{"role": "assistant", "content": turn}, {"role": "user", "content": blocks}]


CLIENTS = {"ollama": Ollama, "openai": OpenAI, "responses": Responses, "anthropic": Anthropic}


def through(name: str, url: str, ask: Ask) -> Said:
    """The answer that one client gets; with results, the one behind them."""
    client = CLIENTS[name](url)
    messages = client.first(ask)
    said, turn = client.put(ask, messages)
    if ask.results is None:
        return said
    return client.put(ask, messages + client.follow(turn, ask.results))[0]
