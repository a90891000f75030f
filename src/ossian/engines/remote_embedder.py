"""Vectors of texts from any server that has OpenAI's /v1/embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx2

from ossian.errors import ModelFailed, SettingInvalid

PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class RemoteEmbedder:
    """A server and a model of it. `url` ends before /embeddings."""

    url: str
    model: str

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector for each text. Raises ModelFailed with what the server said."""
        try:
            async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
                body = {"model": self.model, "input": list(texts)}
                answer = await client.post(f"{self.url}/embeddings", json=body)
                answer.raise_for_status()
                rows = sorted(answer.json()["data"], key=lambda row: row["index"])
                vectors = [[float(number) for number in row["embedding"]] for row in rows]
        except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
            raise ModelFailed(f"{self.url} gave no vectors: {error}") from error
        if len(vectors) != len(texts):
            raise ModelFailed(f"{self.url} gave {len(vectors)} vectors for {len(texts)} texts")
        return vectors


def read_remote(text: str) -> RemoteEmbedder:
    """A server by its address, a # and the model's name. Raises SettingInvalid.

    >>> read_remote("http://box:8080/v1#bge-small")
    RemoteEmbedder(url='http://box:8080/v1', model='bge-small')
    """
    url, _, model = text.partition("#")
    if not model:
        raise SettingInvalid(f"OSSIAN_EMBEDDER={text} names no model.", "Write http://server:port/v1#model.")
    return RemoteEmbedder(url.rstrip("/"), model)
