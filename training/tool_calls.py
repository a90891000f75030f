"""Offer functions and call the right one with values from the user's words. Values are made up, so they must be copied."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from harmony_text import Answer, Call, Conversation, Message, NoThought, OldAnswer, OldCall, Result, Thought, Tool, User
from questions import NO_THOUGHT_SHARE, Asker, any_day, any_effort
from values import HELD_OUT, TRAIN, Lexicon, Values, json_type, say

SLOT = re.compile(r"{(\w+)}")
NO_TOOL_SHARE = 0.12
RESULT_SHARE = 0.3
EARLIER_CALLS = (0, 0, 1, 1, 2, 3)
MADE_UP_SHARE = 0.55
ANY_WORD_SHARE = 0.6  # of the verbs and things of functions that are made up
PAIR_SHARE = 0.15

VERBS = (
    "get set add remove find list open close start stop create delete update send fetch check count book cancel read write move copy "
    "rename show hide lock unlock load save print plan assign archive restore publish review approve reject measure compare merge split "
    "sort filter export import scan sign verify register enable disable reserve order track log tag rate share sync"
).split()
OBJECTS = (
    "user order invoice ticket room file report message photo song lamp door car train flight parcel contract customer product recipe "
    "note task event meeting server backup table record sensor device account payment budget team player match score course lesson exam "
    "student teacher book chapter page image video camera printer key badge visitor guest hotel seat desk locker garden plant pump valve "
    "engine battery charger route map stop bus ship crane truck driver shift crew job branch commit build test release package module "
    "cache queue topic channel feed post comment poll survey vote form field label tag color theme font menu dish drink price discount "
    "coupon refund loan asset claim policy patient doctor sample drug shelf box pallet machine robot drone signal alarm zone filter rule"
).split()
# name of the parameter | kind of value | description | phrases of the user
PARAMETERS = """name|person|The name|named {}|for {}|called {}
title|title|The title|titled {}|with the title {}
city|city|The city|in {}|for {}
place|city|The place|at {}|near {}
date|date|The date|on {}|for {}
time|time|The time|at {}
start_date|date|First day|from {}|starting {}
end_date|date|Last day|until {}|to {}
id|number|The number|number {}|with id {}
count|small|How many|{} times|count {}
limit|number|Highest number|at most {}|with the limit {}
price|decimal|The price|for {} euros|at the price of {}
amount|decimal|The amount|amount {}|of {}
code|code|The code|with code {}|code {}
reference|code|Reference|reference {}|under {}
email|email|The email address|for {}|with the email {}
phone|phone|Phone number|with the phone number {}|phone {}
url|url|The address|from {}|at {}
path|path|The path|at {}|in {}
folder|folder|The folder|in the folder {}|in {}
file_name|file|The file name|as {}|in {}
owner|person|The owner|owned by {}|of {}
author|person|The author|by {}
recipient|person|Who gets it|to {}|for {}
color|colour|The colour|in {}|colour {}
language|lang|The language|in {}
currency|currency|The currency|in {}
weekday|weekday|Day of the week|on {}|every {}
month|month|The month|in {}|for {}
year|year|The year|of {}|in {}
percent|percent|Per cent|at {} percent|to {} percent
temperature|temp|Degrees|at {} degrees|to {} degrees
port|port|The port|on port {}
host|ip|The machine|on {}|at {}
version|version|The version|version {}|in version {}
hash|hash|The hash|with hash {}|{}
label|word|The label|labelled {}|with the label {}
group|word|The group|in the group {}|for the group {}
category|noun|The category|in the category {}|category {}
brand|brand|The brand|from {}|of the brand {}
model|brand|The model|model {}
note|phrase|A note|with the note "{}"|note: "{}"
text|text|The text|saying "{}"|with the text "{}"
reason|text|The reason|because "{}"|reason: "{}"
subject|phrase|The subject|about {}|on "{}"
query|phrase|Search words|matching "{}"|about {}
command|command|The command|with `{}`|using `{}`
address|address|The address|at {}
symbol|ident|The symbol|for {}|with {}
key|ident|The key|key {}|with the key {}
members|list|The members|with {}|for {}
tags|list|Tags|tagged {}|with the tags {}
items|list|The items|containing {}|with {}
priority|low/medium/high|The priority|with {} priority
size|small/medium/large|The size|in size {}|size {}
state|open/closed/pending|The state|with state {}|that is {}
speed|slow/normal/fast|The speed|at {} speed
format|pdf/html/csv|The format|as {}|in {} format
width|big|Width|{} wide|with width {}
weight|decimal|Weight|{} kg heavy|with weight {}
level|small|The level|at level {}|to level {}
floor|small|The floor|on floor {}
expression|sum|The expression|with {}
verbose|bool|Print more|with verbose {}|verbose {}
urgent|bool|Whether it is urgent|with urgent {}
notify|bool|Tell the others|notify {}|with notify {}"""
PAIRS = """old|new|to/into/as
first|second|with/and/or
source|target|to/into/onto
name|new_name|to/as/into
left|right|with/and/from
a|b|and/with/by
one|other|with/and/beside"""
PAIRED_KINDS = "word noun colour ident city person file path number code first title big".split()
OPENINGS = (
    "",
    "",
    "",
    "Please ",
    "Can you ",
    "Could you ",
    "I want to ",
    "I need to ",
    "Hi, ",
    "please ",
    "Now ",
    "Would you ",
)
FIELDS = (
    "status:open/closed/ready/done/sent/saved/active temperature:temp price:decimal count:number name:person city:city date:date time:time "
    "owner:person title:title id:code total:decimal file:file colour:colour version:version email:email level:percent distance:decimal "
    "duration:small address:address label:word reason:phrase winner:person country:made year:year rating:decimal place:city value:big"
).split()


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    kind: str
    description: str
    required: bool
    default: Any = None


@dataclass(frozen=True, slots=True)
class Spec:
    """A function and the sentences that ask for it."""

    name: str
    description: str
    parameters: tuple[Parameter, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Request:
    tool: Tool
    sentence: str
    arguments: dict[str, Any]


def read_specs(path: Path) -> list[Spec]:
    blocks = re.split(r"\n(?!- )", path.read_text().strip())
    return [read_spec(block) for block in blocks]


def read_spec(block: str) -> Spec:
    head, *sentences = block.split("\n- ")
    name, description, *rest = (piece.strip() for piece in head.split(" | "))
    parameters = tuple(read_parameter(piece) for piece in rest[0].split("; ")) if rest else ()
    for sentence in sentences:
        missing = {p.name for p in parameters if p.required} - set(SLOT.findall(sentence))
        assert not missing, f"{name}: {sentence!r} does not say {missing}"
    return Spec(name, description, parameters, tuple(sentences))


def read_parameter(text: str) -> Parameter:
    head, description = text.split(" ", 1)
    name, kind = head.split(":")
    return Parameter(name.rstrip("?"), kind, description, required=not name.endswith("?"))


def write_spec(spec: Spec) -> Tool:
    if not spec.parameters:
        return Tool(spec.name, spec.description, {})
    properties = {
        p.name: json_type(p.kind) | {"description": p.description} | write_default(p) for p in spec.parameters
    }
    required = [p.name for p in spec.parameters if p.required]
    return Tool(spec.name, spec.description, {"type": "object", "properties": properties, "required": required})


def write_default(parameter: Parameter) -> dict[str, Any]:
    return {} if parameter.default is None else {"default": parameter.default}


def ask_for(spec: Spec, values: Values) -> Request:
    sentence = values.rng.choice(spec.sentences)
    said = set(SLOT.findall(sentence))
    arguments = {p.name: values.make(p.kind) for p in spec.parameters if p.name in said}
    return Request(
        write_spec(spec), sentence.format(**{name: say(value) for name, value in arguments.items()}), arguments
    )


class Caller:
    """Makes conversations in which functions are offered, and mostly called."""

    def __init__(self, specs: list[Spec], asker: Asker, rng: Random, words: Lexicon = TRAIN) -> None:
        self.specs = specs
        self.asker = asker
        self.rng = rng
        self.values = Values(rng, words)
        self.anything = any_words(asker)

    def conversation(self) -> Conversation:
        specs = self.offer()
        tools = tuple(write_spec(spec) for spec in specs)
        earlier = [m for _ in range(self.rng.choice(EARLIER_CALLS)) for m in self.earlier_call(self.rng.choice(specs))]
        if self.rng.random() < NO_TOOL_SHARE:
            return replace(self.answer_without(earlier), tools=tools)
        request = ask_for(self.rng.choice(specs), self.values)
        reply = self.call(request) if self.rng.random() > RESULT_SHARE else self.call_and_tell(request)
        return Conversation(
            (*earlier, User(self.say_kindly(request.sentence)), *reply),
            date=any_day(self.rng),
            reasoning=any_effort(self.rng),
            tools=tools,
            instructions=self.instructions(),
        )

    def earlier_call(self, spec: Spec) -> tuple[Message, ...]:
        """A request of an earlier turn, so that one list of functions, long to read, serves several calls."""
        request = ask_for(spec, self.values)
        call = OldCall(request.tool.name, request.arguments)
        result, _, answer = self.result(request.tool.name)
        return User(self.say_kindly(request.sentence)), call, result, OldAnswer(answer.text)

    def instructions(self) -> str:
        return (
            self.rng.choice(("You are a helpful assistant.", "Use the functions.", "You help in an editor."))
            if self.rng.random() < 0.1
            else ""
        )

    def answer_without(self, earlier: list[Message]) -> Conversation:
        topic = self.rng.choice(self.asker.topics)
        asked = User(self.asker.ask(topic))
        return self.asker.settle((*earlier, asked, self.think(topic.thinking), Answer(topic.answer)))

    def vary_names(self, spec: Spec) -> Spec:
        """Half of all functions have a name that says nothing: a name must be read, not guessed from the request."""
        if self.rng.random() < 0.5:
            return spec
        one, other = self.values.word(), self.rng.choice((self.values.word, self.values.noun, self.values.adjective))()
        made = self.rng.choice((f"{one}_{other}", f"{other}_{one}", camel(f"{one}_{other}"), f"{one}_{spec.name}", one))
        return replace(spec, name=made)

    def make_spec(self, verb: str = "") -> Spec:
        verb = verb or (self.any_word() if self.rng.random() < ANY_WORD_SHARE else self.rng.choice(VERBS))
        thing = self.any_word() if self.rng.random() < ANY_WORD_SHARE else self.rng.choice(OBJECTS)
        if self.rng.random() < PAIR_SHARE:
            return self.make_pair(verb, thing)
        rows = [self.vary_row(row) for row in self.rng.sample(PARAMETER_ROWS, self.rng.choice((1, 1, 2, 2, 3, 4)))]
        parameters = [self.make_parameter(row, at) for at, row in enumerate(rows)]
        spoken = [row for row, p in zip(rows, parameters, strict=True) if p.required or self.rng.random() < 0.6]
        words = [row[3 + self.rng.randrange(len(row) - 3)].replace("{}", "{" + row[0] + "}") for row in spoken]
        self.rng.shuffle(words) if self.rng.random() < 0.3 else None
        article = self.rng.choice(("the", "a", "the", "my", ""))
        said = self.rng.choice((verb, verb, verb, verb, "what about", "I need", "is there"))
        sentence = " ".join(f"{said} {article} {thing} {' '.join(words)}".split())
        return Spec(self.make_name(verb, thing), f"{verb.capitalize()} the {thing}.", tuple(parameters), (sentence,))

    def make_name(self, verb: str, thing: str) -> str:
        return self.rng.choice((f"{verb}_{thing}", f"{verb}_{thing}", camel(f"{verb}_{thing}"), f"{thing}_{verb}"))

    def make_pair(self, verb: str, thing: str) -> Spec:
        """A function of two values of one kind, which only their order tells apart."""
        first, second, words = self.rng.choice(PAIRED_NAMES)
        kind, word = self.rng.choice(PAIRED_KINDS), self.rng.choice(words.split("/"))
        parameters = tuple(Parameter(name, kind, camel(name).capitalize(), required=True) for name in (first, second))
        said = self.rng.choice((verb, f"{verb} the {thing}", f"the {thing}", f"please {verb}"))
        sentence = f"{said} {{{first}}} {word} {{{second}}}"
        description = self.rng.choice((f"{verb.capitalize()} the {thing}.", f"{verb.capitalize()} a {thing}."))
        return Spec(self.make_name(verb, thing), description, parameters, (sentence,))

    def any_word(self) -> str:
        """Any word at all: functions without end, which can only be told by reading them."""
        return self.rng.choice(self.anything) if self.rng.random() < 0.7 else self.values.syllables()

    def vary_row(self, row: list[str]) -> list[str]:
        """A parameter, now and then under a name that says nothing, or one that only the request explains."""
        chance = self.rng.random()
        if chance < 0.45:
            return row
        if chance < 0.7:
            word = self.any_word()
            kind = self.rng.choice((row[1], "number", "word", "person", "title"))
            return [word, kind, f"The {word}", f"{word} {{}}", f"with {word} {{}}", f"{{}} {word}"]
        made = self.rng.choice((self.values.syllables(), f"{self.values.noun()}_{row[0]}", self.values.noun()))
        return [made, *row[1:]]

    def make_parameter(self, row: list[str], at: int) -> Parameter:
        if at == 0 or self.rng.random() < 0.6:
            return Parameter(row[0], row[1], row[2], required=True)
        default = self.values.make(row[1]) if self.rng.random() < 0.25 and row[1] != "list" else None
        return Parameter(row[0], row[1], row[2], required=False, default=default)

    def offer(self) -> list[Spec]:
        """One to four functions of different names."""
        first = self.any_spec()
        offered = {first.name: first}
        for _ in range(self.rng.choice((0, 0, 1, 1, 1, 2, 3))):
            # Now and then another function does the same to another thing, so that the thing must be read too.
            verb = first.description.split()[0].lower()
            other = self.vary_names(self.make_spec(verb)) if self.rng.random() < 0.2 else self.any_spec()
            offered.setdefault(other.name, other)
        specs = list(offered.values())
        self.rng.shuffle(specs)
        return specs

    def any_spec(self) -> Spec:
        known = self.rng.choice(self.specs)
        return self.vary_names(self.make_spec() if self.rng.random() < MADE_UP_SHARE else known)

    def say_kindly(self, sentence: str) -> str:
        if sentence.split()[0] in VERBS:
            sentence = self.rng.choice(OPENINGS) + sentence
        if self.rng.random() < 0.4:
            sentence = sentence[0].upper() + sentence[1:]
        ending = self.rng.choice(("", "", "", " please", ". Thanks.", "."))
        return sentence + ending if sentence[-1] not in '.?!"`' else sentence

    def call(self, request: Request) -> tuple[Message, ...]:
        return (
            self.think(f"{request.tool.description} I call {request.tool.name}."),
            Call(request.tool.name, request.arguments),
        )

    def call_and_tell(self, request: Request) -> tuple[Message, ...]:
        """Go on after the result; the call then mostly stands as the server writes history."""
        name = request.tool.name
        called = self.call(request) if self.rng.random() < 0.35 else (OldCall(name, request.arguments),)
        return (*called, *self.result(name))

    def think(self, text: str) -> Message:
        return NoThought() if self.rng.random() < NO_THOUGHT_SHARE else Thought(text)

    def result(self, name: str) -> tuple[Result, Message, Answer]:
        text, answer = self.rng.choice((self.fields, self.fields, self.lines, self.sentence, self.error))()
        return (Result(name, text), self.think("I have the result and tell the user."), Answer(answer))

    def fields(self) -> tuple[str, str]:
        chosen = self.rng.sample(FIELDS, self.rng.choice((1, 2, 2, 3)))
        values = {name: self.values.make(kind) for name, kind in (field.split(":") for field in chosen)}
        told = [f"the {name} is {value}" for name, value in values.items()]
        return json.dumps(values, ensure_ascii=False), sentence_case(say(told)) + "."

    def lines(self) -> tuple[str, str]:
        kind = self.rng.choice(("file", "path", "word", "person", "title"))
        rows = [self.values.make(kind) for _ in range(self.rng.randint(2, 4))]
        return "\n".join(rows), "The result is:\n\n" + "\n".join(f"- {row}" for row in rows)

    def sentence(self) -> tuple[str, str]:
        told = sentence_case(self.values.text()) + "."
        return told, told

    def error(self) -> tuple[str, str]:
        reason = self.rng.choice(("{} not found", "no {} here", "{} is locked", "cannot reach {}")).format(
            self.values.word()
        )
        return json.dumps({"error": reason}), f"That did not work: {reason}."


def camel(name: str) -> str:
    """Write a snake_case name in camelCase.

    >>> camel("get_big_file")
    'getBigFile'
    """
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def sentence_case(text: str) -> str:
    return text[0].upper() + text[1:]


def any_words(asker: Asker) -> tuple[str, ...]:
    """The words of all answers that could name something, but for those that stand in held-out values."""
    kept = {*HELD_OUT.nouns, *HELD_OUT.adjectives, *HELD_OUT.verbs}
    said = {word for topic in asker.topics for word in re.findall(r"\b[a-z]{3,9}\b", topic.answer)}
    return tuple(sorted(said - kept))


PAIRED_NAMES = [line.split("|") for line in PAIRS.splitlines()]
PARAMETER_ROWS = [line.split("|") for line in PARAMETERS.splitlines()]


def held_out_cases(specs: list[Spec], rng: Random, words: Lexicon, count: int) -> list[dict[str, Any]]:
    """Cases for measuring: each function in turn, sometimes beside others."""
    values = Values(rng, words)
    cases = []
    for at in range(count):
        request = ask_for(specs[at % len(specs)], values)
        others = [
            write_spec(spec) for spec in rng.sample(specs, rng.choice((0, 1, 2))) if spec.name != request.tool.name
        ]
        tools = [request.tool, *others]
        rng.shuffle(tools)
        cases.append(
            {
                "tools": [open_ai_tool(tool) for tool in tools],
                "question": request.sentence,
                "name": request.tool.name,
                "arguments": request.arguments,
            }
        )
    return cases


def open_ai_tool(tool: Tool) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
    }
