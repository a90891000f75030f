"""The OpenAPI document as it is, /openapi.json, and as a page to read, /docs, which needs nothing from elsewhere."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ossian.api.dialects import json_response
from ossian.api.sketch import INDENT, name_of, names_in, sketch, write_default, write_type

Words = Mapping[str, Any]
STYLE = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
LONGEST_LINE = 80
JSON = "application/json"


async def openapi(request: Request) -> Response:
    """This description of all routes, for programs: OpenAPI 3.1."""
    return json_response(request.app.openapi())


async def docs(request: Request) -> Response:
    """This description of all routes, as a page to read."""
    server = str(request.base_url).rstrip("/")
    return HTMLResponse(write_page(request.app.openapi(), server), headers=HEADERS)


def write_page(document: Words, server: str) -> str:
    """The whole page. `server` is where examples are sent."""
    families = [(tag["name"], list(routes_of(tag["name"], document))) for tag in document["tags"]]
    title = f"{document['info']['title']} {document['info']['version']}"
    links = "".join(f'<a href="#{slug(name)}">{escape(name)}</a>' for name, _ in families)
    sections = "".join(write_family(name, routes, document, server) for name, routes in families)
    shapes = write_shapes(document)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}: routes</title><style>{STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1><p>{escape(document['info']['description'])} "
        '<a href="openapi.json">openapi.json</a> says the same to programs.</p>'
        f'<nav>{links}<a href="#shapes">Shapes</a></nav></header><main>{sections}{shapes}</main></body></html>\n'
    )


def routes_of(family: str, document: Words) -> Iterator[tuple[str, str, Words]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if family in operation["tags"]:
                yield method.upper(), path, operation


def write_family(name: str, routes: Sequence[tuple[str, str, Words]], document: Words, server: str) -> str:
    told = "".join(write_route(method, path, operation, document, server) for method, path, operation in routes)
    return f'<section><h2 id="{slug(name)}">{escape(name)}</h2>{told}</section>'


def write_route(method: str, path: str, operation: Words, document: Words, server: str) -> str:
    """A line that opens: the route, then what is sent, an example, and what is answered."""
    id = operation["operationId"]
    more = operation.get("description", "")
    return (
        f'<details><summary><span class="method {method.lower()}">{method}</span><code>{escape(path)}</code>'
        f"<span>{mark_code(operation['summary'])}</span></summary>"
        f'<div id="{id}">{f"<p>{mark_code(more)}</p>" if more else ""}'
        f"{write_parameters(operation)}{write_body(operation, document)}"
        f"<h3>Try it</h3><pre>{escape(write_curl(method, path, operation, server))}</pre>"
        f"{write_answers(operation, document)}</div></details>"
    )


def write_parameters(operation: Words) -> str:
    rows = [
        write_row(told["name"], told["schema"], told.get("description", ""), bool(told.get("required")))
        for told in operation.get("parameters", ())
    ]
    return f"<h3>In the address</h3>{write_table(rows)}" if rows else ""


def write_body(operation: Words, document: Words) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    if JSON in content:
        first = find_example(content[JSON])
        return f"<h3>Body</h3>{write_fields(shapes_of(document)[name_of(content[JSON]['schema'])], first)}"
    return "<h3>Body</h3><p>The bytes of the file.</p>" if content else ""


def find_example(media: Words) -> Words:
    """The first example of a body."""
    return next((example["value"] for example in media["examples"].values()), {})


def write_fields(schema: Words, first: Iterable[str] = ()) -> str:
    """A table of all fields: those that must be there, then those that are to stand `first`, then all others."""
    wanted = schema.get("required", ())
    fields = sorted(
        schema.get("properties", {}).items(), key=lambda item: (item[0] not in wanted, item[0] not in first)
    )
    return write_table([write_row(name, told, told.get("description", ""), name in wanted) for name, told in fields])


def write_row(name: str, schema: Words, meaning: str, wanted: bool) -> str:
    default = write_default(schema)
    kind = link_shapes(write_type(schema)) + (f" = {escape(default)}" if default else "")
    mark = ' <b title="must be there">*</b>' if wanted else ""
    return f"<tr><td><code>{escape(name)}</code>{mark}</td><td>{kind}</td><td>{mark_code(meaning)}</td></tr>"


def write_table(rows: Sequence[str]) -> str:
    return f'<div class="wide"><table>{"".join(rows)}</table></div>'


def link_shapes(kind: str) -> str:
    """A type in which names of shapes lead to them; these alone begin with a capital letter."""
    return re.sub(r"\b([A-Z]\w+)", r'<a href="#\1">\1</a>', escape(kind))


def mark_code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))


def write_curl(method: str, path: str, operation: Words, server: str) -> str:
    """A line for the shell that asks the first example."""
    for told in operation.get("parameters", ()):
        path = path.replace(f"{{{told['name']}}}", str(told.get("example", "")))
    url = shlex.quote(f"{server}{path}")
    content = operation.get("requestBody", {}).get("content", {})
    if JSON in content:
        verb = "" if method == "POST" else f"-X {method} "
        return f"curl {verb}{url} -d {shlex.quote(write_json(find_example(content[JSON])))}"
    for media in content.values():
        return f"printf %s {shlex.quote(media['example'])} | curl --data-binary @- {url}"
    return {"GET": f"curl {url}", "HEAD": f"curl -I {url}"}.get(method, f"curl -X {method} {url}")


def write_json(value: Any, indent: str = "") -> str:
    """JSON in as few lines as a screen has room for.

    >>> print(write_json({"model": "demo", "messages": [{"role": "user", "content": "Is a list a tuple?"}] * 2}))
    {
      "model": "demo",
      "messages": [
        {"role": "user", "content": "Is a list a tuple?"},
        {"role": "user", "content": "Is a list a tuple?"}
      ]
    }
    """
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + len(indent) <= LONGEST_LINE or not isinstance(value, (dict, list)):
        return line
    inner = indent + INDENT
    if isinstance(value, list):
        items = [f"{inner}{write_json(item, inner)}" for item in value]
        return "[\n" + ",\n".join(items) + f"\n{indent}]"
    pairs = [f'{inner}"{key}": {write_json(item, inner)}' for key, item in value.items()]
    return "{\n" + ",\n".join(pairs) + f"\n{indent}}}"


def write_answers(operation: Words, document: Words) -> str:
    """What is answered when all goes well, and which refusals there may be."""
    (status, answer), *others = operation["responses"].items()
    kinds = list(answer.get("content", {}))
    schema = answer.get("content", {}).get(JSON, {}).get("schema")
    outline = f"<pre>{escape(sketch(schema, shapes_of(document)))}</pre>" if schema else ""
    streamed = f" Streamed as {escape(kinds[1])}." if len(kinds) > 1 else ""
    kind = escape(kinds[0]) if kinds else "no body"
    told = "".join(f"<li><b>{escape(other)}</b> {mark_code(words['description'])}</li>" for other, words in others)
    return f"<h3>Answer</h3><p><b>{status}</b> {kind}.{streamed}</p>{outline}<ul>{told}</ul>"


def write_shapes(document: Words) -> str:
    """The shapes that bodies consist of, once each."""
    linked = sorted(linked_shapes(document))
    shapes = shapes_of(document)
    told = "".join(f'<h3 id="{name}">{name}</h3>{write_fields(shapes[name])}' for name in linked)
    return f'<section><h2 id="shapes">Shapes</h2>{told}</section>'


def linked_shapes(document: Words) -> set[str]:
    """Names of the shapes that fields of bodies refer to, and theirs."""
    shapes = shapes_of(document)
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    rest = [name for operation in operations for name in names_in(operation.get("requestBody"))]
    seen: set[str] = set()
    while rest:
        found = set(names_in(shapes[rest.pop()])) - seen
        seen |= found
        rest += found
    return seen


def shapes_of(document: Words) -> Mapping[str, Words]:
    shapes: Mapping[str, Words] = document["components"]["schemas"]
    return shapes


def slug(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower()).strip("-")
