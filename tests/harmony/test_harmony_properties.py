"""Whatever comes and however it is cut: the same events, no tag in them, and no word lost."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ossian.chat import Event, Text, Thinking, Tool, ToolCall
from ossian.harmony.arguments import is_object
from ossian.harmony.parse import Parser
from ossian.harmony.tags import TAGS

TOOLS = (Tool("get_weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}}),)
Piece = tuple[str | None, str]

HEADER_WORDS = ("analysis", "commentary", "final", "assistant", "user", "json", "to=", " to=functions.get_weather", " ")
BITS = ("<|", "|>", "<", "<|en", "d|>", "<|channel", "é", "\n", "{", "}", '"', '{"city":"Oslo"}', "Hello ", "we", "4")
texts = st.one_of(
    st.sampled_from([*HEADER_WORDS, *BITS, *TAGS]),
    st.text(max_size=6),
    st.lists(st.sampled_from([*HEADER_WORDS, *BITS]), max_size=5).map("".join),
)
pieces = st.one_of(
    st.sampled_from([*TAGS, "<|reserved_200014|>"]).map(lambda tag: (tag, "")),
    texts.map(lambda text: (None, text)),
)
streams = st.lists(pieces, max_size=20)
plain = st.text(st.characters(exclude_characters="<"), min_size=1, max_size=20)


def read(stream: list[Piece], where: str = "header") -> list[Event]:
    """All events of a stream, neighbours of one kind joined."""
    parser = Parser(TOOLS, new_id=lambda: "id", where=where)
    events = [event for token, text in stream for event in parser.feed(token, text)] + parser.finish()
    joined: list[Event] = []
    for event in events:
        if joined and type(joined[-1]) is type(event) and not isinstance(event, ToolCall):
            joined[-1] = type(event)(joined[-1].text + event.text)
        else:
            joined.append(event)
    return joined


def whole(stream: list[Piece]) -> list[Piece]:
    """Neighbouring texts put together."""
    joined: list[Piece] = []
    for token, text in stream:
        if token is None and joined and joined[-1][0] is None:
            joined[-1] = (None, joined[-1][1] + text)
        else:
            joined.append((token, text))
    return joined


def crumbs(stream: list[Piece]) -> list[Piece]:
    """Each text cut into single characters."""
    return [
        piece
        for token, text in stream
        for piece in ([(token, text)] if token else [(None, character) for character in text])
    ]


@settings(max_examples=400, deadline=None)
@given(streams, st.sampled_from(["header", "analysis", "final"]))
def test_cutting_a_stream_elsewhere_changes_nothing(stream, where):
    assert read(whole(stream), where) == read(stream, where) == read(crumbs(stream), where)


@settings(max_examples=300, deadline=None)
@given(streams)
def test_no_tag_is_ever_shown_and_arguments_are_objects(stream):
    for event in read(stream):
        match event:
            case Text(text) | Thinking(text):
                assert not any(tag in text for tag in TAGS)
            case ToolCall(arguments=arguments):
                assert is_object(arguments)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["analysis", "commentary", "final"]), plain), max_size=5))
def test_what_messages_say_comes_out_word_for_word(messages):
    stream: list[Piece] = []
    for channel, text in messages:
        stream += [("<|start|>", ""), (None, "assistant"), ("<|channel|>", ""), (None, channel), ("<|message|>", "")]
        stream += [*crumbs([(None, text)]), ("<|end|>", "")]
    said = {
        kind: "\n\n".join(text for channel, text in messages if (channel == "analysis") is (kind is Thinking))
        for kind in (Thinking, Text)
    }
    events = read(stream)
    assert {kind: "".join(event.text for event in events if isinstance(event, kind)) for kind in said} == said


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["final", "analysis"]), plain.filter(lambda text: text[0].isupper()))
def test_a_forgotten_message_tag_loses_no_word(channel, text):
    assert "".join(event.text for event in read([("<|channel|>", ""), (None, channel + " " + text)])) == text


@settings(max_examples=200, deadline=None)
@given(plain)
def test_arguments_that_are_no_json_come_out_as_text(text):
    stream = [
        (None, " to=functions.lost"),
        ("<|channel|>", ""),
        (None, "commentary"),
        ("<|message|>", ""),
        (None, text),
    ]
    match read(stream):
        case [Text(shown)]:
            assert shown == text
        case [ToolCall(arguments=arguments)]:
            assert is_object(arguments)
        case events:
            raise AssertionError(events)
