"""Which files are never read: secrets, what tools make, binaries, what is too big or empty; each with its reason."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from ossian.rag.kinds import OUTDATED, is_plain

HEAD_BYTES = 8_192  # enough to tell a binary from a text, as git does
MOST_BYTES_OF_TEXT = 32 << 20
MOST_BYTES = 256 << 20

TOOL_FOLDERS = frozenset({
    ".git", ".hg", ".svn", ".jj", "node_modules", "bower_components", "__pycache__", ".venv", ".tox", ".nox",
    ".mypy_cache", ".ruff_cache", ".pytest_cache", ".cache", ".gradle", ".terraform", ".next", ".idea", ".Trash",
    ".DS_Store", "$RECYCLE.BIN",
})  # fmt: skip
SECRET_FOLDERS = frozenset({".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".password-store", ".gcloud"})
SECRET_NAMES = (
    ".env", ".env.*", "*.env", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk",
    "*.ovpn", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".netrc", "_netrc", ".pgpass", ".my.cnf", ".npmrc",
    ".pypirc", ".htpasswd", ".git-credentials", ".dockercfg", "credentials", "credentials.*", "client_secret*.json",
    "service-account*.json", "service_account*.json", "secrets.*", "*.tfstate", "*.tfstate.*", "*.tfvars",
    ".vault-token", ".*_history", "*.secret", "shadow", "gshadow", "application_default_credentials.json",
)  # fmt: skip
# Examples of such files hold no secrets, and code or prose about them is what people look for.
HARMLESS_NAMES = (
    "*.example", "*.sample", "*.template", "*.dist", "*.pub", "*.md", "*.rst", "*.py", "*.js", "*.ts", "*.go", "*.rs",
    "*.java", "*.rb", "*.cs", "*.cpp", "*.c", "*.h", "*.kt", "*.swift", "*.html", "*.pdf",
)  # fmt: skip
PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----[ \t]*(\r?\n|\\n)\s*[A-Za-z0-9+/=]")
MARKS = (b"\xff\xfe", b"\xfe\xff")  # of UTF-16, which is full of zeros and still text


def find_reason_for_folder(name: str) -> str | None:
    """Why a folder of this name is left out, if it is."""
    if name in SECRET_FOLDERS:
        return "may hold secrets"
    return "made by tools, not by people" if name in TOOL_FOLDERS else None


def find_reason_for_name(name: str, suffix: str) -> str | None:
    """Why a file of this name is left out, if it is.

    >>> find_reason_for_name(".env.local", ".local"), find_reason_for_name(".env.example", ".example")
    ('may hold secrets', None)
    """
    small = name.lower()
    if is_like(small, SECRET_NAMES) and not is_like(small, HARMLESS_NAMES):
        return "may hold secrets"
    if name in TOOL_FOLDERS:  # in a work tree of git, .git is a file
        return "made by tools, not by people"
    if better := OUTDATED.get(suffix.lower()):
        return f"a format of before 2007; save it as {better}"
    return None


def is_like(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def find_reason_for_size(size: int, kind: str) -> str | None:
    most = MOST_BYTES_OF_TEXT if is_plain(kind) else MOST_BYTES
    if size == 0:
        return "empty"
    return f"too big: {size / 2**20:,.0f} MB, and at most {most >> 20} are read" if size > most else None


def find_reason_for_head(head: bytes, kind: str) -> str | None:
    """Why a file that begins like this is left out, if it is."""
    if PRIVATE_KEY.search(head):
        return "holds a private key"
    if is_plain(kind) and looks_binary(head):
        return "not a text, nor any format that is known"
    return None


def looks_binary(head: bytes) -> bool:
    """Whether bytes are no text. Zeros tell, unless they stand at every other place as UTF-16 has them."""
    if b"\0" not in head:
        return head.startswith(b"%PDF-")
    return not head.startswith(MARKS) and not looks_like_utf16(head)


def looks_like_utf16(head: bytes) -> str | None:
    """Which of the two UTF-16 a text without a mark is, if any: its zeros stand at odd or at even places only."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    enough = len(head) // 4
    if even == 0 and odd > enough:
        return "utf-16-le"
    return "utf-16-be" if odd == 0 and even > enough else None
