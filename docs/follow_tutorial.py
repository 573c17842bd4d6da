"""Follow the tutorial: write its files, run its commands, and hold what it shows against what is seen.

`python docs/follow_tutorial.py --write` puts what is seen into the page; a test follows it the same way. Blocks:

- `toml file=NAME`, `yaml file=NAME`: the reader writes this file;
- `diff file=NAME`: the reader changes these lines of it;
- `console`: lines after `$` are typed, the others are what they print;
- `text page=NAME`: each line stands on this page of the reports, tags and blanks aside. A line that ends with `..` is
  the beginning of what stands there.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
TUTORIAL = DOCS / "tutorial.md"
NEEDED = ("docs", "expectations", "notebooks")
PROGRAM = "#!{python}\nimport sys\nfrom ccanalysis.cli import main\nsys.exit(main())\n"


@dataclass
class Block:
    """A fenced block.

    Attributes:
        line: Line of its opening fence, from 1.
        language: First word behind the fence.
        options: `key=value` words behind it.
        text: What is inside.
    """

    line: int
    language: str
    options: dict[str, str]
    text: str


@dataclass
class Difference:
    """Something that is not as the page shows it.

    Attributes:
        line: Where on the page.
        what: The command, or the page of the reports.
        shown: What the page shows.
        seen: What was seen.
    """

    line: int
    what: str
    shown: str
    seen: str


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    found = []
    for match in re.finditer(r"^```(.*)\n((?:(?!```).*\n)*)```$", text, flags=re.M):
        words = match[1].split()
        options = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(line, words[0] if words else "", options, match[2]))
    return found


def visible(page: Path) -> str:
    """Return the text of a page of the reports, one blank between words."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", text, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def steady(output: str) -> str:
    """Return an output without what differs between machines: how long things took."""
    return re.sub(r"(?m)^seconds: .*$", "seconds: ..", output)


class Reader:
    """Somebody who does what the tutorial says, in a folder with a copy of the checkout."""

    def __init__(self, folder: Path) -> None:
        self.here = folder / "ccanalysis"
        self.here.mkdir(parents=True)
        for name in NEEDED:
            (self.here / name).symlink_to(ROOT / name)
        programs = folder / "bin"
        programs.mkdir()
        program = programs / "ccanalysis"
        program.write_text(PROGRAM.format(python=sys.executable), encoding="utf-8")
        program.chmod(0o755)
        path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        self.environment = {**os.environ, "PATH": path, "COLUMNS": "100", "PYTHONPATH": str(ROOT / "src")}

    def type(self, command: str) -> str:
        """Run one command and return what it printed.

        Raises:
            RuntimeError: It ended with an error.
        """
        if command.startswith("cd "):
            self.here = (self.here / command[3:]).resolve()
            return ""
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self.here,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command!r} ended with exit code {done.returncode}: {done.stdout}{done.stderr}")
        return steady(done.stdout)


def change(path: Path, diff: str) -> None:
    """Change lines of a file as a diff says.

    Raises:
        RuntimeError: The lines to be changed are not there exactly once.
    """
    text = path.read_text(encoding="utf-8")
    old = "".join(line[1:] for line in diff.splitlines(keepends=True) if line.startswith(("-", " ")))
    new = "".join(line[1:] for line in diff.splitlines(keepends=True) if line.startswith(("+", " ")))
    if text.count(old) != 1:
        raise RuntimeError(f"{path.name} has the lines to be changed {text.count(old)} times")
    path.write_text(text.replace(old, new), encoding="utf-8")


def write_file(block: Block, folder: Path) -> bool:
    """Write or change the file that a block is about, if it is about one."""
    if "file" not in block.options:
        return False
    path = folder / block.options["file"]
    if block.language == "diff":
        change(path, block.text)
    else:
        path.write_text(block.text, encoding="utf-8")
    return True


def follow(text: str, folder: Path) -> tuple[str, list[Difference]]:
    """Do what a page says.

    Args:
        text: The page.
        folder: An empty folder.

    Returns:
        The page with the outputs that were seen, and what differed from it.
    """
    reader, differences = Reader(folder), []
    for block in blocks(text):
        if write_file(block, reader.here):
            continue
        if "page" in block.options:
            seen = visible(reader.here / block.options["page"])
            for line in block.text.splitlines():
                wanted = " ".join(line.removesuffix("..").split())
                if wanted not in seen:
                    differences.append(Difference(block.line, block.options["page"], line, seen))
        elif block.language == "console":
            printed = ""
            for command in re.findall(r"^\$ (.*)$", block.text, flags=re.M):
                printed += f"$ {command}\n{reader.type(command)}"
            if printed != block.text:
                differences.append(Difference(block.line, "console", block.text, printed))
                text = text.replace(f"```console\n{block.text}```", f"```console\n{printed}```")
    return text, differences


def main() -> int:
    """Follow the tutorial and say what differs; with `--write`, put the outputs that were seen into it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put what was seen into the page")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text, differences = follow(TUTORIAL.read_text(encoding="utf-8"), Path(folder))
    for difference in differences:
        print(f"docs/tutorial.md:{difference.line}: {difference.what}\n{difference.shown}\n--- seen\n{difference.seen}")
    if options.write:
        TUTORIAL.write_text(text, encoding="utf-8", newline="\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
