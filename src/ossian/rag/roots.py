"""Which paths were put into which collection, so that they can be watched and read again. One small JSON file."""

import json
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ossian.errors import LibraryFailed
from ossian.rag.find import base_of, normal


@dataclass(slots=True)
class Roots:
    """The file of them."""

    path: Path
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, collection: str) -> list[Path]:
        """The paths of a collection, in the order they were put in."""
        return [Path(path) for path in self._read().get(collection, ())]

    def add(self, collection: str, paths: Sequence[Path]) -> None:
        """Note paths that are there and lie under none that is noted. Raises LibraryFailed."""
        with self._lock:
            kept = self._read()
            roots = kept.setdefault(collection, [])
            there = [normal(path) for path in paths if base_of(path).exists()]
            roots += [str(new) for new in there if not any(new.is_relative_to(root) for root in roots)]
            if roots:
                self._write(kept)

    def forget(self, collection: str, paths: Iterable[str] | None = None) -> None:
        """Forget a collection's paths: all, or these and what lies under them."""
        with self._lock:
            kept, gone = self._read(), tuple(paths) if paths is not None else ("/",)
            roots = kept.get(collection, ())
            kept[collection] = [root for root in roots if not any(Path(root).is_relative_to(path) for path in gone)]
            self._write({name: roots for name, roots in kept.items() if roots})

    def _read(self) -> dict[str, list[str]]:
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            return {str(name): [str(path) for path in paths] for name, paths in kept.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise LibraryFailed(f"{self.path} cannot be read: {error}.") from error

    def _write(self, kept: dict[str, list[str]]) -> None:
        part = self.path.with_suffix(".part")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(kept, indent=1, ensure_ascii=False), encoding="utf-8")
            part.replace(self.path)
        except OSError as error:
            raise LibraryFailed(f"{self.path} cannot be written: {error}.") from error
