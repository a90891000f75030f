"""A server whose models fail: `dying` in the middle of an answer, `full` before it. Its port is the only argument."""

import asyncio
import sys
from dataclasses import replace

from ossian.api.serve import serve
from ossian.chat import ChatRequest, Events, Text, Thinking
from ossian.engines.fake import FAKE_FILE, FakeModel
from ossian.engines.pool import LoadedModel, Pool
from ossian.errors import ModelFailed, NotEnoughMemory
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile

FILES = {name: replace(FAKE_FILE, name=name, digest=digit * 64) for name, digit in (("dying", "4"), ("full", "5"))}
WORDS = ["The", "shop", "opens"]


class Dying(FakeModel):
    """Thinks, says three words, and its process is gone."""

    async def chat(self, request: ChatRequest) -> Events:
        yield Thinking("I know this.")
        for word in WORDS:
            await asyncio.sleep(0.1)
            yield Text(f"{word} ")
        raise ModelFailed("the model's process died.", "Ask again.")


async def start(file: ModelFile, context: int) -> LoadedModel:
    if file.name == "full":
        raise NotEnoughMemory("full needs 12 GiB, and 3 are free.", "Close other programs.")
    return Dying()


async def main(port: int) -> None:
    settings = Settings(address=("127.0.0.1", port), cache_bytes=0)
    await serve(settings, Pool(settings, FILES.get, start), lambda: list(FILES.values()), ready=print)


asyncio.run(main(int(sys.argv[1])))
