"""Where VS Code, in all its builds, keeps what a person has set: on Linux, macOS, Windows and in WSL."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

APPS = (
    ("Code", "VS Code", "code"),
    ("Code - Insiders", "VS Code Insiders", "code-insiders"),
    ("VSCodium", "VSCodium", "codium"),
    ("VSCodium - Insiders", "VSCodium Insiders", "codium-insiders"),
    ("Code - OSS", "Code - OSS", "code-oss"),
)
FLATPAKS = (
    ("com.visualstudio.code/config/Code", "VS Code (Flatpak)"),
    ("com.vscodium.codium/config/VSCodium", "VSCodium (Flatpak)"),
)
NOT_PERSONS = ("All Users", "Default", "Default User", "Public")
MODELS_FILE = "chatLanguageModels.json"
SETTINGS_FILE = "settings.json"


@dataclass(frozen=True, slots=True)
class Editor:
    """One VS Code. `folder` holds its files; `program` installs extensions, where there is one.

    settings_only   the settings of a machine that is worked on from elsewhere; groups are the other side's
    """

    name: str
    folder: Path
    program: str = ""
    settings_only: bool = False


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides where things are."""

    system: str
    home: Path
    variables: Mapping[str, str]
    windows_users: Path | None = None

    def folder(self, variable: str, otherwise: Path) -> Path:
        """The folder a variable names."""
        return Path(self.variables[variable]) if self.variables.get(variable) else otherwise


def this_machine() -> Machine:
    is_wsl = "WSL_DISTRO_NAME" in os.environ or "microsoft" in kernel().lower()
    return Machine(sys.platform, Path.home(), os.environ, Path("/mnt/c/Users") if is_wsl else None)


def kernel() -> str:
    """The kernel's name for itself; empty where it has none."""
    try:
        return Path("/proc/sys/kernel/osrelease").read_text()
    except OSError:
        return ""


def find_editors(machine: Machine) -> list[Editor]:
    """Every VS Code that has been started here once, so that its folder is there."""
    return [editor for editor in all_editors(machine) if is_there(editor.folder)]


def is_there(folder: Path) -> bool:
    """Whether a folder is there for this person."""
    try:
        return folder.is_dir()
    except OSError:  # the homes of others on Windows
        return False


def all_editors(machine: Machine) -> Iterator[Editor]:
    """Every VS Code there might be."""
    for folder, name, program in APPS:
        yield Editor(name, app_data(machine) / folder / "User", program)
    for folder, name in FLATPAKS:
        yield Editor(name, machine.home / ".var/app" / folder / "User")
    data = machine.folder("XDG_DATA_HOME", machine.home / ".local/share")
    yield Editor("code-server", data / "code-server/User", "code-server")
    if machine.windows_users:
        yield from windows_editors(machine.windows_users)
    yield Editor("VS Code Server", machine.home / ".vscode-server/data/Machine", settings_only=True)


def app_data(machine: Machine) -> Path:
    """The folder in which programs keep what a person has set."""
    match machine.system:
        case "darwin":
            return machine.home / "Library/Application Support"
        case "win32":
            return machine.folder("APPDATA", machine.home / "AppData/Roaming")
    return machine.folder("XDG_CONFIG_HOME", machine.home / ".config")


def windows_editors(users: Path) -> Iterator[Editor]:
    """Those of the Windows around a WSL."""
    try:
        homes = [home for home in sorted(users.iterdir()) if home.name not in NOT_PERSONS]
    except OSError:
        return
    for home in homes:
        for folder, name, program in APPS:
            yield Editor(f"{name} on Windows", home / "AppData/Roaming" / folder / "User", program)
