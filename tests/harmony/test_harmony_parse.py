"""What gpt-oss writes, as it should be and as it is met in the wild. `~` stands for where pieces part."""

import re

import pytest

from ossian.chat import Event, Text, Thinking, Tool, ToolCall
from ossian.harmony.arguments import repair_arguments
from ossian.harmony.parse import Parser
from ossian.harmony.tags import TAGS

TOOLS = (
    Tool("get_weather", parameters={"type": "object", "properties": {"city": {"type": "string"}, "days": {}}}),
    Tool("run.code", parameters={"type": "object", "properties": {"code": {"type": "string"}}}),
    Tool("get_location"),
)
PIECES = re.compile("(" + "|".join(map(re.escape, TAGS)) + "|~)")
OSLO = ToolCall("id", "get_weather", '{"city":"Oslo"}')


def parse(written: str, where: str = "header") -> list[Event]:
    """Feed a text whose tags are special tokens, and join what comes piecemeal."""
    parser = Parser(TOOLS, new_id=lambda: "id", where=where)
    events: list[Event] = []
    for piece in PIECES.split(written):
        if piece != "~":
            events += parser.feed(piece, "") if piece in TAGS else parser.feed(None, piece)
    return join(events + parser.finish())


def join(events: list[Event]) -> list[Event]:
    joined: list[Event] = []
    for event in events:
        match joined[-1:], event:
            case [Text(before)], Text(text):
                joined[-1] = Text(before + text)
            case [Thinking(before)], Thinking(text):
                joined[-1] = Thinking(before + text)
            case _:
                joined.append(event)
    return joined


THINK = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
CALL = '<|message|>{"city":"Oslo"}<|call|>'


@pytest.mark.parametrize(
    ("written", "events"),
    [
        pytest.param(THINK + "<|channel|>final<|message|>Hi.<|return|>", [Thinking("Hm."), Text("Hi.")], id="usual"),
        pytest.param(
            THINK + "<|channel|>commentary to=functions.get_weather <|constrain|>json" + CALL,
            [Thinking("Hm."), OSLO],
            id="usual call",
        ),
        pytest.param(
            "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant to=functions.get_weather"
            "<|channel|>commentary json" + CALL,
            [Text("I look."), OSLO],
            id="preamble, recipient before the channel, type without tag",
        ),
        pytest.param("<|channel|>comment~ary to=func~tions.get_~weather json" + CALL, [OSLO], id="words in pieces"),
        pytest.param(
            "<|channel|>commentaryto=functions.get_weather json" + CALL, [OSLO], id="recipient stuck to channel"
        ),
        pytest.param(" to=get_weather<|channel|>commentary" + CALL, [OSLO], id="no functions. before the name"),
        pytest.param("<|channel|>analysis to=functions.get_weather code" + CALL, [OSLO], id="call in the analysis"),
        pytest.param("<|channel|>commentary to=functions.get_weather<|constrain|>json" + CALL, [OSLO], id="no space"),
        pytest.param("<|channel|>commentary to=functions.get_weatherjson" + CALL, [OSLO], id="type stuck to the name"),
        pytest.param("<|channel|>commentary to= functions.get_weather" + CALL, [OSLO], id="a space after to="),
        pytest.param("<|channel|>commentary functions.get_weather" + CALL, [OSLO], id="recipient without to="),
        pytest.param("<|constrain|>json<|channel|>commentary to=functions.get_weather" + CALL, [OSLO], id="type first"),
        pytest.param("<|channel|>commentary to=functions.get_weather strange" + CALL, [OSLO], id="unknown type"),
        pytest.param("<|end|><|start|>to=functions.get_weather<|channel|>commentary" + CALL, [OSLO], id="no role"),
        pytest.param("<|start|>functions.get_weather<|channel|>commentary" + CALL, [OSLO], id="recipient as role"),
        pytest.param(
            '<|channel|>commentary to=functions.get_weather <|constrain|>json{"city":"Oslo"}<|call|>',
            [OSLO],
            id="call without message tag",
        ),
        pytest.param(
            "<|channel|>commentary to=functions.get_weather" + CALL + "<|start|>assistant<|channel|>commentary "
            "to=functions.run_code" + '<|message|>{"code":"1"}<|call|>',
            [OSLO, ToolCall("id", "run.code", '{"code":"1"}')],
            id="two calls, one name mapped back",
        ),
        pytest.param(
            "<|channel|>commentary to=functions.get_location<|call|>",
            [ToolCall("id", "get_location", "{}")],
            id="call without body",
        ),
        pytest.param(
            "<|channel|>commentary to=functions.lost<|message|>{}", [ToolCall("id", "lost", "{}")], id="unknown tool"
        ),
        pytest.param(
            '<|channel|>commentary to=functions.get_weather<|message|>{"city', [Text('{"city')], id="call cut off"
        ),
        pytest.param("<|channel|>commentary to=functions.get_wea", [], id="cut off in the header of a call"),
        pytest.param(
            "<|channel|>analysisWe need~ this.<|end|>", [Thinking("We need this.")], id="no message tag, stuck"
        ),
        pytest.param("<|channel|>final The answer.<|return|>", [Text("The answer.")], id="no message tag, space"),
        pytest.param("<|channel|>final\n\n- a list", [Text("- a list")], id="no message tag, new line"),
        pytest.param("<|channel|>finally<|return|>", [Text("ly")], id="a channel is a channel"),
        pytest.param("<|channel|>hello there<|return|>", [Text("hello there")], id="no channel after its tag"),
        pytest.param("Hello there<|return|>", [Text("Hello there")], id="no header at all"),
        pytest.param("Hello", [Text("Hello")], id="one word and no header"),
        pytest.param("final answer: 4", [Text("final answer: 4")], id="an answer that begins like a header"),
        pytest.param("<|message|>Hi", [Text("Hi")], id="no channel"),
        pytest.param("<|channel|>reflection<|message|>Hi", [Text("Hi")], id="unknown channel"),
        pytest.param("<|channel|>ANALYSIS<|message|>Hm", [Thinking("Hm")], id="capitals"),
        pytest.param("assistantfinal<|message|>Hi", [Text("Hi")], id="words without tags"),
        pytest.param(THINK + " final<|message|>Hi", [Thinking("Hm."), Text("Hi")], id="channel without tag"),
        pytest.param(
            "<|channel|>analysis<|message|>Hm.<|channel|>final<|message|>Hi",
            [Thinking("Hm."), Text("Hi")],
            id="end forgotten",
        ),
        pytest.param(
            "<|channel|>analysis<|message|>Hm.<|start|>assistant<|channel|>final<|message|>Hi",
            [Thinking("Hm."), Text("Hi")],
            id="only a start between",
        ),
        pytest.param("<|channel|>analysis<|channel|>final<|message|>Hi", [Text("Hi")], id="channel twice"),
        pytest.param(
            "<|channel|>final<|message|><|message|>Hi<|constrain|>!", [Text("Hi!")], id="tags within a message"
        ),
        pytest.param("<|channel|>ana", [], id="stops within a channel's name"),
        pytest.param("<|channel|>final<|end|>", [], id="ends within the header"),
        pytest.param(
            "<|channel|>analysis<|start|>assistant<|channel|>final<|message|>Hi",
            [Text("Hi")],
            id="header interrupted by a start",
        ),
        pytest.param("<|channel|>Sure<|end|>", [Text("Sure")], id="words in a header that ends"),
        pytest.param("<|channel|>analysis<|message|>Hm.<|return|>", [Thinking("Hm.")], id="only thinking"),
        pytest.param("<|channel|>final<|message|>Hi<|endoftext|>more", [Text("Hi")], id="nothing after the end"),
        pytest.param("<|channel|>final<|message|>a<|end|> \n", [Text("a")], id="space after the end"),
        pytest.param(
            "<|channel|>final<|message|>a<|end|><|start|>user<|message|>b", [Text("a")], id="makes up the user"
        ),
        pytest.param(
            "<|channel|>final<|message|>a<|end|><|start|>functions.get_weather to=assistant"
            "<|channel|>commentary<|message|>b",
            [Text("a")],
            id="makes up a result",
        ),
        pytest.param(
            "<|channel|>commentary<|message|>One.<|end|><|start|>assistant<|channel|>final<|message|>Two.",
            [Text("One.\n\nTwo.")],
            id="two messages stand apart",
        ),
        pytest.param(
            "<|channel|>commentary to=functions.run_code code<|message|>print('a')<|call|>",
            [ToolCall("id", "run.code", '{"code": "print(\'a\')"}')],
            id="raw code",
        ),
        pytest.param(
            "<|channel|>commentary to=functions.get_weather<|message|>in Oslo, please<|call|>",
            [Text("in Oslo, please")],
            id="words instead of arguments",
        ),
    ],
)
def test_what_the_model_writes(written, events):
    assert parse(written) == events


@pytest.mark.parametrize(
    ("where", "written", "events"),
    [
        pytest.param("final", " blue.<|return|>", [Text(" blue.")], id="answer goes on"),
        pytest.param(
            "analysis",
            " see.<|end|><|start|>assistant<|channel|>final<|message|>Hi",
            [Thinking(" see."), Text("Hi")],
            id="thinking goes on",
        ),
    ],
)
def test_after_a_prefill(where, written, events):
    assert parse(written, where) == events


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        pytest.param(["a<|", "end", "|>b"], "ab", id="in pieces"),
        pytest.param(["<|chan<|end|>nel|>x"], "x", id="one within another"),
        pytest.param(["1 < 2 <| 3 <|en"], "1 < 2 <| 3 <|en", id="beginnings that come to nothing"),
        pytest.param(["<<|call|>|html|>"], "<|html|>", id="other tags"),
    ],
)
def test_a_tag_spelled_in_ordinary_tokens_is_not_shown(pieces, shown):
    parser = Parser(new_id=lambda: "id", where="final")
    assert join([event for piece in pieces for event in parser.feed(None, piece)] + parser.finish()) == [Text(shown)]


def test_spelled_tags_work_in_a_header_but_stay_in_arguments():
    parser = Parser(TOOLS, new_id=lambda: "id")
    events = parser.feed(None, "<|channel|>commentary to=functions.run_code<|message|>")
    events += parser.feed(None, '{"code":"<|end|>"}') + parser.feed("<|call|>", "")
    assert events == [ToolCall("id", "run.code", '{"code":"<|end|>"}')]


@pytest.mark.parametrize(
    ("written", "events"),
    [
        pytest.param('{"city":"Os', [], id="in a string"),
        pytest.param('{"city":"Oslo"', [], id="where one bracket would make it whole"),
        pytest.param("", [], id="before the first letter"),
        pytest.param('{"city":"Oslo"}', [OSLO], id="behind the last bracket"),
    ],
)
def test_a_call_that_is_cut_short_is_no_call_and_no_text(written, events):
    parser = Parser(TOOLS, new_id=lambda: "id")
    for piece in ("<|channel|>", "commentary to=functions.get_weather ", "<|constrain|>", "json", "<|message|>"):
        parser.feed(piece if piece in TAGS else None, "" if piece in TAGS else piece)
    parser.feed(None, written)
    assert parser.finish(cut=True) == events


def test_words_that_are_cut_short_are_shown():
    parser = Parser(TOOLS, new_id=lambda: "id", where="final")
    assert join(parser.feed(None, "Hello <|e") + parser.finish(cut=True)) == [Text("Hello <|e")]


def test_the_parser_tells_where_it_is():
    parser = Parser(TOOLS, new_id=lambda: "id")
    states = []
    for piece in PIECES.split(THINK + "<|channel|>commentary to=functions.run_code<|message|>1<|call|>"):
        parser.feed(piece, "") if piece in TAGS else parser.feed(None, piece)
        states.append((parser.channel, parser.recipient, parser.in_final, parser.answered))
    assert list(dict.fromkeys(states)) == [
        (None, "", False, False),
        ("analysis", "", False, False),
        ("commentary", "run_code", False, False),
        (None, "", False, True),
    ]


def test_the_final_channel_counts_as_answered_from_its_first_word():
    parser = Parser(new_id=lambda: "id", where="final")
    assert (parser.in_final, parser.answered) == (True, False)
    parser.feed(None, "\n")
    assert not parser.answered
    parser.feed(None, "Hi")
    assert parser.answered


@pytest.mark.parametrize(
    ("written", "repaired"),
    [
        pytest.param(' {"a": 1.0}\n', '{"a": 1.0}', id="valid stays as it is"),
        pytest.param("", "{}", id="nothing"),
        pytest.param('{"a":[1,],}', '{"a":[1]}', id="trailing commas"),
        pytest.param('{"a":",}"}', '{"a":",}"}', id="a comma in a string"),
        pytest.param('{"a":{"b":1}', '{"a":{"b":1}}', id="one brace too few"),
        pytest.param('{"a":1,', '{"a":1}', id="cut after a comma"),
        pytest.param('{"a":1}}', '{"a":1}', id="one brace too many"),
        pytest.param('```json\n{"a":1}\n```', '{"a":1}', id="fence"),
        pytest.param('{"a":"x\ny"}', '{"a": "x\\ny"}', id="line break in a string"),
        pytest.param('"{\\"a\\": 1}"', '{"a": 1}', id="an object in a string"),
        pytest.param('{"a":{"b":[', None, id="cut off"),
        pytest.param('{"a":"half', None, id="cut off in a string"),
        pytest.param('{"a":NaN}', None, id="not a number"),
        pytest.param("[1]", None, id="a list"),
        pytest.param("[" * 100_000, None, id="too deep"),
        pytest.param('{"a":"' + '\\"x,' * 100_000, None, id="a long string that is not closed"),
        pytest.param('{"a":1' + ",\n" * 50_000, None, id="a flood of commas"),
        pytest.param("```" + "\n " * 50_000, None, id="a flood of lines"),
    ],
)
def test_arguments_are_repaired(written, repaired):
    assert repair_arguments(written) == repaired


@pytest.mark.parametrize(
    ("written", "repaired"),
    [
        pytest.param("x = 1", '{"code": "x = 1"}', id="code"),
        pytest.param("```python\nx = 1\n```", '{"code": "x = 1"}', id="fenced code"),
        pytest.param('"x = 1"', '{"code": "x = 1"}', id="a string"),
        pytest.param('{"code": "x', None, id="broken arguments are not code"),
    ],
)
def test_words_for_a_tool_of_one_string(written, repaired):
    assert repair_arguments(written, TOOLS[1]) == repaired
    assert repair_arguments(written, TOOLS[0]) is None
