"""Names for calls that have none."""

import secrets
import string

LETTERS = string.ascii_lowercase + string.digits


def new_call_id() -> str:
    """A call's id as Ollama makes them: call_ and eight letters or digits."""
    return "call_" + "".join(secrets.choice(LETTERS) for _ in range(8))
