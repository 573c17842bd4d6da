"""The documentation says what is so: links lead somewhere, examples run, the reference is what the code says."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ccanalysis import cli, contracts
from ccanalysis.kpis import register
from ccanalysis.kpis.measures import CATALOGUE
from ccanalysis.workspace import SETTINGS_FILE, Workspace

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
FOLDERS = ("docs", "examples", "benchmarks", "notebooks", "data", "expectations")
PAGES = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
REFERENCE = DOCS / "reference"
WRITTEN = [path for path in PAGES if REFERENCE not in path.parents]  # by people
OURS = [path for path in WRITTEN if path.parent == ROOT or DOCS in path.parents]  # what examples/ shows, it tests


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: The page.
        line: Where it begins.
        language: The first word behind the fence.
        words: The further words.
        text: What is inside.
    """

    page: Path
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def name(self) -> str:
        return f"{shown(self.page)}:{self.line}"


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def blocks(page: Path) -> tuple[Block, ...]:
    """Return the fenced blocks of a page."""
    found, fence, start, info, inside = [], "", 0, [], []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        match = re.match(r"\s*(`{3,})(.*)", line)
        if not fence and match:
            fence, start, info, inside = match[1], number, match[2].split(), []
        elif fence and match and match[1] == fence and not match[2].strip():
            found.append(Block(page, start, info[0] if info else "", tuple(info[1:]), "\n".join(inside) + "\n"))
            fence = ""
        elif fence:
            inside.append(line)
    assert not fence, f"{shown(page)}:{start}: the fence is not closed"
    return tuple(found)


def all_blocks(*languages: str, pages: Sequence[Path] = PAGES) -> list[Block]:
    """Return the blocks of some languages on the pages, but for those marked as fragments."""
    listed = [block for page in pages for block in blocks(page) if block.language in languages]
    return [block for block in listed if "fragment" not in block.words]


def prose(page: Path) -> str:
    """Return a page without its fenced blocks, lines kept."""
    lines, fence = [], ""
    for line in page.read_text(encoding="utf-8").splitlines():
        match = re.match(r"\s*(`{3,})", line)
        if match and (not fence or match[1] == fence):
            fence = "" if fence else match[1]
            lines.append("")
        else:
            lines.append("" if fence else line)
    return "\n".join(lines)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as a forge makes them."""
    found: dict[str, int] = {}
    names = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose(page), flags=re.M):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        names.add(slug if slug not in found else f"{slug}-{found[slug]}")
        found[slug] = found.get(slug, 0) + 1
    return names


# --- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_leads_somewhere(page):
    """A link to a file or a heading of this repository resolves, from where the page is."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
            broken.append(target)
    assert broken == []


def test_every_page_that_is_named_is_there():
    """Code, notebooks and settings name pages as `docs/...`; each of them exists."""
    named = {}
    for folder, ending in (
        ("src", "*.py"),
        ("tests", "*.py"),
        ("notebooks", "*.ipynb"),
        (".", "*.toml"),
        (".", "*.py"),
    ):
        search = (ROOT / folder).glob(ending) if folder == "." else (ROOT / folder).rglob(ending)
        for path in search:
            for name in re.findall(r"\bdocs/[\w./-]+\.(?:md|py|csv)\b", path.read_text(encoding="utf-8")):
                named.setdefault(name, shown(path))
    assert {name: where for name, where in named.items() if not (ROOT / name).is_file()} == {}


def test_every_page_can_be_reached_from_the_start():
    """No page is an orphan: following links from docs/index.md leads to all of docs/."""
    reached, waiting = set(), [DOCS / "index.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)\s#]+)", prose(page)):
            path = (page.parent / target).resolve()
            if path.suffix == ".md" and path.is_file() and DOCS in path.parents:
                waiting.append(path)
    assert sorted(map(shown, set(DOCS.rglob("*.md")) - reached)) == []


# --- the reference ----------------------------------------------------------------------------------------------------


def load(name: str):
    """Load a script of docs/."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def writer():
    """The script that writes the reference."""
    return load("write_reference")


@pytest.fixture(scope="module")
def follower():
    """The script that follows the tutorial."""
    return load("follow_tutorial")


def test_the_reference_is_what_the_code_says(writer):
    """The committed pages are what `make docs` writes; run it where this fails."""
    assert writer.outdated(REFERENCE) == []


def test_the_reference_does_not_depend_on_the_terminal(writer, monkeypatch):
    """Help texts wrap at the width of a terminal; the page of commands does not."""
    wide = writer.cli_page()
    monkeypatch.setenv("COLUMNS", "40")
    assert writer.cli_page() == wide


def test_a_page_that_is_out_of_date_is_named(writer, tmp_path, monkeypatch):
    """A page that was changed by hand, one that is missing and one that is about nothing are all found."""
    folder = tmp_path / "reference"
    shutil.copytree(REFERENCE, folder)
    monkeypatch.setattr(writer, "pages", lambda: {p.name: p.read_text("utf-8") for p in REFERENCE.glob("*.md")})
    for path in (folder / "python").iterdir():
        path.unlink()
    assert writer.outdated(folder) == []
    (folder / "cli.md").write_text("# Commands\n", encoding="utf-8")
    (folder / "tables.md").unlink()
    (folder / "left-over.md").write_text("old\n", encoding="utf-8")
    assert writer.outdated(folder) == ["cli.md", "left-over.md", "tables.md"]


def test_every_setting_that_is_read_is_on_its_page():
    """What `workspace.py` takes out of the settings file is in the reference of settings."""
    files = [ROOT / "src" / "ccanalysis" / name for name in ("workspace.py", "outgoing.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    taken = set(re.findall(r'\.(?:take|choice|zone|section|sections)\(\s*"(\w+)"', text))
    taken |= set(re.findall(r'_texts\(section, "(\w+)"\)', text))
    assert len(taken) > 30
    page = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    assert sorted(key for key in taken if not re.search(rf"\b{key}\b", page)) == []


# --- the glossary -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def glossary():
    """The glossary's text."""
    return (DOCS / "glossary.md").read_text(encoding="utf-8")


SUFFIXES = ("_s", "_s_sum", "_at", "_on", "_date", "_share", "_id")


def test_every_unit_of_a_column_is_explained(glossary):
    """A column's ending says its unit, and the glossary says what the ending means."""
    ends = {
        suffix
        for table in contracts.TABLES.values()
        for column in table.columns
        for suffix in SUFFIXES
        if column.name.endswith(suffix)
    }
    assert ends == set(SUFFIXES)
    assert [suffix for suffix in SUFFIXES if f"`{suffix}`" not in glossary] == []
    assert "`n_`" in glossary
    for table in contracts.TABLES.values():
        for column in table.columns:
            if column.type == "instant":
                assert column.name.endswith("_at"), f"{table.name}.{column.name}"


def test_every_unit_of_a_kpi_is_explained(glossary):
    """The units that a KPI can have are explained under their own names."""
    assert [unit for unit in register._UNITS if f"`{unit}`" not in glossary] == []


def test_every_measure_and_word_of_a_verdict_is_a_term(glossary):
    """Measures, statuses, ratings, levels and approval states have one meaning each, and it stands there."""
    from ccanalysis import text
    from ccanalysis.checks.gate import RATINGS

    words = [*CATALOGUE, *text.STATUS_WORDS, *text.ASSURANCE_WORDS, *RATINGS, *register.LEVELS, *register.STATES]
    assert sorted({word for word in words if f"`{word}`" not in glossary}) == []


def test_a_term_stands_once(glossary):
    """One meaning each: no term has two entries."""
    terms = re.findall(r"^\| \*\*([^*]+)\*\*", glossary, flags=re.M)
    assert len(terms) > 60
    assert sorted({term for term in terms if terms.count(term) > 1}) == []


# --- examples: commands -----------------------------------------------------------------------------------------------


def commands(block: Block) -> list[str]:
    """Return the commands of a block: lines of `sh`, those behind `$` of `console`; continued lines joined."""
    text = block.text.replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    if block.language == "console":
        return [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line and not line.startswith("#")]


def words_of(command: str) -> list[list[str]]:
    """Split a line into its simple commands."""
    parts, current = [], []
    for word in shlex.split(command, comments=True):
        if word in ("&&", "||", "|", ";"):
            parts.append(current)
            current = []
        elif word in (">", ">>", "2>", "<") or word.startswith((">", "2>")):
            parts.append(current)
            current = []  # the file behind it is a part of one word, without a command
        else:
            current.append(word)
    return [part for part in [*parts, current] if part]


def understood(arguments: list[str]) -> str:
    """Return why the command line refuses these arguments, or nothing."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            cli._parser().parse_args(arguments)
    except SystemExit as end:
        return said.getvalue() if end.code else ""
    return ""


SHELL = all_blocks("sh", "bash", "console", "powershell", "cron", "ini")


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.name)
def test_every_command_that_is_shown_exists(block):
    """Commands and options of examples are those of the program, of make and of tasks.py."""
    targets = set(re.findall(r"^([\w ]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    targets = {name for group in targets for name in group.split()}
    tasks = set(re.findall(r'"(\w+)": ', (ROOT / "tasks.py").read_text(encoding="utf-8").partition("TASKS = ")[2]))
    wrong = []
    for line in (
        commands(block) if block.language in ("sh", "bash", "console", "powershell") else block.text.splitlines()
    ):
        for match in re.finditer(r"(?:^|[\s/\\])ccanalysis(?:\.exe)?\s+(?!=)((?:(?!\s\d?[|>;&]|[#\"]).)*)", line):
            arguments = shlex.split(match[1])
            if why := understood(arguments):
                wrong.append(why)
        for parts in words_of(line) if block.language in ("sh", "bash", "console") else []:
            if parts[0] == "make" and not set(parts[1:]) <= targets:
                wrong.append(line)
            if "tasks.py" in parts and parts[parts.index("tasks.py") + 1] not in tasks:
                wrong.append(line)
    assert wrong == []


@pytest.mark.parametrize("page", WRITTEN, ids=shown)
def test_every_command_in_a_sentence_exists(page):
    """`ccanalysis WORD` in running text names a command of the program."""
    known = {action for group in cli._parser()._subparsers._group_actions for action in group.choices}
    named = re.findall(r"`ccanalysis ([a-z]+)[^`]*`", prose(page))
    assert [word for word in named if word not in known] == []


# --- examples: settings, registers, suites ----------------------------------------------------------------------------

CENTRE = '[centre]\nname = "Riverside"\ntime_zone = "Europe/London"\n'
CONTACTS = """
[[sources]]
name = "needed"
table = "contacts"
files = "needed.csv"
[sources.columns]
contact_id = "Id"
offered_at = { column = "Offered", format = "iso" }
channel = { value = "voice" }
outcome = { column = "Outcome", codes = { A = "answered" } }
"""


@pytest.mark.parametrize("block", all_blocks("toml", pages=OURS), ids=lambda block: block.name)
def test_settings_that_are_shown_can_be_followed(block, tmp_path):
    """Every TOML block opens as the settings of a workspace; what else a workspace needs is added."""
    content = tomllib.loads(block.text)
    text = block.text if "centre" in content else CENTRE + block.text
    if not {"contacts", "intervals"} & {source.get("table") for source in content.get("sources", [])}:
        text += CONTACTS
    (tmp_path / SETTINGS_FILE).write_text(text, encoding="utf-8")
    Workspace.open(tmp_path)


@pytest.mark.parametrize("block", all_blocks("yaml", pages=OURS), ids=lambda block: block.name)
def test_registers_that_are_shown_can_be_followed(block, tmp_path):
    """Every YAML block loads as a register, whole or as entries of one."""
    text = block.text
    if not text.startswith(("version", "kpis")):
        text = "version: 1\nkpis:\n" + text
    path = tmp_path / "kpis.yml"
    path.write_text(text, encoding="utf-8")
    assert register.load(path, contracts.TABLES).kpis


@pytest.mark.parametrize("block", all_blocks("json", pages=OURS), ids=lambda block: block.name)
def test_rules_that_are_shown_can_be_followed(block, tmp_path):
    """Every JSON block is an expectation, or a suite, that loads."""
    from ccanalysis.checks import suites

    content = json.loads(block.text)
    if "expectations" not in content:
        table = content["meta"]["id"].partition(".")[0]
        content = {"name": table, "expectations": [content]}
    (tmp_path / f"{content['name']}.json").write_text(json.dumps(content), encoding="utf-8")
    rules, _ = suites.load(tmp_path, contracts.TABLES)
    assert rules[content["name"]]


@pytest.mark.slow
def test_the_rule_that_is_shown_can_be_computed(riverside, tmp_path):
    """The rule of the how-to page passes on the tutorial's calls, and a slow one would fail it."""
    from ccanalysis import checks, sources
    from ccanalysis.periods import Period

    page = DOCS / "how-to" / "add-a-rule.md"
    (rule,) = [json.loads(block.text) for block in blocks(page) if block.language == "json"]
    stricter = json.loads(json.dumps(rule))
    stricter["kwargs"]["max_value"], stricter["meta"]["id"] = 20, "contacts.call_waits_20_s"
    suite = {"name": "contacts", "expectations": [rule, stricter]}
    (tmp_path / "contacts.json").write_text(json.dumps(suite), encoding="utf-8")
    workspace = Workspace.open(riverside)
    staged = sources.stage(workspace)
    found = checks.check(staged.tables, tmp_path, period=Period.parse("2026-W18"), centre=workspace.centre)
    assert found.expectations.set_index("rule")["outcome"].to_dict() == {
        "contacts.call_waits_half_an_hour": "passed",
        "contacts.call_waits_20_s": "failed",
    }


# --- examples: Python -------------------------------------------------------------------------------------------------

TUTORIAL = DOCS / "tutorial.md"
PYTHON_PAGES = sorted({block.page for block in all_blocks("python", pages=OURS)} - {TUTORIAL})


@pytest.fixture(scope="module")
def riverside(follower, tmp_path_factory):
    """The workspace that the tutorial ends with."""
    folder = tmp_path_factory.mktemp("docs") / "riverside"
    page = TUTORIAL.read_text(encoding="utf-8")
    [command] = re.findall(r"^\$ ccanalysis (init .*)$", page, flags=re.M)
    typed = [{"../riverside": str(folder)}.get(word, word) for word in shlex.split(command)]
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(io.StringIO()):
        assert cli.main(typed) == 0
    for block in follower.blocks(page):
        follower.write_file(block, folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", PYTHON_PAGES, ids=shown)
def test_python_examples_run(page, riverside, monkeypatch):
    """The Python blocks of a page run one after the other, in the tutorial's workspace, and print what they say."""
    monkeypatch.chdir(riverside)
    space: dict[str, object] = {"__name__": "__docs__"}
    for block in blocks(page):
        if block.language == "python" and "fragment" not in block.words:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile("\n" * block.line + block.text, str(page), "exec"), space)
            space["_printed"] = out.getvalue()
        elif block.language == "text" and "output" in block.words:
            assert space["_printed"] == block.text, block.name


# --- the tutorial -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the tutorial's commands are those of a POSIX shell")
def test_the_tutorial_can_be_followed(follower, tmp_path):
    """Whoever writes the tutorial's files and types its commands sees what it shows."""
    text = TUTORIAL.read_text(encoding="utf-8")
    _, differences = follower.follow(text, tmp_path)
    assert differences == []


@pytest.mark.skipif(os.name == "nt", reason="the tutorial's commands are those of a POSIX shell")
def test_a_tutorial_that_shows_something_else_is_found(follower, tmp_path):
    """An output that differs and a sentence that is not on the page are both found; the output is put right."""
    page = (
        "```toml file=a.toml\nname = 1\n```\n"
        "```diff file=a.toml\n-name = 1\n+name = 2\n```\n"
        "```console\n$ cat a.toml\nname = 1\n```\n"
        "```console\n$ echo '<p>so<b>so</b></p>' > page.html\n```\n"
        "```text page=page.html\nso so\nso lala\n```\n"
    )
    text, differences = follower.follow(page, tmp_path)
    assert [(found.what, found.shown) for found in differences] == [
        ("console", "$ cat a.toml\nname = 1\n"),
        ("page.html", "so lala"),
    ]
    assert "$ cat a.toml\nname = 2\n" in text


# --- the README and the house -----------------------------------------------------------------------------------------


def test_the_first_screen_shows_both_commands_and_both_for_windows():
    """Whoever opens the README sees how to make the reports and pass the tests, also without make."""
    first = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:40])
    for command in (
        "make report",
        "make test",
        "uv run --no-project --python 3.11 tasks.py report",
        "uv run --no-project --python 3.11 tasks.py test",
    ):
        assert command in first


@pytest.mark.slow
def test_the_sentences_of_the_readme_are_those_of_a_report(riverside):
    """What the README quotes is what the tutorial's centre is told."""
    from ccanalysis import results, text

    quoted = re.findall(r"(?:^> .*\n)+", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.M)
    said = [" ".join(line.removeprefix("> ") for line in part.splitlines()) for part in quoted]
    week = results.compute(Workspace.open(riverside), "2026-W18")
    told = {text.verdict(row, period=week.period.short) for row in week.verdicts.to_dict("records")}
    assert len(said) == 2
    assert [sentence for sentence in said if sentence not in told] == []


def test_every_how_to_is_on_the_start_page():
    """One page per task, and all of them are listed."""
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    assert [path.name for path in sorted((DOCS / "how-to").glob("*.md")) if f"how-to/{path.name}" not in index] == []


NAME = r"[a-z]+(?:_[a-z0-9]+)+"


@pytest.mark.parametrize("page", OURS, ids=shown)
def test_every_name_in_a_sentence_is_a_name_of_the_project(page):
    """A `name_like_this` in running text is a column, measure, rule, setting or function that exists."""
    known = set()
    for folder, ending in (("src", "*.py"), ("src", "*.json"), ("expectations", "*.json")):
        for path in (ROOT / folder).rglob(ending):
            known |= set(re.findall(NAME, path.read_text(encoding="utf-8")))
    spans = [
        span for span in re.findall(r"`([^`]+)`", prose(page)) if "/" not in span
    ]  # paths have a test of their own
    named = {name for span in spans for name in re.findall(rf"\b{NAME}\b", span)}
    assert sorted(named - known) == []


AMERICAN = (
    r"\b(center|color|behavior|analyze[ds]?|organiz\w+|recogniz\w+|summariz\w+|fulfill|favorite|modeled|canceled)\b"
)


@pytest.mark.parametrize("page", WRITTEN, ids=shown)
def test_the_pages_are_in_british_english(page):
    """The project writes centre, colour and organise; code is left as it is."""
    text = re.sub(r"`[^`]*`|\]\([^)]*\)", "", prose(page))
    assert re.findall(AMERICAN, text, flags=re.I) == []


@pytest.mark.parametrize("page", WRITTEN, ids=shown)
def test_a_page_has_one_title_and_no_picture(page):
    """One first heading, on the first line; no image, so that every page reads in a terminal."""
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", prose(page), flags=re.M)) == 1
    assert "![" not in prose(page)
