"""Who may come in at all: Host, Origin, key and size are checked before any door sees the request."""

import asyncio
import contextlib
import hmac
import ipaddress
import re
import socket
import sys
from collections.abc import Iterable
from typing import ClassVar

import psutil
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ossian.api.dialects import dialect_of, error_response, is_vscode
from ossian.api.packed import is_packed, unpacked
from ossian.errors import BadRequest, Forbidden
from ossian.settings import Settings

UPLOADS = "/api/blobs/"
PAGE = "/ui"
OWN_HOSTS = ("localhost", "0.0.0.0", "127.0.0.1")
DEFAULT_ORIGINS = (
    *(f"{scheme}://{host}{port}" for scheme in ("http", "https") for host in OWN_HOSTS for port in ("", ":*")),
    "app://*", "file://*", "tauri://*", "vscode-webview://*", "vscode-file://*",
    "chrome-extension://*", "moz-extension://*", "safari-web-extension://*", "ms-browser-extension://*",
)  # fmt: skip
LOCAL_SUFFIXES = (".localhost", ".local", ".internal")
STAINLESS = (
    "arch", "async", "custom-poll-interval", "helper", "helper-method", "lang", "os", "package-version",
    "poll-helper", "retry-count", "runtime", "runtime-version", "timeout",
)  # fmt: skip
ALLOWED_HEADERS = (
    "Authorization", "Content-Type", "User-Agent", "Accept", "X-Requested-With", "OpenAI-Beta", "x-api-key",
    "anthropic-version", "anthropic-beta", "anthropic-dangerous-direct-browser-access",
    *(f"x-stainless-{name}" for name in STAINLESS),
)  # fmt: skip
ALLOWED_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
PREFLIGHT_SECONDS = 12 * 3600
DRAIN_SECONDS = 2.0
SHOWN_IN_VSCODE = (400, 404)


class BodyTooLarge(BadRequest):
    status: ClassVar[int] = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes.", "Raise OSSIAN_MAX_BODY if it should be taken.")


class Guard:
    """ASGI middleware around all doors."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.origins = [as_pattern(origin) for origin in (*DEFAULT_ORIGINS, *settings.origins)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        dialect = dialect_of(scope["path"], headers)
        send = with_shown_status(send) if is_vscode(headers) else send
        try:
            self.check(scope, headers)
        except Forbidden as error:
            await error_response(error, dialect)(scope, receive, send)
            return
        origin = headers.get("origin", "")
        answer = with_origin(send, origin) if origin else send
        if scope.get("method") == "OPTIONS":
            await preflight(origin)(scope, receive, answer)
            return
        try:
            check_key(self.settings, scope, headers)
            encoding = headers.get("content-encoding", "")
            is_upload = scope["path"].startswith(UPLOADS) and not is_packed(encoding)  # the disk bounds those
            limit = sys.maxsize if is_upload else self.settings.max_body
            await check_size(limit, receive, headers)
        except (Forbidden, BodyTooLarge) as error:
            await error_response(error, dialect)(scope, receive, answer)
            return
        body = unpacked(counted(receive, limit), encoding, limit, lambda: BodyTooLarge(limit))
        await self.app(scope, body, answer)

    def check(self, scope: Scope, headers: Headers) -> None:
        """Raise Forbidden for a Host that is not ours (DNS rebinding) or a web page that may not call."""
        host = headers.get("host", "")
        if not is_own_host(host, self.settings.hosts):
            raise Forbidden(
                f'this server does not answer to the Host "{host}".', "Name it in OSSIAN_HOSTS if it should."
            )
        origin = headers.get("origin", "")
        own_page = origin.partition("://")[2] == host and origin.startswith(("http://", "https://"))
        if origin and not own_page and not any(pattern.fullmatch(origin) for pattern in self.origins):
            raise Forbidden(
                f'the Origin "{origin}" may not call this server.', "Name it in OSSIAN_ORIGINS if it should."
            )


async def check_size(limit: int, receive: Receive, headers: Headers) -> None:
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        await drain(receive)
        raise BodyTooLarge(limit)


def check_key(settings: Settings, scope: Scope, headers: Headers) -> None:
    """Raise Forbidden unless the caller has a key. Not a 401: there VS Code shows its own sign-in dialog."""
    if not settings.api_key or (scope["path"] == "/" and scope.get("method") in ("GET", "HEAD")):
        return
    if f"{scope['path']}/".startswith(f"{PAGE}/"):  # browsers send no key by themselves: the page asks for it
        return
    if not has_key(headers, settings.api_key, settings.admin_key):
        raise Forbidden("this server wants its API key:", "send Authorization: Bearer followed by the key.")


def check_admin(settings: Settings, headers: Headers) -> None:
    """Raise Forbidden unless the caller may change which models there are."""
    if settings.admin_key and not has_key(headers, settings.admin_key):
        raise Forbidden("changing models here needs the admin key:", "send Authorization: Bearer followed by it.")


def has_key(headers: Headers, *keys: str) -> bool:
    """Whether the caller sends one of these keys, as a bearer's or in Anthropic's own header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    given = (token.strip() if scheme.lower() == "bearer" else "", headers.get("x-api-key", ""))
    pairs = [(one.encode("latin-1"), key.encode()) for one in given for key in keys if key]
    return any([hmac.compare_digest(one, key) for one, key in pairs])


def is_own_host(header: str, more: Iterable[str] = ()) -> bool:
    """Whether a Host header means this machine.

    >>> is_own_host("localhost:11434"), is_own_host("[::1]:80"), is_own_host("evil.example")
    (True, True, False)
    """
    match = re.fullmatch(r"(?:\[([^\]]*)\]|([^:]*))(?::\d*)?", header)
    if match is None:
        return False
    host = (match[1] or match[2] or "").lower().rstrip(".")
    try:
        return is_own_address(ipaddress.ip_address(host))
    except ValueError:
        names = ("", "localhost", socket.gethostname().lower(), *(name.lower() for name in more))
        return host in names or host.endswith(LOCAL_SUFFIXES)


def is_own_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if address.is_loopback or address.is_private or address.is_unspecified:
        return True
    own = (given.address.partition("%")[0] for card in psutil.net_if_addrs().values() for given in card)
    return str(address) in own


def as_pattern(origin: str) -> re.Pattern[str]:
    """An origin in which * stands for anything; after a colon for a port."""
    parts = re.split(r"(:\*$|\*)", origin)
    spelled = {"*": ".*", ":*": r":\d+"}
    return re.compile("".join(spelled.get(part) or re.escape(part) for part in parts), re.IGNORECASE)


def preflight(origin: str) -> Response:
    allowed = {
        "access-control-allow-methods": ", ".join(ALLOWED_METHODS),
        "access-control-allow-headers": ", ".join(ALLOWED_HEADERS),
        "access-control-max-age": str(PREFLIGHT_SECONDS),
    }
    return Response(status_code=204, headers=allowed if origin else None)


def with_origin(send: Send, origin: str) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
            headers.add_vary_header("Origin")
        await send(message)

    return answer


def with_shown_status(send: Send) -> Send:
    """Errors under a status whose words VS Code shows.

    422 it calls a filter for responsible AI, 429 and 503 a rate limit, 500 a server error without our words; at 401
    and 403 it throws away its GitHub token (1.139.1).
    """

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            message["status"] = message["status"] if message["status"] in SHOWN_IN_VSCODE else 400
        await send(message)

    return answer


def counted(receive: Receive, limit: int) -> Receive:
    """The same body, refused from the byte on that is too much."""
    taken = 0

    async def take() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            await drain(receive)
            raise BodyTooLarge(limit)
        return message

    return take


async def drain(receive: Receive) -> None:
    """Read and forget the rest for a while: a client that still writes would not read what we say."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_SECONDS):
            while (await receive()).get("more_body"):
                pass
