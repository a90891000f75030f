"""The grammars of programming languages, each in a wheel of its own, and what defines a name in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from tree_sitter import Language, Query

JAVASCRIPT = (
    "function_declaration generator_function_declaration class_declaration method_definition",
    "(variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression) (class)])",
)
TYPESCRIPT = (
    f"{JAVASCRIPT[0]} abstract_class_declaration interface_declaration type_alias_declaration enum_declaration"
    " internal_module module method_signature abstract_method_signature",
    JAVASCRIPT[1],
)
C_NAMED = ("struct_specifier", "enum_specifier", "union_specifier")
C = (
    "",
    *(f"({kind} name: (_) @name body: (_))" for kind in C_NAMED),
    "(function_definition declarator: (function_declarator declarator: (_) @name))",
    "(function_definition declarator: (pointer_declarator declarator: (function_declarator declarator: (_) @name)))",
    "(type_definition declarator: (type_identifier) @name)",
    "(preproc_def name: (_) @name)",
    "(preproc_function_def name: (_) @name)",
)
CPP = (
    "namespace_definition concept_definition",
    *C[1:],
    "(class_specifier name: (_) @name body: (_))",
    "(function_definition declarator: (reference_declarator (function_declarator declarator: (_) @name)))",
)


@dataclass(frozen=True, slots=True)
class Grammar:
    """Where a grammar lies, which nodes with a field `name` define it, and patterns for those that differ."""

    module: str
    defining: str
    patterns: Sequence[str] = ()
    function: str = "language"

    def pointer(self) -> object:
        return getattr(import_module(f"tree_sitter_{self.module}"), self.function)()


GRAMMARS = {
    "bash": Grammar("bash", "function_definition"),
    "c": Grammar("c", C[0], C[1:]),
    "c_sharp": Grammar(
        "c_sharp",
        "class_declaration interface_declaration struct_declaration record_declaration enum_declaration"
        " method_declaration constructor_declaration property_declaration namespace_declaration delegate_declaration",
    ),
    "cpp": Grammar("cpp", CPP[0], CPP[1:]),
    "css": Grammar("css", "", ["(rule_set (selectors) @name)", "(keyframes_statement (keyframes_name) @name)"]),
    "go": Grammar("go", "function_declaration method_declaration type_spec"),
    "haskell": Grammar("haskell", "function data_type newtype class type_synonym"),
    "java": Grammar(
        "java",
        "class_declaration interface_declaration enum_declaration record_declaration method_declaration"
        " constructor_declaration annotation_type_declaration",
    ),
    "javascript": Grammar("javascript", JAVASCRIPT[0], JAVASCRIPT[1:]),
    "julia": Grammar(
        "julia",
        "module_definition",
        [
            "(function_definition (signature (call_expression . (_) @name)))",
            "(struct_definition (type_head (identifier) @name))",
            "(assignment . (call_expression . (identifier) @name))",
            "(macro_definition (signature (call_expression . (_) @name)))",
        ],
    ),
    "kotlin": Grammar("kotlin", "class_declaration object_declaration function_declaration"),
    "lua": Grammar("lua", "function_declaration"),
    "php": Grammar(
        "php",
        "class_declaration interface_declaration trait_declaration enum_declaration function_definition"
        " method_declaration namespace_definition",
        function="language_php",
    ),
    "python": Grammar("python", "function_definition class_definition"),
    "ruby": Grammar("ruby", "class module method singleton_method"),
    "rust": Grammar(
        "rust",
        "function_item struct_item enum_item union_item trait_item mod_item macro_definition type_item const_item"
        " static_item function_signature_item",
        ["(impl_item type: (_) @name)"],
    ),
    "scala": Grammar(
        "scala", "class_definition object_definition trait_definition enum_definition function_definition"
    ),
    "swift": Grammar("swift", "class_declaration protocol_declaration function_declaration"),
    "tsx": Grammar("typescript", TYPESCRIPT[0], TYPESCRIPT[1:], "language_tsx"),
    "typescript": Grammar("typescript", TYPESCRIPT[0], TYPESCRIPT[1:], "language_typescript"),
}


@cache
def language(kind: str) -> Language:
    return Language(GRAMMARS[kind].pointer())


@cache
def definitions_of(kind: str) -> Query:
    """What matches a definition and the name it gives."""
    grammar = GRAMMARS[kind]
    plain = [f"({node} name: (_) @name)" for node in grammar.defining.split()]
    return Query(language(kind), "\n".join(f"{pattern} @definition" for pattern in (*plain, *grammar.patterns)))
