"""Warm kernels: forked with everything imported and nothing computed, and gone when their client goes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from ccanalysis.reports.warm_kernels import NAME, ForkedKernel, WarmProvisioner

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux alone"),
]


@pytest.fixture
def kernel(monkeypatch):
    """A function that starts a kernel as a client of Jupyter does; all of them end with the test."""
    monkeypatch.setenv("JUPYTER_DEFAULT_PROVISIONER_NAME", NAME)
    WarmProvisioner.begin(wait=True)
    begun = []

    def start():
        manager, client = start_new_kernel(kernel_name="python3", startup_timeout=120)
        begun.append((manager, client))
        return manager, client

    yield start
    for manager, client in begun:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def said(client, code):
    """Return what code prints."""
    lines = []

    def heard(message):
        if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
            lines.append(message["content"]["text"])

    client.execute_interactive(code, output_hook=heard, timeout=60)
    return "".join(lines).strip()


def test_a_kernel_has_everything_imported_and_nothing_of_another(kernel):
    """Neither names nor random numbers pass from one to the next."""
    manager, client = kernel()
    assert isinstance(manager.provisioner.process, ForkedKernel)
    code = "import sys, numpy\nprint('ccanalysis.views' in sys.modules, 'mine' in globals(), numpy.random.rand())\n"
    code += "mine = 1"
    first = said(client, code).split()
    second = said(kernel()[1], code).split()
    assert first[:2] == second[:2] == ["True", "False"]
    assert first[2] != second[2]


def test_a_kernel_is_interrupted_and_begun_anew(kernel):
    """As JupyterLab's buttons do; after the restart nothing is left."""
    manager, client = kernel()
    asked = client.execute("import time\ntime.sleep(60)")
    time.sleep(1)
    manager.interrupt_kernel()
    answer = client.get_shell_msg(timeout=30)
    while answer["parent_header"].get("msg_id") != asked:
        answer = client.get_shell_msg(timeout=30)
    assert answer["content"]["ename"] == "KeyboardInterrupt"
    said(client, "mine = 1")
    manager.restart_kernel(now=True)
    client.wait_for_ready(timeout=60)
    assert said(client, "print('mine' in globals())") == "False"


def test_a_kernel_works_in_the_folder_and_with_the_environment_of_its_client(kernel, tmp_path, monkeypatch):
    """They were set after the warm process began."""
    kernel()
    monkeypatch.setenv("SAID_LATER", "yes")
    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=120, cwd=str(tmp_path))
    try:
        assert said(client, "import os\nprint(os.getcwd(), os.environ['SAID_LATER'])") == f"{tmp_path} yes"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_when_the_client_goes_the_warm_process_and_its_kernels_go(tmp_path):
    """Also where the client is killed."""
    code = (
        "import os, signal\nfrom jupyter_client.manager import start_new_kernel\n"
        "from ccanalysis.reports.warm_kernels import WarmProvisioner as W\nW.begin(wait=True)\n"
        "m, c = start_new_kernel(kernel_name='python3', startup_timeout=120)\n"
        "print(m.provisioner.pid, W._warm[0].pid, W._warm[1], flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = {**os.environ, "JUPYTER_DEFAULT_PROVISIONER_NAME": NAME}
    client = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    kernel_pid, warm_pid, folder = client.stdout.split()
    until = time.monotonic() + 30
    there = [Path("/proc") / kernel_pid, Path("/proc") / warm_pid, Path(folder)]
    while any(map(Path.exists, there)) and time.monotonic() < until:
        time.sleep(0.1)
    assert [path for path in there if path.exists()] == []


def test_what_is_no_kernel_of_this_python_and_what_cannot_be_forked_is_begun_as_ever(monkeypatch, kernel, tmp_path):
    """Another language's kernel; and a warm process that does not answer."""
    assert WarmProvisioner._forked(["R", "--slave"], {}) is None
    monkeypatch.setattr(WarmProvisioner, "begin", classmethod(lambda cls: tmp_path))  # not ready, and never will be
    manager, client = kernel()
    assert not isinstance(manager.provisioner.process, ForkedKernel)
    assert said(client, "print(1 + 1)") == "2"
