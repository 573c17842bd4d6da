"""The files of the sample centre: the same bytes everywhere, small enough, and declared in the workspace."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ccanalysis.errors import SettingsError
from ccanalysis.samples import write
from ccanalysis.workspace import Workspace

ROOT = Path(__file__).parents[2]
SCRIPT = "import sys; from pathlib import Path; from ccanalysis.samples import write; write(Path(sys.argv[1]), weeks=2)"


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_in_another_zone_locale_and_hash_seed(tmp_path):
    """Nothing of the machine reaches a file."""
    found = []
    for zone, language, hash_seed in (("UTC", "C", "0"), ("Pacific/Auckland", "de_DE.UTF-8", "77")):
        folder = tmp_path / hash_seed
        environment = {**os.environ, "TZ": zone, "LC_ALL": language, "PYTHONHASHSEED": hash_seed}
        subprocess.run([sys.executable, "-c", SCRIPT, str(folder)], check=True, env=environment)
        found.append(digests(folder))
    assert found[0] == found[1]
    assert len(found[0]) > 18


def test_another_seed_gives_other_contacts(tmp_path):
    """The seed is used."""
    write(tmp_path / "a", weeks=1, seed=1)
    write(tmp_path / "b", weeks=1, seed=2)
    name = "chat/chats_2026-W46.csv"
    assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()


def test_a_month_is_no_last_week(tmp_path):
    with pytest.raises(SettingsError) as error:
        write(tmp_path, last="2026-11")
    assert str(error.value) == "the last week '2026-11' is not an ISO week. Give it as 2026-W46"


def test_the_repository_is_a_workspace_whose_every_source_has_files():
    """Every declared glob finds something, and every file of the samples is declared."""
    workspace = Workspace.open(ROOT)
    found = {path for source in workspace.sources for path in workspace.files_of(source)}
    kinds = (".csv", ".tsv", ".xlsx", ".parquet")
    there = {path for path in (ROOT / "data/samples").rglob("*") if path.suffix in kinds}
    assert found == there


def test_the_samples_stay_below_ten_megabytes():
    """They live in git."""
    total = sum(path.stat().st_size for path in (ROOT / "data/samples").rglob("*") if path.is_file())
    assert total < 10_000_000


@pytest.mark.slow
def test_the_committed_samples_are_what_the_generator_writes(tmp_path):
    """Text is compared byte by byte; workbooks and Parquet by their values, for libraries may pack them otherwise."""
    import openpyxl
    import pyarrow.parquet as pq

    write(tmp_path)
    committed = ROOT / "data/samples"
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    own = {Path("README.md"), Path(".gitattributes")}
    there = {path.relative_to(committed) for path in committed.rglob("*") if path.is_file()} - own
    assert set(made) == there
    for name in made:
        first, second = tmp_path / name, committed / name
        if name.suffix == ".parquet":
            assert pq.read_table(first).equals(pq.read_table(second)), name
        elif name.suffix == ".xlsx":
            pages = [openpyxl.load_workbook(path, read_only=True).worksheets[-1] for path in (first, second)]
            assert list(pages[0].values) == list(pages[1].values), name
        else:
            assert first.read_bytes() == second.read_bytes(), name
