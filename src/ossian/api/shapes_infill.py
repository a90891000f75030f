"""What llama.cpp's clients send to /infill."""

from pydantic import ConfigDict, Field

from ossian.api.kinds import Stop
from ossian.api.shapes import Shape, documented


class ExtraFile(Shape):
    filename: str = ""
    text: str = ""


class Infill(Shape):
    """`prompt` stands between the prefix and the cursor; `input_extra` are other files that help.

    Fields that are not named here are kept, so that one that is not served can be refused.
    """

    model_config = ConfigDict(
        **documented(
            {"input_prefix": "def add(a, b):\n", "input_suffix": "\n    return total\n", "n_predict": 32},
            {
                "model": "demo",
                "input_prefix": "for i in ",
                "input_suffix": ":\n    print(i)",
                "stream": True,
                "n_predict": 16,
            },
        ),
        extra="allow",
    )

    model: str = ""
    input_prefix: str = ""
    input_suffix: str = ""
    input_extra: list[ExtraFile] = Field(default_factory=list)
    prompt: str = ""
    n_predict: int | None = None
    n_indent: int = 0
    t_max_predict_ms: float = 0
    stream: bool = False
    samplers: list[str] | None = None
    response_fields: list[str] = Field(default_factory=list)
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    typical_p: float | None = None
    seed: int | None = None
    repeat_penalty: float | None = None
    repeat_last_n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: Stop = None
