"""The door that tells Prometheus what the server counts: GET /metrics, text format 0.0.4."""

from collections.abc import Iterator, Mapping

from starlette.requests import Request
from starlette.responses import Response

from ossian import __version__
from ossian.api.desk import desk_of
from ossian.api.metrics import Metrics
from ossian.engines.pool import Pool

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Labels = Mapping[str, object]
Samples = list[tuple[Labels, float]]


async def metrics(request: Request) -> Response:
    """What the server counts of itself, for Prometheus."""
    desk = desk_of(request)
    lines = (*write_counts(desk.metrics, desk.pool), *write_loaded(desk.pool))
    return Response("".join(f"{line}\n" for line in lines), headers={"content-type": CONTENT_TYPE})


def write_counts(metrics: Metrics, pool: Pool) -> Iterator[str]:
    usage, measured = metrics.usage, metrics.measured
    requests: Samples = [
        ({"route": route, "method": method, "status": status}, count)
        for (route, method, status), count in sorted(metrics.requests.items())
    ]
    endings: Samples = [({"end": end}, count) for end, count in sorted(metrics.endings.items())]
    yield from write_family("ossian_build_info", "gauge", "The version of Ossian.", [({"version": __version__}, 1)])
    yield from write_family("ossian_requests_total", "counter", "Requests by route, method and status.", requests)
    yield from write_family("ossian_answers_total", "counter", "Answers by how they ended.", endings)
    yield from write_one("ossian_answers_in_progress", "gauge", "Answers begun, waiting ones too.", metrics.in_progress)
    yield from write_one("ossian_waiting", "gauge", "Callers who wait for a model or a load.", pool.waiting)
    yield from write_one("ossian_prompt_tokens_total", "counter", "Tokens of prompts.", usage.prompt_tokens)
    yield from write_one("ossian_cached_tokens_total", "counter", "Of these, from the cache.", usage.cached_tokens)
    yield from write_one("ossian_completion_tokens_total", "counter", "Tokens written.", usage.completion_tokens)
    yield from write_summary("ossian_load_seconds", "Waiting for the model.", usage.load_seconds, measured)
    yield from write_summary("ossian_prompt_seconds", "Reading prompts.", usage.prompt_seconds, measured)
    yield from write_summary("ossian_completion_seconds", "Writing answers.", usage.completion_seconds, measured)


def write_loaded(pool: Pool) -> Iterator[str]:
    """The models in memory."""
    loaded = [({"model": seat.file.name}, seat.model.info) for seat in pool.loaded()]
    sizes: Samples = [(label, info.size) for label, info in loaded]
    on_gpu: Samples = [(label, info.size_on_gpu) for label, info in loaded]
    contexts: Samples = [(label, info.context) for label, info in loaded]
    yield from write_one("ossian_models_loaded", "gauge", "Models in memory.", len(loaded))
    yield from write_family("ossian_model_bytes", "gauge", "Bytes a model holds in memory.", sizes)
    yield from write_family("ossian_model_gpu_bytes", "gauge", "Of these, on the GPU.", on_gpu)
    yield from write_family("ossian_model_context_tokens", "gauge", "Context a model is served with.", contexts)


def write_one(name: str, kind: str, meaning: str, value: float) -> Iterator[str]:
    return write_family(name, kind, meaning, [({}, value)])


def write_summary(name: str, meaning: str, total: float, count: int) -> Iterator[str]:
    yield from write_head(name, "summary", f"{meaning} In seconds.")
    yield f"{name}_sum {total!r}"
    yield f"{name}_count {count}"


def write_family(name: str, kind: str, meaning: str, samples: Samples) -> Iterator[str]:
    yield from write_head(name, kind, meaning)
    for labels, value in samples:
        yield f"{name}{write_labels(labels)} {value!r}"


def write_head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def write_labels(labels: Labels) -> str:
    """Names and values in braces.

    >>> write_labels({"model": 'a "b"', "status": 200}), write_labels({})
    ('{model="a \\\\"b\\\\"",status="200"}', '')
    """
    inside = ",".join(f'{name}="{str(value).translate(ESCAPES)}"' for name, value in labels.items())
    return f"{{{inside}}}" if inside else ""
