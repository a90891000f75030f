"""Tools as gpt-oss reads them: names it can write, and the `# Tools` section. Knows nothing of conversations."""

import re
from collections.abc import Iterator, Mapping, Sequence

from ossian.chat import Tool
from ossian.harmony.typescript import write_type

UNNAMED = "unnamed"


def tool_names(tools: Sequence[Tool]) -> dict[str, str]:
    """The name the model sees -> the client's name, one for each tool and in their order.

    >>> tool_names([Tool("mcp.files read"), Tool("mcp_files_read"), Tool("get-weather")])
    {'mcp_files_read_2': 'mcp.files read', 'mcp_files_read': 'mcp_files_read', 'get-weather': 'get-weather'}
    """
    kept = {tool.name for tool in tools if plain_name(tool.name) == tool.name}
    names: dict[str, str] = {}
    for tool in tools:
        name = plain_name(tool.name)
        if name != tool.name or name in names:
            name = next(free for free in numbered(name) if free not in names and free not in kept)
        names[name] = tool.name
    return names


def plain_name(name: str) -> str:
    """A name of letters, digits, - and _ only: a dot would read as a namespace, a space ends a header's word."""
    return re.sub(r"[^A-Za-z0-9_-]", "", re.sub(r"[. ]", "_", name)) or UNNAMED


def numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1


def model_name(client_name: str, names: Mapping[str, str]) -> str:
    """What the model calls a tool that the client calls so; also for one that is no longer offered."""
    return next((shown for shown, own in names.items() if own == client_name), plain_name(client_name))


def write_tools(tools: Sequence[Tool]) -> str:
    """The `# Tools` section of the developer message."""
    lines = ["# Tools\n", "## functions\n", "namespace functions {\n"]
    for name, tool in zip(tool_names(tools), tools, strict=True):
        lines += (f"// {line}" for line in split_lines(tool.description))
        lines.append(f"type {name} = {write_signature(tool)} => any;\n")
    return "\n".join([*lines, "} // namespace functions"])


def write_signature(tool: Tool) -> str:
    return f"(_: {write_type(tool.parameters)})" if tool.parameters else "()"


def split_lines(text: str) -> list[str]:
    r"""Lines as Rust's `lines` has them, which the official renderer uses: only \n and \r\n end one."""
    *ended, last = text.split("\n")
    return [line.removesuffix("\r") for line in ended] + ([last] if last else [])
