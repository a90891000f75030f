"""Which files a person means, and why each other one is left out."""

import os
from pathlib import Path

import pytest

from ossian.rag.find import Found, Skipped, find_files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def found(folder: Path, *paths: Path | str) -> list[str]:
    return [str(one.path.relative_to(folder)) for one in find_files(paths or [folder]) if isinstance(one, Found)]


def skipped(folder: Path, *paths: Path | str) -> dict[str, str]:
    files = find_files(paths or [folder])
    return {str(one.path.relative_to(folder)): one.why for one in files if isinstance(one, Skipped)}


def test_a_folder_gives_its_files_in_order_with_size_and_time(folder: Path) -> None:
    write(folder, {"b.md": "two", "a.txt": "one", "sub/c.py": "x = 1", "unknown.xyz": "still a text"})
    os.utime(folder / "a.txt", ns=(5, 7))
    assert found(folder) == ["a.txt", "b.md", "unknown.xyz", "sub/c.py"]
    assert next(find_files([folder])) == Found(folder / "a.txt", 3, 7)


def test_what_git_ignores_is_left_out_and_says_by_which_file(folder: Path) -> None:
    write(
        folder,
        {
            ".gitignore": "*.log\n/build/\n!keep.log\n# a remark\n",
            "a.log": "x",
            "keep.log": "x",
            "build/out.txt": "x",
            "src/build/in.txt": "x",
            "src/.gitignore": "!b.log\nprivate.txt\n",
            "src/b.log": "x",
            "src/private.txt": "x",
            "src/deep/private.txt": "x",
        },
    )
    top, inner = f"ignored by {folder / '.gitignore'}", f"ignored by {folder / 'src/.gitignore'}"
    assert found(folder) == [".gitignore", "keep.log", "src/.gitignore", "src/b.log", "src/build/in.txt"]
    expected = {"a.log": top, "build": top, "src/private.txt": inner, "src/deep/private.txt": inner}
    assert skipped(folder) == expected


def test_ossianignore_has_the_last_word(folder: Path) -> None:
    write(
        folder,
        {
            ".gitignore": "*.out\nlocal.md\n",
            ".ossianignore": "*.csv\n!local.md\n",
            "local.md": "x",
            "a.csv": "x",
            "a.out": "x",
        },
    )
    assert found(folder) == [".gitignore", ".ossianignore", "local.md"]
    assert skipped(folder)["a.csv"] == f"ignored by {folder / '.ossianignore'}"


def test_rules_above_a_folder_hold_up_to_its_repository(folder: Path) -> None:
    write(
        folder,
        {
            ".gitignore": "*.md\n",
            "repository/.git/HEAD": "ref",
            "repository/.gitignore": "docs/*.txt\n",
            "repository/docs/a.txt": "x",
            "repository/docs/b.md": "x",
        },
    )
    docs = folder / "repository/docs"
    assert found(docs, docs) == ["b.md"]
    assert skipped(docs, docs) == {"a.txt": f"ignored by {folder / 'repository/.gitignore'}"}


def test_a_line_that_git_cannot_read_is_passed_over(folder: Path) -> None:
    write(folder, {".gitignore": "!\n/\n\\\n[z-a]\n*.log\n", "a.log": "x", "a.txt": "x"})
    assert found(folder) == [".gitignore", "a.txt"]


def test_a_file_that_is_named_is_taken_though_git_ignores_it(folder: Path) -> None:
    write(folder, {".gitignore": "*.log\n", "a.log": "x"})
    assert found(folder, folder / "a.log") == ["a.log"]


def test_a_folder_that_is_named_is_taken_though_git_ignores_it(folder: Path) -> None:
    write(folder, {".git/HEAD": "ref", ".gitignore": "build/\n", "build/a.txt": "x", "build/b.log": "x"})
    write(folder, {"build/.gitignore": "*.log\n"})
    assert found(folder, folder / "build") == ["build/.gitignore", "build/a.txt"]


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".env.production", "server.pem", "tls.key", "id_rsa", "id_ed25519.old", "credentials"),
        *("credentials.json", ".netrc", "secrets.yaml", "Service-Account-7.json", ".npmrc", "state.tfstate", "ID_RSA"),
    ],
)
def test_secrets_are_never_read_not_even_when_named(folder: Path, name: str) -> None:
    write(folder, {name: "password = x"})
    assert skipped(folder) == skipped(folder, folder / name) == {name: "may hold secrets"}


def test_examples_of_secrets_and_code_about_them_are_read(folder: Path) -> None:
    names = [".env.example", "credentials.py", "id_rsa.pub", "secrets.md"]
    write(folder, dict.fromkeys(names, "text"))
    assert found(folder) == names


def test_a_private_key_under_a_harmless_name_is_noticed(folder: Path) -> None:
    write(
        folder,
        {
            "notes.txt": "my key:\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=",
            "about.md": "A file with -----BEGIN PRIVATE KEY----- in it.",
        },
    )
    assert skipped(folder) == {"notes.txt": "holds a private key"}


def test_a_link_is_judged_by_what_it_leads_to(folder: Path) -> None:
    write(folder, {"real/a.txt": "x", ".ssh/config": "x"})
    (folder / "notes.txt").symlink_to(folder / ".ssh/config")
    (folder / "good.txt").symlink_to(folder / "real/a.txt")
    (folder / "gone.txt").symlink_to(folder / "nowhere")
    (folder / "loop").symlink_to(folder)
    assert found(folder) == ["good.txt", "real/a.txt"]
    assert skipped(folder) == {
        ".ssh": "may hold secrets",
        "gone.txt": "it is gone, or a link that leads nowhere",
        "loop": "a link to a folder",
        "notes.txt": "may hold secrets",
    }


def test_binaries_empty_files_and_what_is_no_file_are_left_out(folder: Path) -> None:
    write(
        folder,
        {"photo.jpg": b"\xff\xd8\0\0\x01", "empty.txt": "", "old.doc": b"\xd0\xcf\x11\xe0", "paper": b"%PDF-1.4"},
    )
    os.mkfifo(folder / "pipe.txt")
    binary = "not a text, nor any format that is known"
    assert skipped(folder) == {
        "empty.txt": "empty",
        "old.doc": "a format of before 2007; save it as .docx",
        "paper": binary,
        "photo.jpg": binary,
        "pipe.txt": "not a file: a device, a pipe or a socket",
    }


def test_utf16_is_no_binary(folder: Path) -> None:
    write(folder, {"marked.txt": "hello".encode("utf-16"), "bare.txt": "hello there".encode("utf-16-le")})
    assert found(folder) == ["bare.txt", "marked.txt"]


def test_what_is_too_big_is_left_out_with_its_size(folder: Path) -> None:
    with (folder / "dump.sql").open("wb") as file:
        file.truncate(40 << 20)
    assert skipped(folder) == {"dump.sql": "too big: 40 MB, and at most 32 are read"}


def test_folders_that_tools_make_are_named_once(folder: Path) -> None:
    write(
        folder, {"node_modules/a/b.js": "x", ".git/HEAD": "x", "env/pyvenv.cfg": "x", "env/lib/c.py": "x", "a.py": "x"}
    )
    tools = "made by tools, not by people"
    write(folder, {"work/.git": "gitdir: elsewhere"})  # of a second work tree
    assert skipped(folder) == {".git": tools, "env": tools, "node_modules": tools, "work/.git": tools}
    assert found(folder) == ["a.py"]


def test_globs_find_in_folders_and_respect_rules(folder: Path) -> None:
    write(
        folder,
        {
            ".gitignore": "skip.py\n",
            "a.py": "x",
            "b.txt": "x",
            "sub/c.py": "x",
            "sub/skip.py": "x",
            "deep/er/d.py": "x",
        },
    )
    assert found(folder, f"{folder}/*.py") == ["a.py"]
    assert found(folder, f"{folder}/**/*.py") == ["a.py", "deep/er/d.py", "sub/c.py"]
    assert found(folder, f"{folder}/s*") == ["sub/c.py"]
    assert skipped(folder, f"{folder}/*.java") == {"*.java": "nothing matches"}


def test_a_glob_enters_no_folder_that_cannot_match(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / "x.md").write_text("x")
    (folder / "y.md").write_text("y")
    entered, scan = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: entered.append(path) or scan(path))
    assert [one.path.name for one in find_files([folder / "*.md"])] == ["y.md"]
    assert entered == [folder]
    assert [one.path.name for one in find_files([folder / "*" / "er" / "*.md"])] == ["x.md"]


def test_a_name_with_brackets_is_no_glob_where_such_a_file_exists(folder: Path) -> None:
    write(folder, {"notes[1].md": "x"})
    assert found(folder, folder / "notes[1].md") == ["notes[1].md"]


def test_each_file_comes_once_whatever_names_it(folder: Path) -> None:
    write(folder, {"a.txt": "x"})
    assert found(folder, folder, folder / "a.txt", f"{folder}/*.txt", folder / "../" / folder.name) == ["a.txt"]


def test_a_path_that_is_not_there_is_told(folder: Path) -> None:
    assert skipped(folder, folder / "nothing") == {"nothing": "there is no such file or folder"}


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is allowed to root")
def test_a_folder_that_may_not_be_read_is_told(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0)
    assert skipped(folder) == {"closed": "you are not allowed to read it"}
