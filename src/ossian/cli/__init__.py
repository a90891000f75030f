"""The command line: the table of all commands. Everything but `serve`, `doctor` and `bench` goes over HTTP."""

import sys
from collections.abc import Callable
from io import TextIOWrapper

import typer

from ossian import __version__
from ossian.cli.bench import bench_command
from ossian.cli.create import copy_command, create_command, push_command, remove_command
from ossian.cli.docs import docs
from ossian.cli.doctor import doctor_command
from ossian.cli.editor import editor_command
from ossian.cli.evaluate import eval_command
from ossian.cli.mcp import mcp_command
from ossian.cli.models import list_command, ps_command, pull_command, show_command, stop_command
from ossian.cli.run import run_command
from ossian.cli.serve import serve_command
from ossian.cli.terminal import complain, confess
from ossian.errors import OssianError

COMMANDS: dict[str, Callable[..., None]] = {
    "serve": serve_command,
    "run": run_command,
    "pull": pull_command,
    "create": create_command,
    "cp": copy_command,
    "rm": remove_command,
    "push": push_command,
    "list": list_command,
    "ls": list_command,
    "ps": ps_command,
    "show": show_command,
    "stop": stop_command,
    "doctor": doctor_command,
    "editor": editor_command,
    "bench": bench_command,
    "mcp": mcp_command,
}
HIDDEN = ("ls",)

app = typer.Typer(add_completion=False, help="gpt-oss on your own machine.")
for name, command in COMMANDS.items():
    app.command(name, hidden=name in HIDDEN)(command)
docs.command("eval")(eval_command)
app.add_typer(docs, name="docs")


@app.callback(invoke_without_command=True)
def ossian(
    context: typer.Context, version: bool = typer.Option(False, "--version", "-v", help="Print the version.")
) -> None:
    if version:
        print(f"ossian version is {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Run a command; an error becomes a sentence and the exit status 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a pipe in an old encoding loses a letter, not the answer
    try:
        app()
    except OssianError as error:
        complain(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        complain(OssianError(f"{error.filename or 'the output'} cannot be used: {error.strerror or error}."))
        sys.exit(1)
    except Exception as fault:
        confess(fault)
        sys.exit(1)
