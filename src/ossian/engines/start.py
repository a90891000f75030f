"""Which engine answers for a model file."""

from ossian.engines.local import LocalModel, start_local
from ossian.engines.templated import TemplatedModel, start_templated
from ossian.settings import Settings
from ossian.store.catalogue import ModelFile


async def start_model(file: ModelFile, context: int, settings: Settings) -> LocalModel | TemplatedModel:
    """Load a model file: gpt-oss speaks harmony, every other conversation goes by the template in its file."""
    return await (start_local if file.is_gpt_oss else start_templated)(file, context, settings)


async def start_in_background(file: ModelFile, context: int, settings: Settings) -> TemplatedModel:
    """Load a model that works on one thread, and only when nobody else wants the processor."""
    return await start_templated(file, context, settings, in_background=True)
