"""Vectors of texts from any server that has OpenAI's /v1/embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx2

from ossian.errors import ModelFailed, SettingInvalid

PATIENCE_SECONDS = 120.0
NOT_THIS_TEXT = (400, 413, 422)  # it is too long for the model, most often
SHOWN_CHARACTERS = 200
SHORTEST_TEXT = 64  # characters; a server that refuses so few refuses all


@dataclass(frozen=True, slots=True)
class RemoteEmbedder:
    """A server and a model of it. `url` ends before /embeddings."""

    url: str
    model: str
    key: str = ""

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text, or for its beginning where all of it is refused.

        Raises ModelFailed with what the server said.
        """
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS, headers=headers) as client:
            return await self._embed(client, list(texts))

    async def _embed(self, client: httpx2.AsyncClient, texts: list[str]) -> list[list[float]]:
        try:
            answer = await client.post(f"{self.url}/embeddings", json={"model": self.model, "input": texts})
        except httpx2.HTTPError as error:
            raise ModelFailed(f"{self.url} gave no vectors: {error}") from error
        if answer.status_code in NOT_THIS_TEXT and len(texts) > 1:
            return [vector for text in texts for vector in await self._embed(client, [text])]
        if answer.status_code in NOT_THIS_TEXT and len(texts[0]) > SHORTEST_TEXT:
            return await self._embed(client, [texts[0][: len(texts[0]) // 2]])
        return self._read(answer, len(texts))

    def _read(self, answer: httpx2.Response, count: int) -> list[list[float]]:
        if not answer.is_success:
            raise ModelFailed(f"{self.url} gave no vectors: {answer.status_code}, {answer.text[:SHOWN_CHARACTERS]}")
        try:
            rows = sorted(answer.json()["data"], key=lambda row: row["index"])
            vectors = [[float(number) for number in row["embedding"]] for row in rows]
        except (ValueError, KeyError, TypeError) as error:
            raise ModelFailed(f"{self.url} gave no vectors: {error}") from error
        if len(vectors) != count:
            raise ModelFailed(f"{self.url} gave {len(vectors)} vectors for {count} texts")
        return vectors


def read_remote(text: str, key: str = "") -> RemoteEmbedder:
    """A server by its address, a # and the model's name. Raises SettingInvalid.

    >>> read_remote("http://box:8080/v1#bge-small")
    RemoteEmbedder(url='http://box:8080/v1', model='bge-small', key='')
    """
    url, _, model = text.partition("#")
    if not model:
        raise SettingInvalid(f"OSSIAN_EMBEDDER={text} names no model.", "Write http://server:port/v1#model.")
    return RemoteEmbedder(url.rstrip("/"), model, key)
