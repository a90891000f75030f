"""A JSON schema as rules of a grammar, so that what is written satisfies it. Pure.

A grammar may allow less than the schema: properties come in the schema's order, none beside the named ones, and blanks
are short. It never allows more: a keyword that cannot be kept is refused, or, for advice, left out.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ossian.errors import SchemaNotSupported
from ossian.harmony.gbnf import SPACE, either, quote, repeat, separated, sequence, write_members
from ossian.harmony.gbnf_reading import find_ending, read_rules
from ossian.harmony.number_grammar import write_integer, write_number
from ossian.harmony.pattern_grammar import FORMATS, string_matching
from ossian.harmony.schema_reading import (
    KEPT,
    REMARKS,
    TYPES,
    Schema,
    differ,
    find_bound,
    guess_types,
    is_of_type,
    list_types,
)
from ossian.harmony.typescript import DEFINITIONS, find_definition

ANYTHING = "value"
SHORT_BODY = 60
MOST_NESTED = 100


class SchemaRules:
    """Collects the rules that schemas need. `strict`: what cannot be kept raises SchemaNotSupported, else it goes.

    >>> rules = SchemaRules()
    >>> rules.add("city", {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})
    'city'
    >>> print(rules.rules["city"])
    "{" space "\\"name\\"" space ":" space string space "}"
    """

    def __init__(self, *, strict: bool = True) -> None:
        self.strict = strict
        self.rules: dict[str, str] = {}

    def add(self, name: str, schema: Any) -> str:
        """Add the rules of one schema; return the name of the rule for its value."""
        self.rules[name] = ""  # keeps the place: the rule comes before those it needs
        try:
            writer = Writer(self, name, schema)
            self.rules[name] = writer.write(schema, "#")
            if writer.holds_itself:
                self._check_end(name)
        except (SchemaNotSupported, TypeError, ValueError, AttributeError, OverflowError) as error:
            if self.strict:
                raise (
                    error if isinstance(error, SchemaNotSupported) else SchemaNotSupported("it is malformed")
                ) from error
            self.rules[name] = "object"
        return name

    def _check_end(self, name: str) -> None:
        grammar = "\n".join(f"{each} ::= {body}" for each, body in self.rules.items())
        if name not in find_ending(read_rules(grammar)):
            raise SchemaNotSupported('the keyword "$ref" cannot be kept: what must be there never ends')


class Writer:
    """Writes one schema. References become rules of their own, so that a schema may hold itself."""

    def __init__(self, into: SchemaRules, name: str, root: Any) -> None:
        self._into = into
        self._name = name
        self._root: Schema = root if isinstance(root, Mapping) else {}
        self.holds_itself = False
        self._references: dict[str, str] = {}
        self._unopened: tuple[str, ...] = ()  # references followed since the last bracket: none may come again
        self._depth = 0

    def write(self, schema: Any, at: str) -> str:
        """The grammar of a value. `at` is where the schema stands, for the error."""
        if self._depth >= MOST_NESTED:
            raise SchemaNotSupported(f"{at} is nested deeper than {MOST_NESTED} schemas")
        self._depth += 1
        try:
            return self._write_any(schema, at)
        finally:
            self._depth -= 1

    def _write_inside(self, schema: Any, at: str) -> str:
        """The grammar of a value within brackets."""
        unopened, self._unopened = self._unopened, ()
        try:
            return self.write(schema, at)
        finally:
            self._unopened = unopened

    def _write_any(self, schema: Any, at: str) -> str:
        if schema is True or schema == {}:
            return ANYTHING
        if not isinstance(schema, Mapping):
            raise SchemaNotSupported(f"{at} allows nothing" if schema is False else f"{at} is no schema")
        if "$ref" in schema:
            return self._follow(schema, at)
        if "const" in schema:
            return self._write_values([schema["const"]], schema, at)
        if "enum" in schema:
            return self._write_values(schema["enum"], schema, at)
        for keyword in ("anyOf", "oneOf", "allOf"):
            if keyword in schema:
                return self._combine(keyword, schema, at)
        return self._write_typed(schema, at)

    def _share(self, body: str) -> str:
        """A long body as a rule of its own, so that saying it twice costs nothing."""
        if len(body) < SHORT_BODY:
            return body
        known = next((name for name, other in self._into.rules.items() if other == body), None)
        name = known or f"{self._name}-{len(self._into.rules)}"
        self._into.rules[name] = body
        return name

    def _refuse(self, keyword: str, at: str, why: str = "") -> None:
        if self._into.strict:
            raise SchemaNotSupported(f'the keyword "{keyword}" at {at} cannot be kept{why and ": "}{why}')

    def _check(self, schema: Schema, kept: set[str], at: str) -> None:
        for keyword in schema:  # in the order written, so that the same schema gets the same refusal
            if keyword not in REMARKS and keyword not in kept:
                self._refuse(keyword, at)

    def _follow(self, schema: Schema, at: str) -> str:
        reference = str(schema["$ref"])
        self._check(schema, {"$ref"}, at)
        if reference in self._unopened:
            raise SchemaNotSupported(f"{reference} is nothing but a reference to itself")
        if reference not in self._references:
            target = self._root if reference == "#" else find_definition(self._root, reference)
            if not reference.startswith("#") or (not target and not self._exists(reference)):
                self._refuse("$ref", at, f"{reference} is not in the schema")
                return ANYTHING
            name = f"{self._name}-{len(self._into.rules)}"
            self._references[reference] = name
            self._into.rules[name] = ""
            before, self._unopened = self._unopened, (*self._unopened, reference)
            self._into.rules[name] = self.write(target, reference)
            self._unopened = before
        self.holds_itself = self.holds_itself or not self._into.rules[self._references[reference]]
        return self._references[reference]

    def _look_up(self, schema: Any) -> Any:
        """What a bare reference means; any other schema as it is."""
        is_reference = isinstance(schema, Mapping) and isinstance(schema.get("$ref"), str)
        return find_definition(self._root, schema["$ref"]) if is_reference else schema

    def _exists(self, reference: str) -> bool:
        *path, last = reference.removeprefix("#/").split("/")
        return last in find_definition(self._root, "#/" + "/".join(path)) if path else last in self._root

    def _write_values(self, values: Sequence[Any], schema: Schema, at: str) -> str:
        """An enum or a const. Keywords beside it must be satisfied by its values: only the type is looked at."""
        self._check(schema, {"enum", "const", "type"}, at)
        types = list_types(schema.get("type"))
        fitting = [value for value in values if not types or any(is_of_type(value, kind) for kind in types)]
        if not fitting:
            raise SchemaNotSupported(f"{at} allows nothing: no value of its enum has its type")
        return either(*(quote(json.dumps(value, ensure_ascii=False, separators=(",", ":"))) for value in fitting))

    def _combine(self, keyword: str, schema: Schema, at: str) -> str:
        choices = schema[keyword]
        if not isinstance(choices, list) or not choices:
            raise SchemaNotSupported(f"{keyword} at {at} is no list of schemas")
        beside = {key: value for key, value in schema.items() if key != keyword and key not in DEFINITIONS}
        if keyword == "allOf":
            return self.write(self._merge([beside, *choices], at), at)
        if keyword == "oneOf" and not differ([self._look_up(choice) for choice in choices]):
            self._refuse("oneOf", at, "its choices may be satisfied at once; write anyOf")
        places = (f"{at}/{keyword}/{index}" for index in range(len(choices)))
        if beside.keys() - REMARKS:
            choices = [self._merge([beside, choice], at) for choice in choices]
        return either(*(self.write(choice, place) for choice, place in zip(choices, places, strict=True)))

    def _merge(self, schemas: Sequence[Any], at: str) -> dict[str, Any]:
        """All of several schemas as one, where that is plain: objects whose properties add up."""
        merged: dict[str, Any] = {}
        for schema in schemas:
            if isinstance(schema, Mapping) and "$ref" in schema:
                schema = {**find_definition(self._root, str(schema["$ref"])), **schema, "$ref": None}
                schema = {key: value for key, value in schema.items() if key != "$ref"}
            for key, value in schema.items() if isinstance(schema, Mapping) else ():
                if key not in merged or key in REMARKS or merged[key] == value:
                    merged[key] = value
                elif key == "properties":
                    merged[key] = {**merged[key], **value}
                elif key == "required":
                    merged[key] = [*merged[key], *(name for name in value if name not in merged[key])]
                else:
                    self._refuse("allOf", at, f'"{key}" stands in it with different values')
        return merged

    def _write_typed(self, schema: Schema, at: str) -> str:
        types = list_types(schema.get("type")) or guess_types(schema)
        if not types:
            self._check(schema, {"type"}, at)
            return ANYTHING
        for kind in types:
            if kind not in TYPES:
                raise SchemaNotSupported(f'the type "{kind}" at {at} is none of {", ".join(TYPES)}')
        self._check(schema, {"type"}.union(*(KEPT[kind] for kind in types)), at)
        choices = [self._write_type(kind, schema, at) for kind in types]
        return either(*choices, "null") if schema.get("nullable") is True else either(*choices)

    def _write_type(self, kind: str, schema: Schema, at: str) -> str:
        try:
            match kind:
                case "object":
                    return self._write_object(schema, at)
                case "array":
                    return self._write_array(schema, at)
                case "string":
                    return self._write_string(schema, at)
                case "integer":
                    return write_integer(schema)
                case "number":
                    return write_number(schema)
                case _:
                    return kind
        except ValueError as error:
            self._refuse(find_bound(kind, schema), at, str(error))
            return kind if kind != "integer" else "whole"

    def _write_object(self, schema: Schema, at: str) -> str:
        properties = schema.get("properties") or {}
        required = [name for name in schema.get("required") or () if isinstance(name, str)]
        if schema.get("additionalProperties") is False and not set(required) <= set(properties):
            self._refuse("required", at, "additionalProperties forbids what it names")
        named = {**properties, **{name: True for name in required if name not in properties}}
        if not named:
            return self._write_map(schema.get("additionalProperties", True), at)
        members = [
            (self._write_member(name, value, f"{at}/properties/{name}"), name in required)
            for name, value in named.items()
        ]
        return sequence('"{"', SPACE, write_members(members), SPACE, '"}"')

    def _write_member(self, name: str, schema: Any, at: str) -> str:
        key = quote(json.dumps(name, ensure_ascii=False))
        return self._share(sequence(key, SPACE, '":"', SPACE, self._write_inside(schema, at)))

    def _write_map(self, values: Any, at: str) -> str:
        if values is False:
            return sequence('"{"', SPACE, '"}"')
        value = self._write_inside(values, f"{at}/additionalProperties")
        member = self._share(sequence("string", SPACE, '":"', SPACE, value))
        return sequence('"{"', SPACE, separated(member, 0, None), SPACE, '"}"')

    def _write_array(self, schema: Schema, at: str) -> str:
        least, most = int(schema.get("minItems") or 0), schema.get("maxItems")
        first = schema.get("prefixItems") or []
        items = schema.get("items", True)
        if first:
            return self._write_tuple(first, items, least, most, at)
        if items is False:
            most = 0
        inner = ANYTHING if items is False else self._share(self._write_inside(items, f"{at}/items"))
        if most is not None and int(most) < least:
            raise ValueError("no list is long enough and short enough")
        return sequence('"["', SPACE, separated(inner, least, None if most is None else int(most)), SPACE, '"]"')

    def _write_tuple(self, first: Sequence[Any], items: Any, least: int, most: int | None, at: str) -> str:
        """A list whose first items have schemas of their own; all of those are always written."""
        if most is not None and most < len(first):
            raise ValueError("prefixItems has more items than maxItems allows")
        parts = [self._write_inside(item, f"{at}/prefixItems/{index}") for index, item in enumerate(first)]
        whole = sequence(*(part if index == 0 else sequence('","', SPACE, part) for index, part in enumerate(parts)))
        more = max(0, least - len(first)), None if most is None else most - len(first)
        if items is not False and more[1] != 0:
            whole = sequence(whole, repeat(sequence('","', SPACE, self._write_inside(items, f"{at}/items")), *more))
        return sequence('"["', SPACE, whole, SPACE, '"]"')

    def _write_string(self, schema: Schema, at: str) -> str:
        pattern = schema.get("pattern") or FORMATS.get(schema.get("format", ""))
        least, most = schema.get("minLength"), schema.get("maxLength")
        if not pattern:
            bound = None if most is None else int(most)
            return (
                sequence(r'"\""', repeat("letter", int(least or 0), bound), r'"\""')
                if least or most is not None
                else "string"
            )
        if least is not None or most is not None:
            self._refuse("minLength" if least is not None else "maxLength", at, "beside pattern or format")
        return string_matching(pattern)
