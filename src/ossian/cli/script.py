"""Read the replies of `ossian serve --fake --script`: a JSON list of replies, each a list of events.

[[{"thinking": "They greet."}, {"text": "Hello!"}], [{"tool_call": {"name": "read_file", "arguments": {"path": "a"}}}]]
"""

import json
from pathlib import Path
from typing import Any

from ossian.chat import Event, Text, Thinking, ToolCall
from ossian.errors import SettingInvalid

SHAPE = 'Write a list of replies, each a list of events: [[{"text": "Hello!"}]]'


def read_script(path: Path) -> list[list[Event]]:
    """The replies of a script, in turn. Raises SettingInvalid, naming the place, when one cannot be understood."""
    try:
        replies = json.loads(path.read_text())
    except OSError as error:
        raise SettingInvalid(f"the script {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise SettingInvalid(f"{path.name} is not JSON: {error}.", SHAPE) from error
    if not isinstance(replies, list) or not all(isinstance(reply, list) and reply for reply in replies):
        raise SettingInvalid(f"{path.name} is not a list of replies.", SHAPE)
    return [
        [read_event(event, f"call_{at}_{index}") for index, event in enumerate(reply)]
        for at, reply in enumerate(replies)
    ]


def read_event(event: Any, call_id: str) -> Event:
    """One event of a script."""
    match event:
        case {"thinking": str(text)}:
            return Thinking(text)
        case {"text": str(text)}:
            return Text(text)
        case {"tool_call": {"name": str(name), "arguments": dict(arguments)}}:
            return ToolCall(call_id, name, json.dumps(arguments))
        case _:
            raise SettingInvalid(f"{event!r} is no event.", "Write thinking, text or tool_call.")
