"""Ossian's extension in an editor, asked of the editor's own program (`code`)."""

import subprocess
from pathlib import Path

from ossian.cli.terminal import talk

EXTENSION_ID = "ossian.ossian"
INSTALL_SECONDS = 120.0


def is_installed(program: str) -> bool:
    """Whether the extension is there. A program that does not answer has none."""
    return EXTENSION_ID in (run(program, "--list-extensions") or "").lower().split()


def install(program: str, package: Path) -> bool:
    """Whether the editor took it; why not is told."""
    return run(program, "--install-extension", str(package), "--force") is not None


def remove(program: str) -> None:
    run(program, "--uninstall-extension", EXTENSION_ID)


def run(program: str, *words: str) -> str | None:
    """What the program printed. Where it fails, say so and go on: None."""
    try:
        done = subprocess.run([program, *words], check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        talk(f"{program} {words[0]} failed: {error.stderr.strip() or error.stdout.strip()}")
    except (OSError, subprocess.TimeoutExpired) as error:
        talk(f"{program} {words[0]} failed: {error}")
    else:
        return done.stdout
    return None
