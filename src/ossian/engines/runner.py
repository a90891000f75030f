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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
import psutil

from ossian.chat import Logprob, Sampling
from ossian.engines.child import NOT_FOR_US
from ossian.errors import ModelFailed, OssianError, SchemaNotSupported

HEALTH_POLL_SECONDS = 0.05
STOP_SECONDS = 3.0
LOG_TAIL_CHARACTERS = 4_000
LOG_PREFIX = re.compile(r"^[\d.]+ [A-Z] (?:[\w ]+: )?")
# llama.cpp finds these four in any text, whatever parse_special says (llama-vocab.cpp renders them "always" for
# gpt-oss). Cutting behind the "<|" is where the tokenizer's own pattern cuts, so no other token changes.
TAG_IN_TEXT = re.compile(r"(?<=<\|)(?=(?:start|channel|message|constrain|end|return|call|startoftext|endoftext)\|>)")


@dataclass(frozen=True, slots=True)
class RunnerSpec:
    """How a model's process is started. `context` is tokens for each of `parallel` answers.

    native: our own engine, which keeps what it has read in `cache`, up to `cache_bytes`; else llama.cpp's.
    """

    model: Path
    context: int
    parallel: int = 1
    threads: int = 2
    embedding: bool = False
    reranking: bool = False
    program: Path | None = None
    native: bool = False
    cache: Path | None = None
    cache_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """One step of a completion: a token's id, the text that became readable with it, and how likely it was."""

    token: int
    text: str
    logprobs: tuple[Logprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """The end of a completion. Counts are tokens, times seconds; `limit` says that the bound on tokens ended it."""

    cached_tokens: int
    prompt_tokens: int
    completion_tokens: int
    prompt_seconds: float
    completion_seconds: float
    limit: bool


def sampling_fields(sampling: Sampling) -> dict[str, Any]:
    """llama.cpp's names are ours; what is unset is as OpenAI recommends for gpt-oss: temperature 1, nothing cut."""
    plain = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0}
    set_fields = {name: value for name, value in asdict(sampling).items() if value is not None}
    return plain | set_fields | {"logit_bias": [list(pair) for pair in sampling.logit_bias.items()]}


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

    async def tokenize(self, text: str, special: bool = False) -> list[int]:
        """Text to token ids. Unless `special`, a special token spelt in the text stays text."""
        tokens: list[int] = []
        for part in [text] if special else TAG_IN_TEXT.split(text):
            body = await self._post("/tokenize", {"content": part, "add_special": False, "parse_special": special})
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
            "stream": True,
            "return_tokens": True,
            "return_progress": True,  # also makes the server notice within a batch that the caller has left
            "cache_prompt": True,
            **sampling_fields(sampling),
            **fields,
        }
        try:
            async with self._client.stream("POST", "/completion", json=body) as response:
                if response.status_code != 200:
                    raise refusal(read_error(await response.aread()))
                async for line in response.aiter_lines():
                    if step := read_step(line):
                        yield step
                        if isinstance(step, Timings):
                            return
                raise httpx2.RemoteProtocolError("the stream ended early")
        except httpx2.TransportError as error:
            raise await self._cause_of_death() from error

    async def _post(self, path: str, body: dict[str, Any]) -> Any:
        try:
            response = await self._client.post(path, json=body)
        except httpx2.TransportError as error:
            raise await self._cause_of_death() from error
        if response.status_code != 200:
            raise refusal(read_error(response.content))
        return response.json()

    async def _spawn(self) -> None:
        spec = {
            "model": str(self.spec.model),
            "socket": str(self._folder / "runner.sock"),
            "slots": f"{self._folder}/",
            "context": self.spec.context,
            "parallel": self.spec.parallel,
            "threads": self.spec.threads,
            "embedding": self.spec.embedding or self.spec.reranking,
            "reranking": self.spec.reranking,
            "program": str(self.spec.program) if self.spec.program else "",
            "native": self.spec.native,
            "cache": str(self.spec.cache) if self.spec.cache else "",
            "cache_bytes": self.spec.cache_bytes,
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
                # Spinning barriers cost a factor of five when another process is busy on the same cores.
                env={**os.environ, "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "passive")},
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
        """The last line of the program's log that sounds like a reason, without this machine's paths."""
        try:
            text = (self._folder / "log").read_text(errors="replace")[-LOG_TAIL_CHARACTERS:]
        except OSError:
            return ""
        reasons = [line for line in text.splitlines() if re.search(r"error|fail|unknown|cannot|memory", line)]
        # llama.cpp begins a line with the time, a letter for its level and the function: "0.00.007.996 E srv init: …"
        plain = LOG_PREFIX.sub("", reasons[-1].strip()) if reasons else ""
        return re.sub(r"(/[\w.+-]+)+/", "", plain).rstrip(".")


def read_step(line: str) -> Piece | Timings | None:
    """Read one line of the event stream; progress reports and blank lines are None."""
    if not line.startswith("data: "):
        if line.startswith("error: "):
            raise ModelFailed(f"the engine failed: {read_error(line.removeprefix('error: ').encode())}.")
        return None
    step = json.loads(line.removeprefix("data: "))
    if "error" in step:
        raise ModelFailed(f"the engine failed: {read_error(line.removeprefix('data: ').encode())}.")
    if step["stop"]:
        return read_timings(step)
    if "prompt_progress" in step or not (step["tokens"] or step["content"]):
        return None
    likely = tuple(read_logprob(entry) for entry in step.get("completion_probabilities", ()))
    return Piece(step["tokens"][-1] if step["tokens"] else -1, step["content"], likely)


def read_logprob(entry: dict[str, Any]) -> Logprob:
    likeliest = tuple(read_logprob(other) for other in entry.get("top_logprobs", ()))
    return Logprob(entry["token"], entry["logprob"], bytes(entry["bytes"]), likeliest)


def read_timings(step: dict[str, Any]) -> Timings:
    timings = step["timings"]
    return Timings(
        cached_tokens=timings["cache_n"],
        prompt_tokens=timings["cache_n"] + timings["prompt_n"],
        completion_tokens=timings["predicted_n"],
        prompt_seconds=timings["prompt_ms"] / 1000,
        completion_seconds=timings["predicted_ms"] / 1000,
        limit=step.get("stop_type") == "limit",
    )


def refusal(reason: str) -> OssianError:
    """The engine's refusal: of a grammar, which only a caller's schema can have made, or for a reason of its own."""
    if re.search(r"grammar|samplers", reason):
        return SchemaNotSupported(f"the engine cannot read it ({reason})")
    return ModelFailed(f"the engine refused: {reason}.")


def read_error(body: bytes) -> str:
    """llama.cpp's sentence out of an error body."""
    try:
        return str(json.loads(body)["error"]["message"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip().rstrip(".") or "it gave no reason"
