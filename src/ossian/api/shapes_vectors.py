"""What is sent to the doors for vectors, for ranking and for token ids. Fields with several types are read by hand."""

from typing import Any

from pydantic import Field

from ossian.api.shapes import Shape


class VectorsRequest(Shape):
    """What all of them have in common."""

    model: str = ""
    keep_alive: Any = None
    options: dict[str, Any] = Field(default_factory=dict)
    num_ctx: Any = None


class OllamaEmbed(VectorsRequest):
    input: Any = None
    truncate: bool = True
    dimensions: int | None = None


class OllamaEmbeddings(VectorsRequest):
    prompt: str = ""


class OpenAIEmbeddings(VectorsRequest):
    input: Any = None
    truncate: bool = False
    dimensions: int | None = None
    encoding_format: str = "float"


class Rerank(VectorsRequest):
    query: str = ""
    documents: list[Any] = Field(default_factory=list)
    top_n: int | None = None
    return_documents: bool = False
    rank_fields: Any = None
    max_chunks_per_doc: Any = None
    max_tokens_per_doc: Any = None


class Tokenize(VectorsRequest):
    text: str | None = None
    content: str | None = None
    prompt: str | None = None
    pieces: bool = False


class Detokenize(VectorsRequest):
    tokens: Any = None
