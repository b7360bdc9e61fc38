"""The child process and its messages: limits, what is printed, and that nothing is left behind."""

import gc
import os
import signal
import subprocess
import sys

import psutil
import pytest
from command import PATIENCE, wait_until

from grad_ext.adapters.isolation import Child, MemoryLimit, ProcessDied, TimeLimit

MIB = 2**20
# What a child does with each of its messages.
CHILD = """
import os, signal, subprocess, sys, time
from grad_ext.adapters.isolation import serve

def work(receive, send):
    while True:
        command, _, rest = receive().partition(b" ")
        if command == b"echo":
            print("chatter on the standard output")
            send(rest)
        elif command == b"die":
            print(rest.decode())
            print("last words", file=sys.stderr)
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGSEGV)
        elif command == b"end":
            return
        elif command == b"eat":
            eaten = [b"1" * 2**20 for _ in range(int(rest))]
            send(b"eaten")
            time.sleep(1000)
        elif command == b"start":
            child = subprocess.Popen(["sleep", "1000"], start_new_session=rest == b"session")
            send(str(child.pid).encode())
        elif command == b"hang":
            time.sleep(1000)

serve(work)
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that a child can import."""
    (tmp_path / "isolated_child.py").write_text(CHILD)
    path = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    return "isolated_child"


def gone(pid):
    """Whether a process has ended; its parent may not have reaped it yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_messages_of_any_size_in_their_order(module):
    child = Child(module)
    messages = [b"", b"one", bytes(range(256)) * 40_000, b"two\nlines"]
    for message in messages:
        child.send(b"echo " + message)
    assert [child.receive(PATIENCE) for _ in messages] == messages
    child.close()
    assert gone(child.pid)


def test_a_child_that_takes_too_long_is_ended(module):
    child = Child(module)
    child.send(b"echo here")
    assert child.receive(PATIENCE) == b"here"
    # The child does not read what does not fit into the pipe.
    child.send(b"hang")
    child.send(b"echo " + bytes(2 * MIB))
    with pytest.raises(TimeLimit, match=r"0\.2 seconds"):
        child.receive(0.2)
    assert not psutil.pid_exists(child.pid)
    with pytest.raises(ProcessDied):
        child.receive(PATIENCE)


def test_a_child_that_holds_too_much_memory_is_ended(module):
    child = Child(module)
    child.send(b"eat 300")
    assert child.receive(PATIENCE, 1000 * MIB) == b"eaten"
    with pytest.raises(MemoryLimit, match=r"more than 0\.20 GiB"):
        child.receive(PATIENCE, 205 * MIB)
    assert child.most > 300 * MIB
    assert not psutil.pid_exists(child.pid)


def test_a_child_that_dies_leaves_its_code_and_last_words(module):
    child = Child(module)
    child.send(b"die first words")
    with pytest.raises(ProcessDied, match=f"code {-signal.SIGSEGV}: first words last words"):
        child.receive(PATIENCE)
    child = Child(module)
    child.printed_from = len("first")
    child.send(b"die first words")
    with pytest.raises(ProcessDied, match=f"code {-signal.SIGSEGV}: words last words"):
        child.receive(PATIENCE)


def test_a_child_that_is_done_ends_by_itself(module):
    child = Child(module)
    child.send(b"end")
    with pytest.raises(ProcessDied, match="code 0"):
        child.receive(PATIENCE)


@pytest.mark.parametrize("where", [b"group", b"session"])
def test_what_a_child_started_ends_with_it(module, where):
    child = Child(module)
    child.send(b"start " + where)
    started = int(child.receive(PATIENCE))
    assert psutil.pid_exists(started)
    child.close()
    wait_until(lambda: gone(started))
    assert not psutil.pid_exists(child.pid)


def test_a_child_ends_when_it_is_collected(module):
    child = Child(module)
    pid = child.pid
    child.send(b"echo here")
    assert child.receive(PATIENCE) == b"here"
    del child
    gc.collect()
    assert not psutil.pid_exists(pid)


PARENT = """
import sys, threading, time
from grad_ext.adapters.isolation import Child

def start():
    child = Child("isolated_child")
    child.send(b"echo here")
    child.receive()
    children.append(child)
    child.send(b"hang")

children = []
if sys.argv[1] == "thread":
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
else:
    start()
print(children[0].pid, flush=True)
time.sleep(0.2)
print("later", flush=True)
time.sleep(1000)
"""


@pytest.mark.parametrize("where", ["main", "thread"])
def test_a_child_lives_as_long_as_its_parent(module, where):
    """Also if the thread that started it ends before."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, where], stdout=subprocess.PIPE, text=True
    ) as parent:
        pid = int(parent.stdout.readline())
        # A signal at the end of the thread would have come by now.
        parent.stdout.readline()
        assert not gone(pid)
        parent.kill()
    wait_until(lambda: gone(pid))


def test_ctrl_c_is_the_parents(module):
    child = Child(module)
    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
    child.close()
