"""A child process that turns tokens into tokens, and the client that speaks to it.

The protocol is llama.cpp's own server's, over a unix socket in a folder only this person can open. Knows nothing of
conversations or of harmony.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
import psutil

from ossian.chat import Sampling
from ossian.engines.child import NOT_FOR_US, child_environment
from ossian.engines.slots import SlotFiles, open_slots
from ossian.engines.steps import (
    Piece,
    Timings,
    read_cached,
    read_last_words,
    read_line,
    read_lines,
    read_refusal,
    read_step,
)
from ossian.errors import ModelFailed
from ossian.store.cache_folder import CacheFolder

HEALTH_POLL_SECONDS = 0.05
STOP_SECONDS = 3.0
# llama.cpp finds these four in any text, whatever parse_special says (llama-vocab.cpp renders them "always" for
# gpt-oss). Cutting behind the "<|" is where the tokenizer's own pattern cuts, so no other token changes.
TAG_IN_TEXT = re.compile(r"(?<=<\|)(?=(?:start|channel|message|constrain|end|return|call|startoftext|endoftext)\|>)")

STREAMED = {
    "stream": True,
    "return_progress": True,  # also makes the server notice within a batch that the caller has left
    "cache_prompt": True,
}


@dataclass(frozen=True, slots=True)
class RunnerSpec:
    """How a model's process is started. `context` is tokens for each of `parallel` answers.

    together: so many answers our own engine writes at once in that room, 0: `parallel`
    template: conversations go through the chat template in the file
    native: our own engine; else llama.cpp's
    cache: where what was read is kept, up to `cache_bytes`, 0: nothing; llama.cpp keeps `spare` bytes more in memory.
    kernels: the instruction set of our own engine; empty: the best this processor has
    guesses: it may guess what repeats itself
    nice: how much it stands back for other processes, as nice(1) has it
    """

    model: Path
    context: int
    parallel: int = 1
    together: int = 0
    threads: int = 2
    embedding: bool = False
    reranking: bool = False
    template: bool = False
    program: Path | None = None
    native: bool = False
    kernels: str = ""
    cache: Path | None = None
    cache_bytes: int = 0
    guesses: bool = True
    spare: int = 0
    nice: int = 0

    @property
    def seats(self) -> int:
        """Answers written at once; llama.cpp in the place of our engine has no more than its slots."""
        return (self.native and self.together) or self.parallel

    @property
    def keeps_slots(self) -> bool:
        """Whether llama.cpp's slots are files between two loads; a text's vector is computed anew."""
        return bool(self.cache and self.cache_bytes) and not (self.native or self.embedding or self.reranking)


def sampling_fields(sampling: Sampling) -> dict[str, Any]:
    """llama.cpp's names are ours; what is unset is its own or the file's."""
    set_fields = {name: value for name, value in asdict(sampling).items() if value is not None}
    return set_fields | {"logit_bias": [list(pair) for pair in sampling.logit_bias.items()]}


class NotForThisEngine(ModelFailed):
    """Our own engine cannot run this file, or not on this machine."""


class Runner:
    """A model in its own process. Start it, speak to it, close it; a dead one stays dead."""

    def __init__(self, spec: RunnerSpec, load_timeout: float = 300.0) -> None:
        self.spec = spec
        self.load_timeout = load_timeout
        self.context = spec.context
        self._folder = Path(tempfile.mkdtemp(prefix="ossian-"))
        self._process: Process | None = None
        self._slots: SlotFiles | None = None
        self._asked = False
        self._client = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(uds=str(self._folder / "runner.sock")),
            base_url="http://runner",
            timeout=httpx2.Timeout(None, connect=10.0),
            limits=httpx2.Limits(max_connections=None),
        )

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def memory(self) -> int:
        """Bytes the process and what it started hold in memory now, mapped weights included; 0 when it is gone."""
        try:
            process = psutil.Process(self.pid)
            started = process.children() if self.spec.program else []  # looking for them reads every process there is
            return sum(member.memory_info().rss for member in (process, *started))
        except psutil.Error:
            return 0

    async def start(self) -> Self:
        """Start the process and wait until it answers. Raises ModelFailed with the program's own last words."""
        try:
            async with asyncio.timeout(self.load_timeout):
                await self._spawn()
                await self._wait_until_healthy()
                if self._slots is not None:
                    await self._slots.restore(self._client)
                    await self._wait_until_healthy()
                self.context = await self._read_served_context()
        except TimeoutError:
            await self.close()
            raise ModelFailed(
                f"the model did not load within {self.load_timeout:.0f} s.", "Raise OSSIAN_LOAD_TIMEOUT."
            ) from None
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """End the process and give everything back. May be called twice."""
        if self._slots is not None and self.alive and self._asked:
            await self._slots.save(self._client)
        process = self._process
        if process is not None and process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
        await self._client.aclose()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def tokenize(self, text: str, special: bool = False, *, whole: bool = False) -> list[int]:
        """Text to token ids. Unless `special`, a special token spelt in the text stays text.

        whole: it is all of a prompt, and begins with what the model wants at the beginning
        """
        tokens: list[int] = []
        for part in [text] if special else TAG_IN_TEXT.split(text):
            body = await self._post("/tokenize", {"content": part, "add_special": whole, "parse_special": special})
            tokens += body["tokens"]
        return tokens

    async def special(self, name: str) -> int:
        """The id of a special token. Raises ModelFailed when the model's vocabulary has none of that name."""
        tokens = await self.tokenize(name, special=True)
        if len(tokens) != 1:
            raise ModelFailed(f"this model's vocabulary has no {name}: it is not a gpt-oss model.")
        return tokens[0]

    async def detokenize(self, tokens: Sequence[int]) -> str:
        body = await self._post("/detokenize", {"tokens": list(tokens)})
        return str(body["content"])

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector per text, as the model pools it."""
        body = await self._post("/embedding", {"content": list(texts)})
        return [entry["embedding"][0] for entry in body]

    async def rerank(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query, on the scale of a reranking model."""
        body = await self._post("/rerank", {"query": query, "documents": list(texts)})
        scores = {entry["index"]: float(entry["relevance_score"]) for entry in body["results"]}
        return [scores[index] for index in range(len(texts))]

    async def complete(
        self, prompt: Sequence[int], max_tokens: int, sampling: Sampling, **fields: Any
    ) -> AsyncGenerator[Piece | Timings, None]:
        """Continue a prompt of token ids: pieces, then one Timings. Closing the generator stops the model."""
        body = {
            "prompt": list(prompt),
            "n_predict": max_tokens,
            **STREAMED,
            "return_tokens": True,
            **sampling_fields(sampling),
            **fields,
        }
        cached = 0
        async with aclosing(self._stream("/completion", body)) as lines:
            async for line in lines:
                cached = read_cached(line, cached)
                if step := read_step(line, cached):
                    yield step
                    if isinstance(step, Timings):
                        return

    async def chat(self, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """Answer a conversation through the model's own template: chunks, the last with its finish_reason."""
        async with aclosing(self._stream("/v1/chat/completions", body | STREAMED)) as chunks:
            async for chunk in chunks:
                yield chunk
                if chunk["choices"][0]["finish_reason"]:
                    return

    async def apply_template(self, body: dict[str, Any]) -> str:
        """The prompt that a conversation becomes."""
        return str((await self._post("/apply-template", body))["prompt"])

    async def _stream(self, path: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """What the engine says until its listener has heard enough. Closing the generator stops the model."""
        self._asked = True
        try:
            async with self._client.stream("POST", path, json=body) as response:
                if response.status_code != 200:
                    raise read_refusal(await response.aread())
                async for line in read_lines(response.aiter_bytes()):
                    if data := read_line(line):
                        yield data
                raise httpx2.RemoteProtocolError("the stream ended early")
        except httpx2.TransportError as error:
            raise await self._cause_of_death() from error

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        try:
            response = await self._client.post(path, json=body)
        except httpx2.TransportError as error:
            raise await self._cause_of_death() from error
        if response.status_code != 200:
            raise read_refusal(response.content)
        return response.json()

    async def _spawn(self) -> None:
        if self.spec.keeps_slots and self.spec.cache:
            named = self.spec.model, self.spec.context, self.spec.parallel, self.spec.program
            cache = CacheFolder(self.spec.cache, self.spec.cache_bytes)
            self._slots = await asyncio.to_thread(open_slots, cache, *named)
        spec = {
            **{name: str(value) if isinstance(value, Path) else value for name, value in asdict(self.spec).items()},
            "socket": str(self._folder / "runner.sock"),
            "slots": f"{self._slots.folder if self._slots else self._folder}/",
            "embedding": self.spec.embedding or self.spec.reranking,
        }
        with (self._folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ossian.engines.child",
                json.dumps(spec),
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=log,
                env=child_environment(os.environ, native=self.spec.native),
            )

    async def _wait_until_healthy(self) -> None:
        while True:
            if not self.alive:
                raise await self._cause_of_death(while_loading=True)
            try:
                if (await self._client.get("/health")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(HEALTH_POLL_SECONDS)

    async def _read_served_context(self) -> int:
        response = await self._client.get("/props")
        return int(response.json()["default_generation_settings"]["n_ctx"])

    async def _cause_of_death(self, while_loading: bool = False) -> ModelFailed:
        """What to tell the caller when the process no longer answers."""
        if self._process is not None and self._process.returncode is None:
            try:
                await asyncio.wait_for(self._process.wait(), 1.0)
            except TimeoutError:
                return ModelFailed("the model's process broke the connection.", "Please ask again.")
        code = self._process.returncode if self._process else None
        how = f"was ended by {signal.Signals(-code).name}" if code and code < 0 else f"ended with status {code}"
        if while_loading and code == NOT_FOR_US:
            return NotForThisEngine(self._last_words())
        if while_loading:
            return ModelFailed(f"the model could not be loaded: {self._last_words() or how}.")
        hint = "Perhaps memory ran out: ossian doctor. " if code == -signal.SIGKILL else ""
        return ModelFailed(f"the model's process {how} in mid-answer.", f"{hint}Ask again and a fresh one is started.")

    def _last_words(self) -> str:
        try:
            return read_last_words((self._folder / "log").read_text(errors="replace"))
        except OSError:
            return ""
