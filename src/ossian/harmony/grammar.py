r"""What an answer must look like, as one grammar: its channels, the tools it may call, their arguments, its format.

It binds the whole answer in one go, and leaves thinking and plain text as free as they were. A tag in it stands for
the token itself (`<|end|>`), never for its spelling; `!<|end|>` is any other token. The tokens that end an answer are
not in it: llama.cpp allows them where the grammar is satisfied, and only there.
"""

from collections.abc import Iterator, Sequence

from ossian.chat import ChatRequest, OnlyTool, Tool
from ossian.errors import BadRequest, SchemaNotSupported
from ossian.harmony.gbnf import either, optional, quote, repeat, sequence, write_grammar
from ossian.harmony.render import Opening
from ossian.harmony.schema_grammar import SchemaRules
from ossian.harmony.schema_reading import Schema, guess_types, list_types
from ossian.harmony.tags import CHANNEL, CONSTRAIN, END, MESSAGE, START
from ossian.harmony.tools import tool_names

JSON_SCHEMA = {"type": "object"}
COMBINED = {"$ref", "anyOf", "oneOf", "allOf"}
FREE = f"(!{END})*"
NEXT_MESSAGE = f'{END} {START} "assistant"'
CONTENT_TYPE = f'({CONSTRAIN} "json")?'


def answer_grammar(request: ChatRequest, opening: Opening) -> str:
    """The grammar of what follows a prompt; "" when nothing binds the answer.

    Raises SchemaNotSupported for a format, or a strict tool, whose schema cannot be kept, and BadRequest where a tool
    must be called that was not offered, or in the middle of an answer.
    """
    tools = callable_tools(request)
    if not tools and request.format is None:
        return ""
    if must_call(request) and opening == "final":
        raise BadRequest(
            "tool_choice asks for a call, but the last message is an answer that is to be gone on with.",
            "Leave one of them out.",
        )
    rules: dict[str, str] = {}
    endings = [*write_calls(request.tools, tools, rules)]
    if not must_call(request):
        endings.append(write_final(request, rules))
    if opening == "final":
        return write_grammar("final-text" if request.format is not None else FREE, rules.items())
    rules["ending"] = either(*endings)
    rules["preamble"] = f'{CHANNEL} "commentary" {MESSAGE} {FREE} {NEXT_MESSAGE}'
    rules["analysis"] = f'{CHANNEL} "analysis" {MESSAGE} {FREE} {NEXT_MESSAGE}'
    before = ["analysis"] if request.think else []
    before += ["preamble"] if tools and not must_call(request) else []  # a word to the person before a call
    opened = f"{FREE} {NEXT_MESSAGE}" if opening == "analysis" else ""
    root = sequence(opened, repeat(either(*before), 0, None) if before else "", "ending")
    return write_grammar(root, rules.items())


def must_call(request: ChatRequest) -> bool:
    return request.tool_choice == "required" or isinstance(request.tool_choice, OnlyTool)


def callable_tools(request: ChatRequest) -> list[Tool]:
    """The tools that this answer may call."""
    match request.tool_choice:
        case "none":
            return []
        case OnlyTool(name):
            found = [tool for tool in request.tools if tool.name == name]
            if not found:
                raise BadRequest(f'tool_choice names "{name}", which is not among the tools')
            return found
        case "required" if not request.tools:
            raise BadRequest('tool_choice is "required", but there are no tools')
        case _:
            return list(request.tools)


def write_calls(offered: Sequence[Tool], allowed: Sequence[Tool], rules: dict[str, str]) -> Iterator[str]:
    """The two forms of a call: its recipient after the channel, as the model writes it, or before, as in history."""
    names = {client: shown for shown, client in tool_names(offered).items()}
    arguments, after, before = SchemaRules(), [], []
    for number, tool in enumerate(allowed):
        arguments.strict = tool.strict
        schema = arguments.add(f"arguments-{number}", as_object(tool))
        after.append(sequence(quote(names[tool.name]), '" "?', CONTENT_TYPE, MESSAGE, schema))
        before.append(sequence(quote(names[tool.name]), CHANNEL, '"commentary"', '" "?', CONTENT_TYPE, MESSAGE, schema))
    rules |= arguments.rules
    if allowed:
        rules["callee"], rules["caller"] = either(*after), either(*before)
        yield f'{CHANNEL} "commentary to=functions." callee'
        yield '" to=functions." caller'


def as_object(tool: Tool) -> Schema:
    """The schema of a tool's arguments, which are an object, whatever else it would allow."""
    types = list_types(tool.parameters.get("type")) or guess_types(tool.parameters)
    if not types and COMBINED & tool.parameters.keys():
        return tool.parameters
    if not types or "object" in types:
        return {**tool.parameters, "type": "object"}
    if tool.strict:
        raise SchemaNotSupported(f'the parameters of the tool "{tool.name}" must be those of an object')
    return JSON_SCHEMA


def write_final(request: ChatRequest, rules: dict[str, str]) -> str:
    if request.format is None:
        return sequence(CHANNEL, '"final"', MESSAGE, FREE)
    schema = JSON_SCHEMA if request.format == "json" else request.format
    formats = SchemaRules()
    formats.add("final-text", schema)
    rules |= formats.rules
    return sequence(CHANNEL, '"final"', optional(f'" "? {CONSTRAIN} "json"'), MESSAGE, "final-text")


def call_grammar(request: ChatRequest, name: str) -> str:
    """The grammar of the bare arguments of an offered tool."""
    tool = next(tool for tool in request.tools if tool.name == name)
    rules = SchemaRules(strict=tool.strict)
    rules.add("arguments", as_object(tool))
    return write_grammar("arguments", rules.rules.items())


def text_grammar(format: object) -> str:
    """The grammar of a bare text in a format, for raw completions."""
    rules = SchemaRules()
    rules.add("text", JSON_SCHEMA if format == "json" else format)
    return write_grammar("text", rules.rules.items())
