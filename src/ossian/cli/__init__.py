"""The command line: the table of all commands. Everything but `serve`, `doctor` and `bench` goes over HTTP."""

import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import typer
from typer.core import TyperGroup

from ossian import __version__
from ossian.cli.terminal import complain, confess
from ossian.errors import OssianError

# What a command needs is imported when it is called: `ossian list` need not wait for the server's own rooms.
COMMANDS = {
    "serve": "serve:serve_command",
    "run": "run:run_command",
    "pull": "models:pull_command",
    "create": "create:create_command",
    "cp": "create:copy_command",
    "rm": "create:remove_command",
    "push": "create:push_command",
    "list": "models:list_command",
    "ls": "models:list_command",
    "ps": "models:ps_command",
    "show": "models:show_command",
    "stop": "models:stop_command",
    "doctor": "doctor:doctor_command",
    "editor": "editor:editor_command",
    "bench": "bench:bench_command",
    "mcp": "mcp:mcp_command",
    "docs": "evaluate:docs",
}
HIDDEN = ("ls",)


class Table(TyperGroup):
    """Finds a command in the table."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(import_module(f"ossian.cli.{module}"), name)
        if not isinstance(found, typer.Typer):
            command, found = found, typer.Typer(add_completion=False)
            found.command(cmd_name, hidden=cmd_name in HIDDEN)(command)
        made = typer.main.get_command(found)
        made.name = cmd_name
        return made


app = typer.Typer(cls=Table, add_completion=False, help="gpt-oss on your own machine.")


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
