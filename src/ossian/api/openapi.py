"""The OpenAPI document: every route, with the very shapes that validate, examples, and what it answers."""

import re
from collections.abc import Iterator, Sequence

from ossian import __version__
from ossian.api.answers import ANSWERS, JSON, PATH_PARAMETERS, UPLOAD_EXAMPLE, Said, find_answer
from ossian.api.guard import UPLOADS
from ossian.api.route import Route
from ossian.api.schemas import Words, answer_schema, error_schema, refer, write_schemas
from ossian.api.shapes import Shape

PACKED = "application/octet-stream"
STATUS_WORDS = {
    200: "Done.",
    201: "Taken in.",
    202: "Noted; there is nothing to answer.",
    400: "The request cannot be understood, or asks for what is not served; the sentence names it.",
    401: "Nobody is signed in, for there is no account.",
    403: "Wrong key, Host or Origin.",
    404: "There is no such model, answer or file.",
    413: "The body is larger than OSSIAN_MAX_BODY.",
    415: "The Content-Encoding is neither gzip nor zstd.",
    502: "The Hub did not answer, or the file came damaged.",
    503: "Too many requests wait, or the model failed or does not fit.",
    507: "The disk is full or cannot be written.",
}
REFUSALS_OF_ALL = (403, 413)
REFUSALS_OF_BODIES = (400, 404, 415, 503)
LEAST_REFUSAL = 400
DESCRIPTION = (
    "Ossian answers where Ollama, OpenAI and Anthropic would. In every body null is as good as absent, and fields that "
    "are not named here are left out. A key is wanted only where OSSIAN_API_KEY is set."
)
NEEDS_ADMIN = "Where an admin key is set, it wants that one."
SECURITY = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


def describe(routes: Sequence[Route]) -> Words:
    """The whole document."""
    paths: Words = {}
    for route in sorted(routes, key=place):
        paths.setdefault(route.shown_path, {})[route.method.lower()] = write_operation(route)
    families = {operation["tags"][0] for path in paths.values() for operation in path.values()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ossian", "version": __version__, "description": DESCRIPTION},
        "tags": [{"name": family} for family in [*ANSWERS, *sorted(families - set(ANSWERS))]],
        "security": [{}, *({name: []} for name in SECURITY)],
        "paths": paths,
        "components": {
            "schemas": write_schemas([route.body for route in routes if route.body]),
            "securitySchemes": SECURITY,
        },
    }


def place(route: Route) -> tuple[int, str]:
    """Where a route stands: as in the table of answers, else behind them all."""
    told = [name for answers in ANSWERS.values() for name in answers]
    return told.index(route.name) if route.name in told else len(told), route.name


def write_operation(route: Route) -> Words:
    family, said = find_answer(route.name)
    summary, others = route.meaning
    more = " ".join(filter(None, [others, NEEDS_ADMIN if route.manages else ""]))
    parameters = [*write_path_parameters(route), *write_queries(said)]
    body = write_body(route)
    return {
        "tags": [family],
        "operationId": re.sub(r"\W+", "_", route.name.lower()).strip("_"),
        "summary": summary,
        **({"description": more} if more else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": {"required": True, "content": body}} if body else {}),
        "responses": write_responses(route, said),
    }


def write_path_parameters(route: Route) -> Iterator[Words]:
    for name in re.findall(r"{(\w+)}", route.shown_path):
        example, meaning = PATH_PARAMETERS.get(name, ("", ""))
        told = {"description": meaning, "example": example} if meaning else {}
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, **told}


def write_queries(said: Said) -> Iterator[Words]:
    for query in said.queries:
        yield {"name": query.name, "in": "query", "schema": query.schema, "description": query.meaning}


def write_body(route: Route) -> Words:
    """What is sent, by its content type."""
    if is_upload(route):
        return {PACKED: {"schema": {}, "example": UPLOAD_EXAMPLE}}
    if route.body is None:
        return {}
    examples = {f"example {number}": {"value": body} for number, body in enumerate(find_examples(route.body), 1)}
    return {JSON: {"schema": refer(route.body), "examples": examples}}


def is_upload(route: Route) -> bool:
    return route.method == "POST" and route.path.startswith(UPLOADS)


def find_examples(body: type[Shape]) -> list[Words]:
    """The bodies that a shape has as examples; a test sees to it that there is one."""
    extra = body.model_config.get("json_schema_extra")
    found = extra.get("examples") if isinstance(extra, dict) else None
    return [example for example in found if isinstance(example, dict)] if isinstance(found, list) else []


def write_responses(route: Route, said: Said) -> Words:
    """The answer, and every refusal in the words of the dialect."""
    reads_body = route.body is not None or is_upload(route)
    others = {*REFUSALS_OF_ALL, *(REFUSALS_OF_BODIES if reads_body else ()), *said.others} - {said.status}
    refusals = {str(status): write_other(status, route) for status in sorted(others)}
    return {str(said.status): write_answer(route, said), **refusals}


def write_answer(route: Route, said: Said) -> Words:
    """What the example of a route is answered with."""
    if said.status >= LEAST_REFUSAL:
        return write_other(said.status, route)
    content: Words = {}
    if said.media_type:
        content[said.media_type] = {"schema": answer_schema(said)}
    if said.shape is not None and route.body and "stream" in route.body.model_fields:
        content[route.dialect.media_type] = {}  # OpenAPI 3.1 has no way to say what the events of a stream are
    return {"description": STATUS_WORDS[said.status], **({"content": content} if content else {})}


def write_other(status: int, route: Route) -> Words:
    told: Words = {"description": STATUS_WORDS[status]}
    if route.method != "HEAD" and status >= LEAST_REFUSAL:
        told["content"] = {JSON: {"schema": error_schema(route.dialect)}}
    return told
