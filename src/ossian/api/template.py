"""A caller's own template for /api/generate: the few words of Go's language that prompts are written with. Pure.

Ollama has the whole language. Templates with loops are written for conversations; here these are rendered as harmony.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ossian.errors import BadRequest

VARIABLE = re.compile(r"\.(System|Prompt|Response)")
CONDITION = re.compile(r"(?:else )?if \.(System|Prompt|Response)")
RESPONSE = "Response"


@dataclass(slots=True)
class Branch:
    """An open `if`: whether the text around it is shown, whether a branch was taken, whether this one is."""

    around: bool
    taken: bool
    shown: bool


def fill_template(template: str, system: str, prompt: str) -> str:
    """The prompt up to where the answer begins. Raises BadRequest for what is not understood.

    >>> fill_template("{{ if .System }}{{ .System }}: {{ end }}Q {{ .Prompt }} A {{ .Response }} END", "Be kind", "So?")
    'Be kind: Q So? A '
    """
    return "".join(write_parts(template, {"System": system, "Prompt": prompt, RESPONSE: ""}))


def write_parts(template: str, values: Mapping[str, str]) -> Iterator[str]:
    """What is shown, part by part."""
    branches: list[Branch] = []
    for text, action in cut(template):
        shown = not branches or branches[-1].shown
        yield text if shown else ""
        if variable := VARIABLE.fullmatch(action):
            if shown and variable[1] == RESPONSE:
                return
            yield values[variable[1]] if shown else ""
        elif action:
            take_condition(action, branches, values)
    if branches:
        raise BadRequest("template: an {{ if }} has no {{ end }}")


def cut(template: str) -> Iterator[tuple[str, str]]:
    """Each text with the action behind it, which is "" at the end. {{- and -}} take the white space away."""
    at, trim = 0, False
    while (begin := template.find("{{", at)) >= 0:
        end = template.find("}}", begin)
        if end < 0:
            raise BadRequest("template: a {{ has no }}")
        text, action = template[at:begin], template[begin + 2 : end]
        text = text.lstrip() if trim else text
        before, trim = action.startswith("- "), action.endswith(" -")
        yield (text.rstrip() if before else text), action[1 if before else 0 : -1 if trim else None].strip()
        at = end + 2
    yield (template[at:].lstrip() if trim else template[at:]), ""


def take_condition(action: str, branches: list[Branch], values: Mapping[str, str]) -> None:
    """Open, turn or close an `if`."""
    condition = CONDITION.fullmatch(action)
    is_true = condition is None or bool(values[condition[1]])
    if condition and action.startswith("if"):
        around = not branches or branches[-1].shown
        branches.append(Branch(around, is_true, around and is_true))
    elif branches and (condition or action == "else"):
        branch = branches[-1]
        branch.shown = branch.around and is_true and not branch.taken
        branch.taken |= is_true
    elif branches and action == "end":
        branches.pop()
    else:
        raise BadRequest(
            f"template: {{{{ {action} }}}} is not supported. Write {{{{ .System }}}}, {{{{ .Prompt }}}}, "
            "{{ .Response }}, and {{ if }}, {{ else }}, {{ end }} with them, or send the whole prompt with raw true"
        )
