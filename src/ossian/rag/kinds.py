"""What a file is, told by its name: a format, a programming language, or plain text. Opens no file."""

from pathlib import Path
from typing import Literal

Format = Literal["pdf", "word", "powerpoint", "excel", "html", "epub", "notebook", "mail"]

FORMATS: dict[str, Format] = {
    ".pdf": "pdf",
    ".docx": "word",
    ".docm": "word",
    ".dotx": "word",
    ".pptx": "powerpoint",
    ".pptm": "powerpoint",
    ".ppsx": "powerpoint",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".epub": "epub",
    ".ipynb": "notebook",
    ".eml": "mail",
    ".mbox": "mail",
}
LANGUAGES = {
    ".sh": "bash",
    ".bash": "bash",
    ".zsh": "bash",
    ".c": "c",
    ".h": "c",
    ".cs": "c_sharp",
    ".cc": "cpp",
    ".cpp": "cpp",
    ".cxx": "cpp",
    ".hh": "cpp",
    ".hpp": "cpp",
    ".hxx": "cpp",
    ".cu": "cpp",
    ".cuh": "cpp",
    ".ino": "cpp",
    ".css": "css",
    ".go": "go",
    ".hs": "haskell",
    ".java": "java",
    ".js": "javascript",
    ".jsx": "javascript",
    ".mjs": "javascript",
    ".cjs": "javascript",
    ".jl": "julia",
    ".kt": "kotlin",
    ".kts": "kotlin",
    ".lua": "lua",
    ".php": "php",
    ".py": "python",
    ".pyi": "python",
    ".pyw": "python",
    ".rb": "ruby",
    ".rake": "ruby",
    ".rs": "rust",
    ".scala": "scala",
    ".sc": "scala",
    ".swift": "swift",
    ".ts": "typescript",
    ".mts": "typescript",
    ".cts": "typescript",
    ".tsx": "tsx",
}
PROSE = {".md": "markdown", ".markdown": "markdown", ".mdx": "markdown", ".rst": "rst"}
NAMES = {"rakefile": "ruby", "gemfile": "ruby", "readme": "markdown", ".bashrc": "bash", ".profile": "bash"}
OUTDATED = {".doc": ".docx", ".ppt": ".pptx"}  # what the same program can save them as


def kind_of(path: Path) -> str:
    """The kind of a file by its name; "text" for all that is not known.

    >>> kind_of(Path("a/Report.PDF")), kind_of(Path("main.rs")), kind_of(Path("Makefile"))
    ('pdf', 'rust', 'text')
    """
    suffix = path.suffix.lower()
    return FORMATS.get(suffix) or LANGUAGES.get(suffix) or PROSE.get(suffix) or NAMES.get(path.name.lower(), "text")


def is_plain(kind: str) -> bool:
    """Whether files of this kind hold their text as it is, so that they are read without a parser."""
    return kind not in FORMATS.values()
