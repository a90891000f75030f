"""What can go wrong, named for what the person meets. Raised where noticed, translated at the doors.

OssianError                 status  what the person reads, with what to do next
├── BadRequest              400     the request cannot be understood
│   ├── ContextTooLong      400     says how long it was and how long it may be
│   ├── SchemaNotSupported  400     names the keyword of a JSON schema that cannot be kept
│   └── NotSupported        400     '"demo" does not support thinking'
├── Forbidden               403     wrong key, Host or Origin
├── ModelNotFound           404     not on this machine: ossian pull …
├── NothingToPull           404     no such model, repository or file to fetch
├── CollectionNotFound      404     no documents are kept under that name
├── Unreadable              400     a file that cannot be read as a document, with the reason
├── PullFailed              502     the hub did not answer, or the file came damaged
├── DiskRefused             507     the folder of models is full or cannot be written
├── ServerBusy              503     the queue is full
├── ModelFailed             503     the model's process died or could not start
├── NotEnoughMemory         503     the model does not fit, with the figures
├── StoreFailed             503     the file of kept responses cannot be read or written
├── LibraryFailed           503     the file or the database of documents cannot be read or written
├── SettingInvalid          -       a variable or option cannot be understood
├── PortTaken               -       who listens there, and what to do
└── ServerUnreachable       -       no server where the command line looked for one
"""

from typing import ClassVar


class OssianError(Exception):
    """An error with a sentence for the person. `status` is the HTTP status a door answers with."""

    status: ClassVar[int] = 500

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class BadRequest(OssianError):
    status = 400


class ContextTooLong(BadRequest):
    """The prompt does not fit. Both counts are tokens; `field` is the one that is too long, where that is known."""

    field: str = ""

    def __init__(self, prompt_tokens: int, context: int) -> None:
        super().__init__(
            f"the prompt is {prompt_tokens} tokens long and would exceed the context length of {context} tokens.",
            "Shorten it, start a new chat, or raise OSSIAN_CONTEXT_LENGTH. Nothing was cut.",
        )
        self.prompt_tokens = prompt_tokens
        self.context = context


class SchemaNotSupported(BadRequest):
    """A JSON schema holds what no answer can be made to satisfy."""

    def __init__(self, message: str) -> None:
        super().__init__(f"invalid format: {message}.", "Write the schema without it.")


class NotSupported(BadRequest):
    """A model is asked for what it cannot do. `feature` is 'tools', 'thinking', 'insert' …"""

    def __init__(self, model: str, feature: str) -> None:
        super().__init__(f'"{model}" does not support {feature}')


class Forbidden(OssianError):
    status = 403


class ModelNotFound(OssianError):
    status = 404

    def __init__(self, model: str) -> None:
        super().__init__(f"model '{model}' not found", f"on this machine. Try: ossian pull {model}")
        self.model = model


class NothingToPull(OssianError):
    status = 404

    def __init__(self, message: str, hint: str = "") -> None:
        # Clients look for Ollama's words.
        super().__init__(f"pull model manifest: file does not exist: {message}", hint)


class Unreadable(OssianError):
    status = 400


class PullFailed(OssianError):
    status = 502


class DiskRefused(OssianError):
    status = 507


class ServerBusy(OssianError):
    status = 503

    def __init__(self, waiting: int) -> None:
        super().__init__(
            "server busy, please try again. maximum pending requests exceeded",
            f"({waiting} are waiting; OSSIAN_MAX_QUEUE sets the bound)",
        )


class ModelFailed(OssianError):
    status = 503


class NotEnoughMemory(OssianError):
    status = 503


class StoreFailed(OssianError):
    status = 503

    def __init__(self, message: str) -> None:
        super().__init__(
            f"the store of responses failed: {message}",
            "Make room on the disk, or move that file away; store: false needs none.",
        )


class CollectionNotFound(OssianError):
    status = 404

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no collection of documents '{name}'.", "See: ossian docs list")
        self.name = name


class LibraryFailed(OssianError):
    status = 503

    def __init__(
        self, message: str, hint: str = "Make room on the disk, or move that file away and add the documents again."
    ) -> None:
        super().__init__(f"the library of documents failed: {message}", hint)


class SettingInvalid(OssianError):
    pass


class PortTaken(OssianError):
    pass


class ServerUnreachable(OssianError):
    def __init__(self, url: str) -> None:
        super().__init__(f"no Ossian server answers at {url}.", "Start one with: ossian serve")
