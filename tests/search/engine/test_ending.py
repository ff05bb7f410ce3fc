"""A stop ends within its grace, whatever the program is doing, and stays within the program."""

from __future__ import annotations

import contextlib
import importlib
import logging
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from search.engine import ending
from search.engine.signals import current_ending, ends_when_asked, handlers_kept

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1]
BEGIN = """
import os, signal, sqlite3, sys, time
from search.engine import ending
from search.engine.signals import current_ending, ends_when_asked, handlers_kept
ending.ENDS_WITHIN_S, ending.AT_ONCE_S = map(float, sys.argv[2:4])

def hang():
    path = sys.argv[1] + "/locked.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    locked = sqlite3.connect(path, timeout=60)
    print("ready", flush=True)
    locked.execute("BEGIN IMMEDIATE")  # in C, deaf to signals
"""


@contextmanager
def running(
    code: str, folder: Path, within: float = 60.0, at_once: float = 60.0
) -> Iterator[subprocess.Popen[str]]:
    """A program that has come so far as to say that it is ready."""
    command = [sys.executable, "-c", BEGIN + code, str(folder), str(within), str(at_once)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.3)  # it says so a few instructions before it hangs
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], bool]) -> None:
    """The watching thread sees a signal a moment after the main thread."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_it_leaves_time_before_a_preempted_program_is_killed() -> None:
    assert ending.AT_ONCE_S < ending.ENDS_WITHIN_S < 30


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_interrupts_and_what_it_was_is_put_back(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(ends_when_asked())
        assert not stop.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        wait_until(lambda: stop.asked)
    assert [signal.getsignal(each) for each in SIGNALS] == before
    assert not current_ending().asked


@pytest.mark.parametrize("number", SIGNALS)
def test_what_hangs_in_a_library_is_ended_by_force_after_its_last_act(
    tmp_path: Path, number: signal.Signals
) -> None:
    code = "with ends_when_asked() as stop, stop.at_last(lambda: os.write(1, b'cleaned up')): hang()"
    with running(code, tmp_path, within=0.3) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, "cleaned up")
    assert "the program did not stop in time and was ended; resume the sweep to continue" in err


def test_an_interrupt_that_python_passes_over_is_not_told_as_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Closing:
        def __init__(self, error: type[BaseException]) -> None:
            self._error = error

        def __del__(self) -> None:
            raise self._error

    told: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(lost.exc_type))
    hook = sys.unraisablehook
    with ends_when_asked():
        for error in (KeyboardInterrupt, ValueError):
            Closing(error)
    assert told == [ValueError]
    assert sys.unraisablehook is hook


def test_nothing_is_said_after_the_last_word(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with ends_when_asked() as stop:
        stop.last_word("interrupted")
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        wait_until(lambda: stop.left_s < float("inf"))
    assert capsys.readouterr().err == "interrupted\n"
    assert caplog.messages == []


def test_a_second_signal_shortens_the_grace(tmp_path: Path) -> None:
    with running("with ends_when_asked(): hang()", tmp_path, at_once=0.3) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)  # two at once are one
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


def test_what_is_done_in_time_may_take_longer_elsewhere(tmp_path: Path) -> None:
    """A script of one's own that goes on after `run_sweep` was interrupted is not ended."""
    code = """
try:
    with ends_when_asked():
        print("ready", flush=True)
        time.sleep(30)
except KeyboardInterrupt:
    time.sleep(0.6)
    print("went on", flush=True)
"""
    with running(code, tmp_path, within=0.3) as process:
        process.terminate()
        assert process.communicate(timeout=20)[0] == "went on\n"
        assert process.returncode == 0


def test_to_the_last_an_exit_that_hangs_is_ended_too(tmp_path: Path) -> None:
    code = """
try:
    with ends_when_asked(to_the_last=True):
        print("ready", flush=True)
        time.sleep(30)
except KeyboardInterrupt:
    hang()
"""
    with running(code, tmp_path, within=0.3) as process:
        process.terminate()
        assert process.wait(20) == 130


def test_a_clean_up_comes_to_its_end_before_a_signal_raises() -> None:
    done = []

    def clean_up(stop: ending.Ending) -> None:
        with stop.shielded():
            signal.raise_signal(signal.SIGTERM)
            done.append("shielded")
        done.append("after")

    with ends_when_asked() as stop, pytest.raises(KeyboardInterrupt):
        clean_up(stop)
    assert done == ["shielded"]


def test_within_another_it_adds_nothing() -> None:
    with ends_when_asked() as outer:
        handler = signal.getsignal(signal.SIGTERM)
        with ends_when_asked() as inner:
            assert inner is outer is current_ending()
        assert signal.getsignal(signal.SIGTERM) == handler


def test_off_the_main_thread_it_leaves_signals_alone() -> None:
    seen, before = [], signal.getsignal(signal.SIGTERM)  # a Ray's, if another test has started one

    def run() -> None:
        with ends_when_asked() as stop:
            seen.append((stop.asked, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [(False, before)]


def test_a_forked_child_that_is_terminated_is_no_stop(tmp_path: Path) -> None:
    """As a pool of processes ends its own."""
    code = """
with ends_when_asked() as stop:
    child = os.fork()
    if not child:
        time.sleep(30)
        os._exit(0)
    time.sleep(0.1)
    os.kill(child, signal.SIGTERM)
    ended = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGTERM
    time.sleep(0.2)
    assert not stop.asked
    print("ready", flush=True)
"""
    with running(code, tmp_path) as process:
        assert process.wait(20) == 0


def test_a_signal_to_the_whole_group_ends_nothing_that_ray_starts(tmp_path: Path) -> None:
    """Slurm sends SIGUSR1 to every process of a step; Ray forks in Python, then executes."""
    code = """
os.setsid()
with ends_when_asked() as stop:
    child = subprocess.Popen(["sh", "-c", "echo ready; sleep 1; exit 7"], preexec_fn=lambda: None)
    time.sleep(0.3)
    try:
        os.killpg(0, signal.SIGUSR1)
        time.sleep(20)
    except KeyboardInterrupt:
        assert child.wait() == 7
"""
    with running("import subprocess\n" + code, tmp_path) as process:
        assert process.wait(20) == 0


class _InterruptedHandler(logging.NullHandler):
    """While it takes its lock, a signal comes."""

    def handle(self, record: logging.LogRecord) -> bool:
        self.acquire()
        try:
            return True
        finally:
            self.release()

    def createLock(self) -> None:  # noqa: N802, its name in logging
        self.lock = threading.RLock()

    def acquire(self) -> None:
        super().acquire()
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGTERM)


class _InterruptedContext:
    """While it is entered, a signal comes; as a `threading.Condition` it takes a lock there, in Python."""

    def __init__(self) -> None:
        self.lock = threading.Lock()

    def __enter__(self) -> None:
        self.lock.acquire()
        signal.raise_signal(signal.SIGTERM)

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_a_stop_while_a_line_is_logged_leaves_the_log_to_others() -> None:
    logger = logging.getLogger("interrupted")
    logger.addHandler(handler := _InterruptedHandler())

    def log() -> None:
        logger.warning("a line")
        time.sleep(20)

    with ends_when_asked(), pytest.raises(KeyboardInterrupt):
        log()
    other = threading.Thread(target=logger.warning, args=["another line"], daemon=True)
    other.start()
    other.join(5)
    logger.removeHandler(handler)
    assert not other.is_alive()


def test_a_stop_while_a_context_is_entered_leaves_it_in_order() -> None:
    context = _InterruptedContext()

    def enter() -> None:
        with context:
            time.sleep(20)

    with ends_when_asked(), pytest.raises(KeyboardInterrupt):
        enter()
    assert not context.lock.locked()


def test_a_stop_while_modules_are_imported_leaves_them_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"interrupted_{number}" for number in range(40)]
    for name in names:
        (tmp_path / f"{name}.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def import_all() -> None:
        for name in names:
            sys.modules.pop(name, None)
            importlib.import_module(name)

    def import_until_stopped(after_s: float) -> None:
        signal.setitimer(signal.ITIMER_VIRTUAL, after_s)
        while True:
            import_all()

    # By a clock of its own: it comes in the middle of things, as no thread that waits for the GIL does, and
    # the real-time one is the test's time limit.
    before = signal.signal(signal.SIGVTALRM, lambda number, frame: current_ending().handle(number, frame))
    try:
        for number in range(1, 101):
            with ends_when_asked(), pytest.raises(KeyboardInterrupt):
                import_until_stopped(number * 8e-5)
            other = threading.Thread(target=import_all, daemon=True)
            other.start()
            other.join(5)
            assert not other.is_alive()
    finally:
        signal.signal(signal.SIGVTALRM, before)


class _Interrupted:
    """In whose destructor a signal comes."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stop_that_python_passed_over_is_not_lost() -> None:
    with ends_when_asked() as asked:
        asked.check()
        made = _Interrupted()
        del made  # which raises nothing, whatever its destructor does
        with pytest.raises(KeyboardInterrupt):
            asked.check()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_librarys_own_exit_that_python_passed_over_is_a_stop_too() -> None:
    def start() -> None:
        with handlers_kept():
            signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))  # as Ray's, while it starts
            made = _Interrupted()
            del made
            time.sleep(20)

    with ends_when_asked(), pytest.raises(KeyboardInterrupt):
        start()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stop_that_python_passed_over_comes_again_by_itself() -> None:
    def lose_one() -> None:
        made = _Interrupted()
        del made
        time.sleep(20)

    with ends_when_asked() as asked:
        with pytest.raises(KeyboardInterrupt):
            lose_one()
        assert asked.left_s > ending.AT_ONCE_S, "it is no second signal"


@pytest.mark.parametrize("handler", ["None", "signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))"])
def test_a_stop_that_comes_while_the_program_forks_is_neither_lost_nor_harmful(handler: str) -> None:
    """Logging's lock is held around a fork: an error where it is given back left it locked for good."""
    code = f"""
import logging, os, signal, subprocess, sys, time
def release():  # as the hook of a library that was imported earlier
    signal.raise_signal(signal.SIGTERM)
    released.append(True)
released = []
os.register_at_fork(after_in_parent=release)
from search.engine.signals import ends_when_asked, handlers_kept
try:
    with ends_when_asked(), handlers_kept():
        {handler}
        subprocess.Popen(["true"], preexec_fn=lambda: None).wait()
        print("forked", flush=True)
        time.sleep(20)
except KeyboardInterrupt:
    print("interrupted", released)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=15, check=False
    )
    assert ran.stdout == "forked\ninterrupted [True]\n", ran.stderr


def test_a_stop_that_meets_a_librarys_own_handler_is_not_lost() -> None:
    def start() -> None:
        with handlers_kept():
            signal.signal(signal.SIGTERM, lambda number, frame: None)
            signal.raise_signal(signal.SIGTERM)
            wait_until(lambda: current_ending().asked)

    with ends_when_asked(), pytest.raises(KeyboardInterrupt):
        start()
