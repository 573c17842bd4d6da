"""Everything that is done with this repository: set up once, then run, test, measure. Needs only Python 3.11+.

`python tasks.py report` and `python tasks.py test` are what `make report` and `make test` call; they work the same on
Windows. A second call does not set up again, unless the lock or the packaging changed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "ccanalysis-setup"
LOCK = ROOT / "requirements.lock"
SPARK = ROOT / "requirements-spark.lock"


def run(*command: str | Path, check: bool = True, **more: str) -> int:
    """Run a command in the repository; end with its exit code where it fails."""
    code = subprocess.run([str(part) for part in command], cwd=ROOT, env={**os.environ, **more}, check=False).returncode
    if check and code:
        sys.exit(code)
    return code


def wanted() -> str:
    """Return what the set-up depends on, as a hash."""
    parts = [sys.version.encode(), LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes()]
    return hashlib.sha256(b"\n".join(parts)).hexdigest()


def setup() -> None:
    """Make `.venv` with exactly the locked packages, bytecode compiled, unless it is there."""
    if STAMP.is_file() and STAMP.read_text() == wanted():
        return
    begin = time.perf_counter()
    print("Setting up (once; about three minutes) ...", file=sys.stderr, flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    try:
        venv.create(VENV, with_pip=True)
    except subprocess.CalledProcessError:
        sys.exit("Python has no 'venv' with pip here. On Debian: apt install python3-venv")
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    run(*pip, "install", "--compile", "--require-hashes", "-r", LOCK)
    run(*pip, "install", "--no-deps", "--no-build-isolation", "--editable", ROOT)
    run(PYTHON, "-m", "compileall", "-q", ROOT / "src", PYTHONDONTWRITEBYTECODE="")
    STAMP.write_text(wanted())
    print(f"Set up in {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)


def setup_spark() -> None:
    """Add Spark for the tests that compare engines, where this machine has a Java for it to run on."""
    stamp = VENV / "ccanalysis-spark"
    locked = hashlib.sha256(SPARK.read_bytes()).hexdigest()
    if shutil.which("java") is None or (stamp.is_file() and stamp.read_text() == locked):
        return
    print("Setting up Spark for the tests (once; about a minute) ...", file=sys.stderr, flush=True)
    run(PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--require-hashes", "-r", SPARK)
    stamp.write_text(locked)


def report(rest: list[str]) -> int:
    """Run the main job on the sample centre."""
    return run(BIN / "ccanalysis", "run", *rest, check=False)


def test(rest: list[str]) -> int:
    """Run the whole suite: tests, doctests, then the notebooks by nbval; say what was skipped and why."""
    setup_spark()
    code = run(PYTHON, "-m", "pytest", "-n", "2", "--dist", "loadfile", "-rs", *rest, check=False)
    if rest:
        return code
    notebooks = run(
        PYTHON,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "--override-ini=addopts=",
        "-q",
        "--nbval-lax",
        "notebooks",
        check=False,
        JUPYTER_DEFAULT_PROVISIONER_NAME="ccanalysis-warm",
    )
    return code or notebooks


def bench(rest: list[str]) -> int:
    """Measure: ratios within one run, seconds and memory per stage."""
    scripts = [ROOT / "benchmarks" / f"{name}.py" for name in rest] or sorted((ROOT / "benchmarks").glob("*.py"))
    return max(run(PYTHON, script, check=False) for script in scripts)


def lint(rest: list[str]) -> int:
    """Check style and types."""
    codes = [
        run(PYTHON, "-m", "ruff", "check", ".", check=False),
        run(PYTHON, "-m", "ruff", "format", "--check", ".", check=False),
        run(PYTHON, "-m", "mypy", check=False),
    ]
    return max(codes)


def docs(rest: list[str]) -> int:
    """Write the reference pages from docstrings, contracts and the command line's help."""
    return run(PYTHON, ROOT / "docs" / "write_reference.py", *rest, check=False)


TASKS = {"setup": lambda rest: 0, "report": report, "test": test, "bench": bench, "lint": lint, "docs": docs}


def main() -> int:
    """Set up, then do one task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=TASKS)
    options, rest = parser.parse_known_args()
    setup()
    return TASKS[options.task](rest)


if __name__ == "__main__":
    sys.exit(main())
