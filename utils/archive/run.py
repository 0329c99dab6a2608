"""A run over an archive: list the files, read the shards that are missing, count the rows. The same call goes on."""

from __future__ import annotations

import datetime
import fcntl
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from utils.archive import cluster, manifest
from utils.archive.cluster import Workers
from utils.archive.errors import STOPPING, ArchiveRunError
from utils.archive.inference import run_cards, versions
from utils.archive.machine_check import problem
from utils.archive.progress import Progress
from utils.archive.rows import result_schema
from utils.archive.run_record import RUN, Counts, Novelty, Run, read_run
from utils.archive.storage import resolved
from utils.archive.writer import ROWS, ShardWriter, finished_shards
from utils.networks.card_facts import NoveltyFacts
from utils.networks.cards import Card
from utils.networks.registry import is_segmenter
from utils.networks.runtime.choice import chosen
from utils.paths import current_commit, file_sha256
from utils.records.acceptance import SiteProfile
from utils.records.base import write_record

TASK_SIZE = 64  # slices that a worker gets at once: a multiple of the batch of the networks
TASKS_PER_WORKER = 256  # in one stream: it bounds the memory of the driver, and networks load anew for each
ROUNDS = 3  # the first with whole tasks, the others with single units
NOT_LISTED = "Some files could not be listed because workers failed; run the same command again."
GAVE_UP = "This file ended the program that read it several times; read it alone."


@dataclass(frozen=True)
class Settings:
    """What a run reads and how; `workers` may change when it goes on. `site_profile`: None without one."""

    sources: Sequence[str]
    output: Path
    shard_size: int
    workers: Workers
    command: str
    site_profile: SiteProfile | None = None


def read_archive(settings: Settings) -> Run:
    """Read all sources into `output`, or what is missing there. Returns the record of the finished run.

    Raises ArchiveRunError, NetworkUnavailable and OSError.
    """
    began = time.monotonic()
    sources = resolved(settings.sources)
    cards = run_cards()
    settings.output.mkdir(parents=True, exist_ok=True)
    with _locked(settings.output):
        run = read_run(settings.output)
        if run is not None:
            _check_same(run, sources, cards, settings)
            if run.counts is not None:
                return run
        with cluster.running(settings.workers) as count:
            if settings.workers.address:
                cluster.check_machines(problem, sources, versions(cards), chosen())
            if run is None:
                run = _prepare(settings, sources, cards)
            rows = _read_missing(settings.output, run, count, settings.workers.threads)
        run = run.model_copy(update={"counts": _count(settings.output, rows, time.monotonic() - began)})
        write_record(settings.output / RUN, run)
    return run


def _check_same(run: Run, sources: list[str], cards: list[Card], settings: Settings) -> None:
    """Raises ArchiveRunError where the folder holds another run than the one that is asked for."""
    different = [
        word
        for word, is_same in (
            ("sources", list(run.sources) == sources),
            ("networks", dict(run.models) == versions(cards)),
            ("runtime", run.runtime == chosen()),
            ("shard size", run.shard_size == settings.shard_size),
            ("site profile", run.site_profile == settings.site_profile),
        )
        if not is_same
    ]
    if different:
        raise ArchiveRunError(
            f"{settings.output} holds a run with other {' and '.join(different)}; choose another output."
        )


def _prepare(settings: Settings, sources: list[str], cards: list[Card]) -> Run:
    """List all files and write the manifest, then the record: a folder with a record has a whole manifest."""
    listed = list(manifest.list_files(sources))
    tables = list(_until_stopped(cluster.list_parts(listed)))
    if len(pc.unique(_positions(tables))) < len(_positions(listed)):  # workers failed again and again
        raise ArchiveRunError(NOT_LISTED)
    parts = pa.concat_tables(tables)
    files = manifest.divided(parts, settings.shard_size)
    manifest.write(settings.output, files)
    run = Run(
        sources=tuple(sources),
        classifiers=tuple(card.name for card in cards if not is_segmenter(card.name)),
        models=versions(cards),
        novelty={card.name: _novelty(card.novelty) for card in cards if card.novelty},
        runtime=chosen(),
        shard_size=settings.shard_size,
        files=len(files),
        units=files["unit"][-1].as_py() + 1,
        shards=files["shard"][-1].as_py() + 1,
        manifest_sha256=file_sha256(settings.output / manifest.MANIFEST),
        command=settings.command,
        date=datetime.date.today().isoformat(),
        commit=current_commit(),
        site_profile=settings.site_profile,
    )
    write_record(settings.output / RUN, run)
    return run


def _positions(tables: Sequence[pa.Table]) -> pa.ChunkedArray:
    return pa.chunked_array([table["position"].combine_chunks() for table in tables], pa.int64())


def _novelty(facts: NoveltyFacts) -> Novelty:
    return Novelty(
        unusual=facts.unusual,
        refused=facts.refused,
        n=facts.fitted_on.validation,
        share_above_unusual=facts.validation.unusual_or_refused,
        share_above_refused=facts.validation.refused,
    )


def _read_missing(output: Path, run: Run, count: int, threads: int) -> int:
    """Read the shards whose files are missing; returns the rows that were written."""
    writer = ShardWriter(output, result_schema(run.classifiers, list(run.models)))
    finished = finished_shards(output)
    sizes = manifest.shard_sizes(output)
    progress = Progress(sum(sizes), sum(sizes[number] for number in finished))
    missing = (number for number in range(run.shards) if number not in finished)
    try:
        tasks: list[pa.Table] = []
        for number, files in manifest.read_shards(output, missing):
            writer.expect(number, files["unit"].to_pylist())
            tasks += manifest.tasks_of(files, TASK_SIZE)
            if len(tasks) >= TASKS_PER_WORKER * count:
                _read_tasks(tasks, writer, progress, run, count, threads)
                tasks = []
        _read_tasks(tasks, writer, progress, run, count, threads)
    finally:
        progress.close()
    return writer.rows


def _read_tasks(
    tasks: list[pa.Table], writer: ShardWriter, progress: Progress, run: Run, count: int, threads: int
) -> None:
    """Read whole shards. What a worker did not survive is tried again alone, and becomes a refusal in the end."""
    files_of = Counter(unit for task in tasks for unit in task["unit"].to_pylist())
    for _ in range(ROUNDS):
        if not tasks:
            return
        for table in _until_stopped(cluster.read(tasks, run, min(count, len(tasks)), threads)):
            progress.add(sum(files_of[unit] for unit in writer.add(table)), len(table))
        missing = pa.array([unit for _, unit in writer.missing()], pa.int64())
        left = [task.filter(pc.is_in(task["unit"], missing)) for task in tasks]
        tasks = [alone for task in left if len(task) for alone in manifest.tasks_of(task, 1)]
    first = {task["unit"][0].as_py(): manifest.parts_in(task.slice(0, 1))[0].name for task in tasks}
    for number, unit in writer.missing():
        writer.give_up(number, unit, first[unit], GAVE_UP)
        progress.add(files_of[unit], 1)


def _until_stopped(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same tables. Raises ArchiveRunError at a refusal that concerns more than its file."""
    for table in tables:
        for reason in STOPPING.intersection(pc.unique(table["reason"]).to_pylist()):
            raise ArchiveRunError(reason)
        yield table


def _count(output: Path, rows: int, seconds: float) -> Counts:
    data = ds.dataset(output / ROWS, format="parquet")
    accepted = data.count_rows(filter=ds.field("accepted"))
    return Counts(
        rows=data.count_rows(), accepted=accepted, seconds=round(seconds, 1), rows_of_last_call=rows
    )


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Raises ArchiveRunError where another run writes to the folder. The lock ends with the process."""
    with (output / ".lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ArchiveRunError(
                f"Another run writes to {output}; wait for it, or choose another output."
            ) from None
        yield
