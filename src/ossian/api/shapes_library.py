"""What is sent to put documents in, to take them out, and to search them."""

from pydantic import Field

from ossian.api.shapes import Shape, documented


class LibraryPaths(Shape):
    model_config = documented({"paths": ["~/books", "~/notes/recipes.md"], "stream": False}, required=["paths"])

    paths: list[str] = Field(default_factory=list)
    stream: bool = True


class LibrarySearch(Shape):
    model_config = documented({"query": "How is a list sorted?", "k": 5}, required=["query"])

    query: str = ""
    k: int = 10
