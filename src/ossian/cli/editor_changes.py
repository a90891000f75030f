"""What becomes of VS Code's two files, and how it is taken back. Pure: texts in, texts out.

`chatLanguageModels.json` is an array of groups of models, one for each place they come from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ossian.cli.jsonc import Node, NotJson, append, find_part, parse, put, replace, take

Group = Mapping[str, Any]
GROUP_NAME = "Ossian"
UTILITY_SETTING = "chat.byokUtilityModelDefault"
# Without it VS Code asks GitHub's models for titles and summaries, or asks the person (1.139.1).
SETTINGS: Mapping[str, Any] = {UTILITY_SETTING: "mainAgent"}
EFFORTS = ("low", "medium", "high")
LOOPBACK = ("://localhost:", "://127.0.0.1:", "://[::1]:")


@dataclass(frozen=True, slots=True)
class Change:
    """A file as it was and as it is to be; None: there was none."""

    path: str
    before: str | None
    after: str

    @property
    def is_none(self) -> bool:
        return self.before == self.after


def ollama_group(url: str) -> Group:
    """VS Code's own Ollama provider, which asks the server which models there are."""
    return {"vendor": "ollama", "name": GROUP_NAME, "url": url}


def extension_group() -> Group:
    """The models of Ossian's own extension; without a group nobody sees them before the first question."""
    return {"vendor": "ossian", "name": GROUP_NAME}


def custom_group(url: str, models: Sequence[Mapping[str, Any]]) -> Group:
    """A Custom Endpoint, with a choice of thinking effort, for the models that /api/tags told of."""
    chats = [write_model(url, model) for model in models if "completion" in model["capabilities"]]
    return {
        "vendor": "customendpoint",
        "name": GROUP_NAME,
        "apiKey": "",
        "apiType": "chat-completions",
        "models": chats,
    }


def write_model(url: str, model: Mapping[str, Any]) -> dict[str, Any]:
    output, thinks = model["max_output_tokens"], "thinking" in model["capabilities"]
    return {
        "id": model["name"],
        "name": model["name"],
        "url": f"{url}/v1",
        "toolCalling": "tools" in model["capabilities"],
        "vision": False,
        "thinking": thinks,
        **({"supportsReasoningEffort": list(EFFORTS)} if thinks else {}),
        "maxInputTokens": model["context_length"] - output,
        "maxOutputTokens": output,
    }


def with_group(text: str | None, group: Group) -> str:
    """The array of groups with this one in it: in the place of ours, else last; as it is where that is no news."""
    text = text if text and text.strip() else "[]\n"
    node = parse(text)
    check_kind(node, list, "an array of groups")
    for index, known in enumerate(node.value):
        if known == group or leads_to(known, group):
            return text
        if is_ours(known):
            return replace(text, index, group)
    return append(text, group)


def is_ours(known: Any) -> bool:
    vendors = ("ollama", "customendpoint", "ossian")
    return isinstance(known, dict) and known.get("name") == GROUP_NAME and known.get("vendor") in vendors


def leads_to(known: Any, group: Group) -> bool:
    """Whether a group that somebody else made is as good: a second one would show every model twice."""
    if not isinstance(known, dict) or known.get("vendor") != group["vendor"]:
        return False
    if group["vendor"] == "ossian":
        return True
    return group["vendor"] == "ollama" and plain(known.get("url")) == plain(group["url"])


def plain(url: Any) -> str:
    """An address for comparison."""
    text = str(url).rstrip("/")
    for name in LOOPBACK:
        text = text.replace(name, "://127.0.0.1:")
    return text


def with_settings(text: str | None, settings: Mapping[str, Any]) -> str:
    """The settings with these in them."""
    text = text if text and text.strip() else "{}\n"
    node = parse(text)
    check_kind(node, dict, "an object of settings")
    for name, value in settings.items():
        part = find_part(node, name)
        if part is None or part.node.value != value:
            text = put(text, name, value)
            node = parse(text)
    return text


def check_kind(node: Node, kind: type, wanted: str) -> None:
    if not isinstance(node.value, kind):
        raise NotJson("", 0, wanted)


def take_back(change: Change, now: str | None) -> str | None:
    """The file without our change; None: it goes. What the person has changed since is kept.

    Where nothing was changed since, it is to the letter what it was.
    """
    if now is None or now == change.after:
        return change.before if now is not None else None
    node = parse(now)
    text = undo_settings(change, now) if isinstance(node.value, dict) else undo_groups(change, now)
    return None if change.before is None and not parse(text).value and text.strip() in ("[]", "{}") else text


def undo_settings(change: Change, now: str) -> str:
    """Settings that still say what we wrote say again what they said."""
    before, after = values_of(change.before, {}), values_of(change.after, {})
    for name, value in after.items():
        node = parse(now)
        part = find_part(node, name)
        if part is None or part.node.value != value or before.get(name) == value:
            continue
        now = put(now, name, before[name]) if name in before else take(now, node, node.parts.index(part))
    return now


def undo_groups(change: Change, now: str) -> str:
    """Groups that still are what we wrote go, or become again what they were."""
    before, after = values_of(change.before, []), values_of(change.after, [])
    for index, group in enumerate(after):
        node = parse(now)
        if group in before or not isinstance(node.value, list) or group not in node.value:
            continue
        place = node.value.index(group)
        replaced = index < len(before) and before[index] not in after
        now = replace(now, place, before[index]) if replaced else take(now, node, place)
    return now


def values_of(text: str | None, otherwise: Any) -> Any:
    """What a text says. One that said nothing says the empty thing."""
    return parse(text).value if text and text.strip() else otherwise
