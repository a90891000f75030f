"""The page's way to the doors: over HTTP, as every client comes, with the key that the visitor gave."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import httpx2


class Refused(Exception):
    """A door said no; the sentence is for the person."""


@dataclass(slots=True)
class Doors:
    """The server at this address, asked with this key."""

    url: str
    key: str = ""

    async def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        return await self._ask("GET", path, params=query or {})

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        return await self._ask("POST", path, json=body)

    async def delete(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return await self._ask("DELETE", path, json=body or {})

    async def stream(self, path: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The lines of an answer. Closing this hangs up, which stops the model."""
        async for line in self._lines(path, json=body):
            yield line

    async def upload(self, path: str, name: str, data: bytes) -> AsyncGenerator[dict[str, Any], None]:
        async for line in self._lines(path, files={"file": (name, data)}):
            yield line

    async def _ask(self, method: str, path: str, **what: Any) -> Any:
        async with self._client() as http:
            answer = await http.request(method, path, **what)
            if not answer.is_success:
                raise Refused(read_error(answer.text))
            return answer.json() if answer.content else None

    async def _lines(self, path: str, **what: Any) -> AsyncGenerator[dict[str, Any], None]:
        async with self._client() as http, http.stream("POST", path, **what) as answer:
            if not answer.is_success:
                raise Refused(read_error((await answer.aread()).decode(errors="replace")))
            async for line in answer.aiter_lines():
                said = json.loads(line) if line else {}
                if "error" in said:
                    raise Refused(str(said["error"]))
                if said:
                    yield said

    def _client(self) -> httpx2.AsyncClient:
        headers = {"User-Agent": "Ossian page", **({"Authorization": f"Bearer {self.key}"} if self.key else {})}
        return httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=None, trust_env=False)


def read_error(text: str) -> str:
    """The sentence in a refusal."""
    try:
        error = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        return text.strip() or "the server gave no answer"
    return str(error.get("message", error)) if isinstance(error, dict) else str(error)
