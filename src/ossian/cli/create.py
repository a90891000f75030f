"""`ossian create`, `cp`, `rm`, `push`: make models from others and be rid of them."""

import hashlib
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from ossian.api.account import nowhere_to_push
from ossian.cli.client import Client, ServerRefused, connect
from ossian.cli.conversation import read_value
from ossian.cli.model_path import looks_like_path, name_model
from ossian.cli.port import is_here
from ossian.cli.terminal import complain, settings_of, talk, waiting
from ossian.errors import BadRequest
from ossian.store.modelfile import Modelfile, read_modelfile

FROM_STDIN = "-"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def create_command(
    name: Annotated[str, typer.Argument(help="What the new model is called.")],
    file: Annotated[str, typer.Option("--file", "-f", help="The Modelfile; - reads it from the pipe.")] = "Modelfile",
    quantize: Annotated[str, typer.Option("--quantize", "-q", hidden=True)] = "",
) -> None:
    """Make a model from another one, as a Modelfile says."""
    settings = settings_of()
    modelfile = read_modelfile(read_text(file))
    folder = Path() if file == FROM_STDIN else Path(file).parent
    base = find_base(modelfile.base, folder)
    client = connect(settings)
    body: dict[str, Any] = {"model": name, "quantize": quantize, **write_wishes(modelfile)}
    if isinstance(base, Path) and not is_here(settings.address[0]):
        body["files"] = {base.name: upload(client, base)}
    else:
        body["from"] = name_model(str(base), settings)
    with closing(client.stream("/api/create", body)) as steps:
        for step in steps:
            talk(step["status"])


def copy_command(source: str, destination: str) -> None:
    """Give a model a second name; both share one file."""
    settings = settings_of()
    connect(settings).post("/api/copy", {"source": name_model(source, settings), "destination": destination})
    talk(f"copied '{source}' to '{destination}'")


def remove_command(models: Annotated[list[str], typer.Argument(help="One or more models.")]) -> None:
    """Delete models. A file that another model is made from stays."""
    client = connect(settings_of())
    failed = False
    for model in models:
        try:
            client.delete("/api/delete", {"model": model})
            talk(f"deleted '{model}'")
        except ServerRefused as error:
            complain(error)
            failed = True
    if failed:
        raise typer.Exit(1)


def push_command(model: str) -> None:
    """Refused: models stay on this machine."""
    raise nowhere_to_push(model)


def read_text(file: str) -> str:
    """The text of a Modelfile, in UTF-8 or what Windows writes. Raises BadRequest."""
    try:
        data = sys.stdin.buffer.read() if file == FROM_STDIN else Path(file).read_bytes()
        return data.decode("utf-16" if data.startswith(UTF_16_MARKS) else "utf-8")
    except OSError as error:
        raise BadRequest(f"{file} cannot be read ({error.strerror}).", "ossian create NAME -f FILE") from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"{file} is not a text in UTF-8.", "Is it a Modelfile?") from error


def find_base(word: str, folder: Path) -> Path | str:
    """The file that FROM means, seen from the folder of the Modelfile; else the name of a model."""
    path = folder / Path(word).expanduser()
    return path.absolute() if looks_like_path(word) or ("/" in word and path.exists()) else word


def write_wishes(modelfile: Modelfile) -> dict[str, Any]:
    """What a Modelfile adds, as /api/create has it; what it does not say is left out."""
    wishes = {
        "template": modelfile.template,
        "system": modelfile.system,
        "license": list(modelfile.licenses),
        "parameters": write_parameters(modelfile),
        "messages": [{"role": role, "content": content} for role, content in modelfile.messages],
    }
    return {name: wish for name, wish in wishes.items() if wish}


def write_parameters(modelfile: Modelfile) -> dict[str, Any]:
    """Each parameter by its name; every `stop` is one more, and of all others the last one counts."""
    parameters: dict[str, Any] = {}
    for name, text in modelfile.parameters:
        parameters[name] = [*parameters.get(name, []), text] if name == "stop" else read_value(text)
    return parameters


def upload(client: Client, path: Path) -> str:
    """Send a model file to a server on another machine, unless it is there already. Gives back its digest."""
    with waiting(f"Reading {path.name}"), path.open("rb") as file:
        digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    if not client.has(f"/api/blobs/{digest}"):
        with waiting(f"Sending {path.name}"), path.open("rb") as file:
            client.upload(f"/api/blobs/{digest}", file)
    return digest
