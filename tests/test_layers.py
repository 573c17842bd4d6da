"""The layout: a module imports only from those above it, and the package itself is quick to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "ccanalysis"
ORDER = [
    "errors",
    "imports",
    "periods",
    "contracts",
    "engine",
    "dialects",
    "warehouse",
    "partitions",
    "vendors",
    "outgoing",
    "workspace",
    "sources",
    "checks",
    "kpis",
    "statistics",
    "text",
    "verdicts",
    "findings",
    "actions",
    "drivers",
    "results",
    "questions",
    "display",
    "disclosure",
    "editions",
    "charts",
    "views",
    "explore",
    "export",
    "reports",
    "samples",
    "init",
    "cli",
]


def layer(path: Path) -> str:
    """Return the top-level name a file belongs to."""
    part = path.relative_to(SOURCE).parts[0]
    return part.removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Return the top-level names of ccanalysis that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ccanalysis":
            parts = node.module.split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("ccanalysis.")}
    return names - {"__version__"}


FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_a_module_imports_only_from_those_above_it(path):
    """The order of the design is the order of imports."""
    own = layer(path)
    assert own in ORDER, f"{own} has no place in the order"
    later = [name for name in imported(path) if name != own and ORDER.index(name) > ORDER.index(own)]
    assert later == []


def test_importing_the_package_loads_nothing_heavy():
    """`import ccanalysis` is what every command pays; heavy libraries load where they are used."""
    code = "import sys, ccanalysis, ccanalysis.cli; print(' '.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"pandas", "numpy", "duckdb", "great_expectations", "plotly", "papermill", "nbconvert", "scipy"}
    assert heavy & set(loaded) == set()


def test_checks_do_without_the_grammar_that_jsonschema_would_compile():
    """It costs a second or more and checks only internationalised addresses, which nothing here has."""
    code = (
        "import sys; from ccanalysis.imports import skip_slow_import; skip_slow_import(); import jsonschema; "
        "print('rfc3987_syntax.syntax_helpers' in sys.modules, sys.modules['rfc3987_syntax'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "None"]


@pytest.mark.parametrize("module", ["ccanalysis.checks.suites", "ccanalysis.checks.run"])
def test_suites_and_checks_say_so_before_they_import_it(module):
    """Reading a suite, and opening Great Expectations, both leave it out."""
    asked = {
        "ccanalysis.checks.suites": "from ccanalysis.checks import suites\n"
        "from ccanalysis.contracts import TABLES\n"
        f"from pathlib import Path\nsuites.load(Path({str(SOURCE.parents[1] / 'expectations')!r}), TABLES)",
        "ccanalysis.checks.run": "import duckdb\nfrom ccanalysis.checks.run import decide\n"
        "decide(duckdb.connect(), {}, {})",
    }[module]
    code = f"import sys\n{asked}\nprint('jsonschema' in sys.modules, 'rfc3987_syntax.syntax_helpers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]
