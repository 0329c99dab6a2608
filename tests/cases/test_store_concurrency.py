"""Several threads and processes use one case store; a crash leaves the old case or the new one."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from tests.cases.examples import AGREE, SAME, posix, refusal, sha
from utils.cases import store as case_store
from utils.cases.store import Answer, CaseStore
from utils.paths import REPOSITORY

# Saves one case in a loop, all its words in turn "a" and "b", and so long that a write takes a while.
WRITER = """
import sys
from pathlib import Path
from utils.cases.store import Answer, CaseStore
from utils.cases.reviews import Review
store = CaseStore.open(Path(sys.argv[1]))
while True:
    for letter in "ab":
        answer = Answer("cnn", 3_000_000 * letter, letter, {letter: 1.0})
        store.save(64 * "0", "Scan 1", Review("unsure", None, 1000 * letter), [answer])
        print(letter, flush=True)
"""
# Is ended by the kernel as soon as the store's file has grown by half of what is to be written.
STOPPED_WRITER = """
import resource, signal, sys
from pathlib import Path
from utils.cases.store import Answer, CaseStore
from utils.cases.reviews import Review
store = CaseStore.open(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
store.save(64 * "0", "Scan 1", Review("unsure"), [Answer("cnn", 1_000_000 * "a", "glioma", {})])
"""


def test_threads_may_open_and_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "cases.sqlite3"
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(3):
                store = CaseStore.open(path, create=True)
                store.save(sha(10 * number + step), f"Scan {number}", AGREE, SAME)
                store.save(sha(99), "shared", AGREE, SAME)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures and len(CaseStore.open(path).cases()) == 4 * 3 + 1


def test_a_store_that_is_busy_for_too_long_says_so(store: CaseStore, monkeypatch) -> None:
    monkeypatch.setattr(case_store, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "in use by another program" in refusal(lambda: store.delete(sha(1)), store.path)


@posix
def test_a_process_killed_while_it_writes_leaves_the_old_case_or_the_new_one(store: CaseStore) -> None:
    for attempt in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(1 + attempt):
            writer.stdout.readline()
        time.sleep(0.003 * attempt)  # another moment of the write each time
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        (case,) = CaseStore.open(store.path).cases()
        letter = case.review.note[0]
        assert case.review.note == 1000 * letter
        assert case.answers == (Answer("cnn", 3_000_000 * letter, letter, {letter: 1.0}),)


@posix
def test_a_process_stopped_half_way_through_the_file_leaves_the_old_case(store: CaseStore) -> None:
    store.save(sha(0), "Scan 1", AGREE, SAME)
    before = store.cases()
    writer = subprocess.run([sys.executable, "-c", STOPPED_WRITER, str(store.path)], cwd=REPOSITORY)
    assert writer.returncode == -signal.SIGXFSZ
    assert 100_000 < store.path.stat().st_size <= 500_000  # it was half way
    assert CaseStore.open(store.path).cases() == before
