"""What reports cost after hundreds of them, and what is left when a run is killed.

    python benchmarks/endurance.py --reports 500 --kills 200

Reports: one after the other in one process; memory, open files, children and temporary files are printed after the
20th, the 200th and the last, and what the 10th and the 500th cost (medians of ten). Kills: a process that publishes
trees without end is killed by signal 9 at random moments; what readers see must be whole every time. With
`--every-fault` the tests of `tests/reports/test_faults_of_a_run.py` and of org charts run at their full length.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reporting import data, notebook

from ccanalysis.reports import execute as executing
from ccanalysis.reports.execute import Job, execute
from ccanalysis.reports.publish import recover, verify
from ccanalysis.reports.scratch import clear_stale

ROOT = Path(__file__).resolve().parent.parent
PUBLISHER = """
import sys
from pathlib import Path
from ccanalysis.reports.publish import publish
built, target = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
while True:
    for version in "ab":
        publish(built / version, target, {"version": version})
"""


def state(folder: Path) -> str:
    """Say what this process and the warm one hold: memory in MiB, open files, children, temporary files."""
    warm = executing._process[0].process.pid if executing._process else os.getpid()
    memory = [_resident(pid) for pid in (os.getpid(), warm)]
    files = [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in (os.getpid(), warm)]
    children = [len(_children(pid)) for pid in (os.getpid(), warm)]
    left = [path for path in folder.iterdir() if not executing._process or path != executing._process[0].folder]
    return f"memory {memory} MiB, open files {files}, children {children}, temporary files {len(left)}"


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


def many(reports: int) -> None:
    """Make reports one after the other and print what they cost and leave."""
    with tempfile.TemporaryDirectory() as name:
        folder, scratch = Path(name), Path(name) / "t"
        scratch.mkdir()
        tempfile.tempdir = str(scratch)
        os.environ["TMPDIR"] = str(scratch)
        (path,) = data(folder, 1)
        source = notebook(folder / "ours.ipynb", plain=False)
        jobs = [
            Job(
                notebook=source,
                parameters={"team": f"Team {number}", "data_path": str(path)},
                output=folder / f"{number}.html",
                title="Team",
                key=str(number),
            )
            for number in range(reports)
        ]
        seconds: list[float] = []

        def made(outcome: executing.Outcome) -> None:
            assert outcome.ok, outcome.error
            seconds.append(outcome.seconds)
            outcome.job.output.unlink()
            if len(seconds) in (20, 200, reports):
                time.sleep(0.2)
                print(f"after report {len(seconds)}: {state(scratch)}")

        execute(jobs, progress=made)
        early, late = statistics.median(seconds[5:15]), statistics.median(seconds[-10:])
        print(f"seconds of the 10th report {early:.3f}, of the last {late:.3f}: ratio {late / early:.2f}")
        print(f"left when all is done: {[path.name for path in scratch.iterdir()]}")
        tempfile.tempdir = None


def kills(count: int) -> None:
    """Kill a publisher at random moments and print how often a reader would have seen a broken tree."""
    draw = random.Random(46)
    with tempfile.TemporaryDirectory() as name:
        folder, broken = Path(name), 0
        for version in "ab":
            for number in range(40):
                path = folder / "built" / version / f"{number}.html"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(version * 5000)
        target = folder / "reports" / "2026-W46"
        command = [sys.executable, "-c", PUBLISHER, str(folder / "built"), str(target)]
        for _ in range(count):
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert process.stdout
            process.stdout.readline()
            while not target.exists():
                time.sleep(0.001)
            time.sleep(draw.random() * 0.05)
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdout.close()
            pages = {path.read_text()[0] for path in target.glob("*.html")}
            broken += bool(verify(target)) or len(pages) != 1
            recover(target)
        left = [path.name for path in target.parent.iterdir() if path != target]
        print(f"killed {count} times: {broken} torn or missing trees; left after recovery: {left}")
        clear_stale()


def every_fault() -> None:
    """Run the tests that are cut short elsewhere."""
    tests = ["tests/reports/test_faults_of_a_run.py", "tests/editions"]
    environment = {**os.environ, "CCANALYSIS_ENDURANCE": "1"}
    subprocess.run([sys.executable, "-m", "pytest", "-q", *tests], cwd=ROOT, env=environment, check=True)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reports", type=int, default=500)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--every-fault", action="store_true")
    options = parser.parse_args()
    if options.reports:
        many(options.reports)
    if options.kills:
        kills(options.kills)
    if options.every_fault:
        every_fault()


if __name__ == "__main__":
    main()
