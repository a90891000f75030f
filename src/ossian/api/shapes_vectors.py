"""What is sent to the doors for vectors, for ranking and for token ids. Fields with several types are read by hand."""

from pydantic import Field

from ossian.api.kinds import Documents, Duration, Number, Options, Prompts, Texts, Tokens, Unserved
from ossian.api.shapes import Shape, documented

EMBEDDER = "hf.co/nomic-ai/nomic-embed-text-v1.5-GGUF:Q4_K_M"


class VectorsRequest(Shape):
    """What all of them have in common."""

    model: str = ""
    keep_alive: Duration = None
    options: Options = Field(default_factory=dict)
    num_ctx: Number = None


class OllamaEmbed(VectorsRequest):
    model_config = documented({"model": EMBEDDER, "input": ["one text", "another"]}, required=["model"])

    input: Texts = None
    truncate: bool = True
    dimensions: int | None = None


class OllamaEmbeddings(VectorsRequest):
    model_config = documented({"model": EMBEDDER, "prompt": "one text"}, required=["model"])

    prompt: str = ""


class OpenAIEmbeddings(VectorsRequest):
    model_config = documented(
        {"model": EMBEDDER, "input": ["one text", "another"]},
        {"model": EMBEDDER, "input": "one text", "encoding_format": "base64"},
        required=["model", "input"],
    )

    input: Prompts = None
    truncate: bool = False
    dimensions: int | None = None
    encoding_format: str = "float"


class Rerank(VectorsRequest):
    model_config = documented(
        {
            "model": EMBEDDER,
            "query": "What is a list?",
            "documents": ["Rain falls.", "A list holds items.", "A tuple cannot change."],
            "top_n": 2,
            "return_documents": True,
        },
        required=["model", "query", "documents"],
    )

    query: str = ""
    documents: Documents = Field(default_factory=list)
    top_n: int | None = None
    return_documents: bool = False
    rank_fields: Unserved = None
    max_chunks_per_doc: Unserved = None
    max_tokens_per_doc: Unserved = None


class Tokenize(VectorsRequest):
    model_config = documented({"model": "demo", "text": "What is a list?", "pieces": True}, required=["model"])

    text: str | None = None
    content: str | None = None
    prompt: str | None = None
    pieces: bool = False


class Detokenize(VectorsRequest):
    model_config = documented({"model": "demo", "tokens": [40, 41, 42]}, required=["model", "tokens"])

    tokens: Tokens = None
