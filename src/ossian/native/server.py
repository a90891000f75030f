"""The engine as a server on a unix socket, with the paths and fields of llama.cpp's own, as far as Ossian uses them.

POST /completion, /tokenize, /detokenize     GET /health, /props, /slots
"""

import asyncio
import json
import math
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ossian.native.constrain import BadGrammar, Grammars
from ossian.native.jobs import Failed, Finished, Job, Progress, Step, Written
from ossian.native.sampler import Likely, read_rules
from ossian.native.scheduler import Scheduler
from ossian.native.tokenizer import TextStream, Vocabulary

Json = dict[str, Any]


class Engine:
    """A loaded model with its vocabulary, ready for callers."""

    def __init__(self, scheduler: Scheduler, vocabulary: Vocabulary, endings: frozenset[int]) -> None:
        self.scheduler = scheduler
        self.vocabulary = vocabulary
        self._endings = endings
        self._grammars = Grammars(vocabulary, endings)

    def close(self) -> None:
        """End; no more is answered."""
        self.scheduler.close()

    def read_job(self, body: Json, steps: "Steps") -> Job:
        """A job from a body of /completion. Raises ValueError, and BadGrammar, which is one."""
        prompt, most = body.get("prompt"), int(body.get("n_predict", -1))
        if not isinstance(prompt, list) or not prompt:
            raise ValueError("prompt must be a list of token ids")
        if not all(isinstance(token, int) and 0 <= token < len(self.vocabulary) for token in prompt):
            raise ValueError(f"the prompt has tokens that are not in the vocabulary of {len(self.vocabulary)}")
        room = self.scheduler.context - len(prompt)
        if room <= 0:
            raise ValueError(f"the prompt has {len(prompt)} tokens and the context {self.scheduler.context}")
        grammar, count = body.get("grammar") or "", body.get("n_probs") or 0
        rules = read_rules(body)
        if body.get("ignore_eos"):
            rules = replace(rules, bias={**rules.bias, **dict.fromkeys(self._endings, -math.inf)})
        return Job(
            prompt=prompt,
            most=room if most < 0 else min(most, room),
            rules=rules,
            tell=steps.put,
            constraint=self._grammars.read(grammar) if grammar else None,
            likeliest=int(count) if count else None,
        )

    def write_step(self, step: Step, text: TextStream, prompt: int) -> Json:
        """A step as llama.cpp's server writes it."""
        match step:
            case Progress(read, cached):
                progress = {"total": prompt, "cache": cached, "processed": read}
                return {"content": "", "tokens": [], "stop": False, "prompt_progress": progress}
            case Written(token, likely, best):
                shown = (
                    "" if token in self._endings else self.show(token) if self.is_special(token) else text.feed(token)
                )
                written = {"content": shown, "tokens": [token], "stop": False}
                if likely is None:
                    return written
                tops = [self.write_likely(each) for each in best]
                return written | {"completion_probabilities": [self.write_likely(likely) | {"top_logprobs": tops}]}
            case Finished():
                return write_end(step, text.finish())
            case Failed(reason, callers_fault):
                return {"error": write_error(reason, 400 if callers_fault else 500)}

    def write_likely(self, likely: Likely) -> Json:
        piece = self.vocabulary.pieces[likely.token]
        return {
            "id": likely.token,
            "token": piece.decode(errors="replace"),
            "bytes": list(piece),
            "logprob": likely.logprob,
        }

    def is_special(self, token: int) -> bool:
        return token in self.vocabulary.special_ids

    def show(self, token: int) -> str:
        return self.vocabulary.pieces[token].decode(errors="replace")


class Steps:
    """The steps of one job, from the engine's thread to the caller's task."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Step] = asyncio.Queue()

    def put(self, step: Step) -> None:
        self._loop.call_soon_threadsafe(self._queue.put_nowait, step)

    async def get(self) -> AsyncGenerator[Step, None]:
        while True:
            step = await self._queue.get()
            yield step
            if isinstance(step, Finished | Failed):
                return


class EventStream(Response):
    """Steps as server-sent events, until the last one or until the caller leaves, which ends the job."""

    def __init__(self, engine: Engine, job: Job, steps: Steps) -> None:
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self._engine, self._job, self._steps = engine, job, steps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        writing = asyncio.create_task(self._write(send))
        leaving = asyncio.create_task(wait_for_disconnect(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._engine.scheduler.leave(self._job)
            writing.cancel()
            leaving.cancel()

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        text = TextStream(self._engine.vocabulary)
        async for step in self._steps.get():
            line = json.dumps(self._engine.write_step(step, text, len(self._job.prompt)))
            await send({"type": "http.response.body", "body": f"data: {line}\n\n".encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def write_end(end: Finished, rest: str) -> Json:
    timings: Json = {
        "cache_n": end.cached,
        "prompt_n": end.prompt - end.cached,
        "predicted_n": end.written,
        "prompt_ms": 1000 * end.prompt_seconds,
        "predicted_ms": 1000 * end.written_seconds,
    }
    if end.guessed:  # as llama.cpp's server does where it has a draft model (server-task.cpp)
        timings |= {"draft_n": end.guessed, "draft_n_accepted": end.kept}
    return {
        "content": rest,
        "tokens": [],
        "stop": True,
        "stop_type": "limit" if end.limit else "eos",
        "timings": timings,
    }


def write_error(reason: str, status: int) -> Json:
    return {"code": status, "message": reason, "type": "invalid_request_error" if status == 400 else "server_error"}


def refuse(reason: str, status: int = 400) -> Response:
    return JSONResponse({"error": write_error(reason, status)}, status)


def make_app(engine: Engine) -> Starlette:
    """The routes of one model."""

    async def complete(request: Request) -> Response:
        steps = Steps()
        try:
            job = await asyncio.to_thread(engine.read_job, await request.json(), steps)
        except BadGrammar as error:
            return refuse(str(error))
        except (ValueError, TypeError) as error:
            return refuse(str(error))
        engine.scheduler.submit(job)
        return EventStream(engine, job, steps)

    async def tokenize(request: Request) -> Response:
        body = await request.json()
        return JSONResponse(
            {"tokens": engine.vocabulary.encode(body["content"], special=body.get("parse_special", True))}
        )

    async def detokenize(request: Request) -> Response:
        tokens = (await request.json())["tokens"]
        if not all(isinstance(token, int) and 0 <= token < len(engine.vocabulary) for token in tokens):
            return refuse("tokens that are not in the vocabulary")
        return JSONResponse({"content": engine.vocabulary.decode(tokens)})

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def props(request: Request) -> Response:
        return JSONResponse({"default_generation_settings": {"n_ctx": engine.scheduler.context}})

    async def slots(request: Request) -> Response:
        return JSONResponse([{"is_processing": busy} for busy in engine.scheduler.busy()])

    async def missing(request: Request) -> Response:
        return refuse("this engine makes no vectors", 501)

    return Starlette(
        routes=[
            Route("/completion", complete, methods=["POST"]),
            Route("/tokenize", tokenize, methods=["POST"]),
            Route("/detokenize", detokenize, methods=["POST"]),
            Route("/embedding", missing, methods=["POST"]),
            Route("/rerank", missing, methods=["POST"]),
            Route("/health", health),
            Route("/props", props),
            Route("/slots", slots),
        ]
    )


def serve(engine: Engine, socket: Path) -> None:
    """Answer on a unix socket until the process ends."""
    uvicorn.run(make_app(engine), uds=str(socket), log_level="warning", access_log=False, ws="none", lifespan="off")
