"""`ossian list`, `ps`, `show`, `stop`, `pull`: which models there are and what they are doing."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Any

import psutil
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ossian.cli.client import Client, connect, reach
from ossian.cli.model_path import name_model
from ossian.cli.port import find_listener
from ossian.cli.terminal import ago, err, out, settings_of, size_text, table, talk
from ossian.errors import BadRequest, OssianError, ServerUnreachable
from ossian.settings import Settings

FOR_EVER_YEARS = 20
STOP_SECONDS = 10.0
SHOWN = ("info", "parameters", "system", "template", "license", "modelfile")


def list_command() -> None:
    """List the models on this machine."""
    out.print(list_text(connect(settings_of())), markup=False)


def ps_command() -> None:
    """List the models that are loaded."""
    rows = [
        (m["name"], m["digest"][:12], size_text(m["size"]), processor(m), str(m["context_length"]), until(m))
        for m in reach(settings_of()).get("/api/ps")["models"]
    ]
    out.print(table(("NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"), rows), markup=False)


def show_command(
    model: str,
    license: Annotated[bool, typer.Option("--license")] = False,
    modelfile: Annotated[bool, typer.Option("--modelfile")] = False,
    parameters: Annotated[bool, typer.Option("--parameters")] = False,
    template: Annotated[bool, typer.Option("--template")] = False,
    system: Annotated[bool, typer.Option("--system")] = False,
) -> None:
    """Show what a model is and how it is served."""
    wanted = {
        "license": license,
        "modelfile": modelfile,
        "parameters": parameters,
        "template": template,
        "system": system,
    }
    what = next((name for name, chosen in wanted.items() if chosen), "info")
    settings = settings_of()
    model = name_model(model, settings)
    print_side(connect(settings), model, what)


def stop_command(
    model: Annotated[str | None, typer.Argument(help="The model to unload.")] = None,
    server: Annotated[bool, typer.Option("--server", help="End the server itself.")] = False,
) -> None:
    """Unload a model, or end the server."""
    settings = settings_of()
    if server:
        stop_server(settings)
    elif model is None:
        raise BadRequest("which model?", "ossian stop MODEL, or ossian stop --server")
    else:
        body = {"model": name_model(model, settings), "prompt": "", "keep_alive": 0, "stream": False}
        reach(settings).post("/api/generate", body)


def stop_server(settings: Settings) -> None:
    """End the server at our address, and wait until it has gone."""
    listener = find_listener(settings)
    if listener.product != "Ossian":
        raise ServerUnreachable(settings.url)
    if not is_ossian(listener.pid):
        raise OssianError(
            f"the server at {settings.url} is on another machine, in a container or of another user.", "End it there."
        )
    process = psutil.Process(listener.pid)
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        talk(f"The server (pid {listener.pid}) was told to end and still finishes something.")
        return
    talk(f"The server (pid {listener.pid}) has ended.")


def is_ossian(pid: int) -> bool:
    """Whether a process is an Ossian of ours: what listens for a container is not."""
    try:
        return pid > 0 and any("ossian" in part for part in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def pull_command(model: Annotated[str, typer.Argument(help="gpt-oss:20b, or hf.co/owner/repository.")]) -> None:
    """Fetch a model; what was fetched before is kept, and a pull goes on where it broke off."""
    client = connect(settings_of())
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with closing(client.stream("/api/pull", {"model": model})) as steps, Progress(*columns, console=err) as bars:
        bar, said = None, ""
        for step in steps:
            if step.get("total"):
                completed = step.get("completed", 0)
                bar = bars.add_task(step["status"], total=step["total"], completed=completed) if bar is None else bar
                bars.update(bar, completed=completed)
            elif step["status"] != said:  # a long check says the same again and again
                said = step["status"]
                bars.console.print(said, markup=False)


def list_text(client: Client) -> str:
    """The table of `ossian list`."""
    rows = [
        (m["name"], m["digest"][:12], size_text(m["size"]), ago(datetime.fromisoformat(m["modified_at"])))
        for m in client.get("/api/tags")["models"]
    ]
    if not rows:
        talk("There is no model yet. Try: ossian pull gpt-oss:20b")
    return table(("NAME", "ID", "SIZE", "MODIFIED"), rows)


def print_side(client: Client, model: str, what: str) -> None:
    """Print one side of a model; that there is nothing to print is talk, not data."""
    if what not in SHOWN:
        raise BadRequest(f"{what} cannot be shown.", f"Try one of: {', '.join(SHOWN)}.")
    body = client.post("/api/show", {"model": model})
    text = info_text(body) if what == "info" else str(body.get(what) or "").rstrip("\n")
    if text:
        out.print(text, markup=False)
    else:
        talk(f"No {what} is set.")


def info_text(body: dict[str, Any]) -> str:
    """The summary of `ossian show`."""
    info, details = body["model_info"], body["details"]
    architecture = info["general.architecture"]
    lines = [
        *([("made from", details["parent_model"])] if details["parent_model"] else []),
        ("architecture", architecture),
        ("parameters", details["parameter_size"]),
        ("quantization", details["quantization_level"]),
        ("context served", str(info[f"{architecture}.context_length"])),
        ("context trained", str(info["ossian.trained_context_length"])),
        ("capabilities", ", ".join(body["capabilities"])),
        *(tuple(line.split(maxsplit=1)) for line in body["parameters"].splitlines()),
        ("license", (body.get("license") or "not stated").splitlines()[0]),
    ]
    return "\n".join(f"  {name:18}{value}" for name, value in lines)


def processor(model: dict[str, Any]) -> str:
    """Where a model computes, as Ollama writes it."""
    size, on_gpu = model["size"], model["size_vram"]
    share = round(100 * on_gpu / size) if size else 0
    if share in (0, 100):
        return "100% GPU" if share else "100% CPU"
    return f"{100 - share}%/{share}% CPU/GPU"


def until(model: dict[str, Any]) -> str:
    """When a model will be unloaded."""
    expires = datetime.fromisoformat(model["expires_at"])
    return "Forever" if (expires - datetime.now(UTC)).days > FOR_EVER_YEARS * 365 else ago(expires)
