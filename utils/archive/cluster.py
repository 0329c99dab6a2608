"""Ray: starts it on this machine or joins a cluster, and streams work through its actors. The only module with Ray."""

from __future__ import annotations

import logging
import os
import re
import socket
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from utils.archive.decoding import Decoder
from utils.archive.errors import ArchiveRunError
from utils.archive.inference import Inference
from utils.archive.manifest import with_parts
from utils.archive.run_record import Run
from utils.paths import REPOSITORY

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # silences a warning about GPUs
    "RAY_worker_niceness": "0",  # not behind every other program of a busy machine
    "RAY_agent_register_timeout_ms": "300000",  # a busy machine needs more than the default 18 seconds
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # a worker that dies is no message for the user: its task is repeated
}
FAILED = "The Ray workers failed ({kind}); run the same command again to go on, and see Ray's log if it fails again."
MISSING_PACKAGE = re.compile(r"No module named '([\w.]+)'")
VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")  # in Ray's message: the cluster's, then those here
NOT_SENT = (
    "/tests", "/docs", "/benchmarks", "/runs", "/pages", "/models/experiments", "/models/evaluation", ".git", ".venv",
    "__pycache__", ".*_cache",
)  # fmt: skip
OBJECT_STORE = 1_000_000_000  # bytes of shared memory for scans on their way, on this machine
BLOCK = 33_554_432  # bytes of scans that an inference actor gets at once
WORKERS_PER_DECODER = 4  # decoding takes much less time than the networks
CONNECT_SECONDS = 10  # until a cluster must have answered
ATTEMPTS = "RAY_gcs_server_port_wait_time_s"  # to join, of up to 40 seconds where another program answers
STARTS = 3  # attempts: Ray gives up where a busy machine has not started it within 30 seconds
RETRIES = 5  # of a task whose worker died
MOST_ERRORS = 16  # tasks that may fail in one stream; more is no matter of single files
# Whole blocks
BATCHES: dict[str, Any] = {"batch_size": None, "batch_format": "pyarrow", "zero_copy_batch": True}


@dataclass(frozen=True)
class Workers:
    """`count` inference actors, each with `threads` cores; None: as many as the cores allow."""

    count: int | None = None
    threads: int = 1
    address: str | None = None


@contextmanager
def running(workers: Workers) -> Iterator[int]:
    """Ray while the block runs; gives the number of inference actors. Raises ArchiveRunError where it fails."""
    os.environ.update(ENVIRONMENT)
    import ray.data

    with (
        tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as session,
        open(os.devnull, "w") as null,
        redirect_stdout(null),  # a thread of Ray prints there which worker has died
    ):
        try:
            with _silent():
                _start(workers, session)
        except Exception as error:  # nobody answers, another version of Ray, too little memory
            raise ArchiveRunError(_why_not(workers.address, error)) from None
        try:
            # Tasks that fail are repeated or become refusals
            logging.getLogger("ray.data").setLevel(logging.CRITICAL)
            yield _count(workers)
        finally:
            ray.shutdown()


def check_machines(problem: Callable[..., str | None], *arguments: Any) -> None:
    """Call a function on every machine of the cluster. Raises ArchiveRunError with the first problem that it names."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0)(problem)
    machines = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    strategies = [NodeAffinitySchedulingStrategy(machine, soft=False) for machine in machines]
    answers = [task.options(scheduling_strategy=strategy).remote(*arguments) for strategy in strategies]
    try:
        problems = [answer for answer in ray.get(answers) if answer]
    except Exception as error:  # the program cannot be sent, or a package is missing
        package = MISSING_PACKAGE.search(str(error))
        lack = f"lacks the Python package {package[1]}" if package else f"fails ({type(error).__name__})"
        raise ArchiveRunError(
            f"A machine of the cluster {lack}; give all the same Python environment."
        ) from None
    if problems:
        raise ArchiveRunError(problems[0])


def list_parts(files: Sequence[pa.Table]) -> Iterator[pa.Table]:
    """`manifest.with_parts` on every table, in any order."""
    return _stream(files, lambda dataset: dataset.map_batches(with_parts, **BATCHES))


def read(tasks: Sequence[pa.Table], run: Run, count: int, threads: int) -> Iterator[pa.Table]:
    """The finished rows of tasks (`manifest.tasks_of`), in any order. What fails again and again is left out."""
    from ray.data import ActorPoolStrategy

    def pool(size: int, cpus: int) -> dict[str, Any]:
        return {
            "compute": ActorPoolStrategy(size=size),
            "num_cpus": cpus,
            "max_task_retries": RETRIES,
            **BATCHES,
        }

    profile = run.site_profile
    settings = {
        "models": dict(run.models),
        "threads": threads,
        "rule": profile.active_rule if profile else None,
    }
    decoders = -(-count // WORKERS_PER_DECODER)
    return _stream(
        tasks,
        lambda dataset: dataset.map_batches(Decoder, **pool(decoders, 0)).map_batches(
            Inference, fn_constructor_kwargs=settings, **pool(count, threads)
        ),
    )


def _stream(tables: Sequence[pa.Table], stages: Callable[[Any], Any]) -> Iterator[pa.Table]:
    """The tables that a data set of these blocks gives after the stages."""
    import ray.data
    from ray.exceptions import RayError
    from ray.util.annotations import RayDeprecationWarning

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = MOST_ERRORS
    context.max_consecutive_actor_init_deaths = MOST_ERRORS
    context.target_max_block_size = BLOCK
    # `max_task_retries` has no other place yet
    warnings.filterwarnings("ignore", category=RayDeprecationWarning)
    try:
        dataset = stages(ray.data.from_arrow(list(tables)))
        yield from dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
    except RayError as error:
        raise ArchiveRunError(FAILED.format(kind=type(error).__name__)) from None


def _start(workers: Workers, session: str) -> None:
    import ray

    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if workers.address:
        return _join(workers.address, quiet)
    for attempt in range(STARTS):
        try:
            return _start_here(workers, session, quiet)
        except Exception:
            ray.shutdown()
            if attempt == STARTS - 1:
                raise


def _join(address: str, quiet: dict[str, Any]) -> None:
    import ray
    from ray._private.authentication import authentication_token_setup

    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), CONNECT_SECONDS).close()  # Ray itself waits for minutes
    # `ray start` uses a token where there is one, `ray.init` does not for an address
    authentication_token_setup.maybe_enable_token_auth_if_token_available(warn_if_disabled=False)
    os.environ[ATTEMPTS] = "2"
    try:
        ray.init(address, runtime_env=_environment(), **quiet)
    finally:
        del os.environ[ATTEMPTS]  # Ray waits so many seconds for a cluster of its own


def _start_here(workers: Workers, session: str, quiet: dict[str, Any]) -> None:
    import ray

    cores = workers.count * workers.threads if workers.count else len(os.sched_getaffinity(0))
    ray.init(
        num_cpus=cores,
        object_store_memory=OBJECT_STORE,
        include_dashboard=False,
        _temp_dir=session,  # scans that do not fit into memory are kept there
        **quiet,
    )


def _why_not(address: str | None, error: Exception) -> str:
    """Why Ray cannot be used, one sentence."""
    if not address:
        return f"Ray cannot be used ({type(error).__name__}); check that it runs."
    text = f"{error} {error.__cause__}"
    if versions := VERSIONS.findall(text):
        (ray_there, python_there), (ray_here, python_here) = versions[:2]
        return (
            f"The cluster at {address} runs Ray {ray_there} on Python {python_there}, this command Ray {ray_here} on "
            f"Python {python_here}; install the same."
        )
    if "InvalidAuthToken" in text:
        return (
            f"The Ray cluster at {address} has another token; put it in RAY_AUTH_TOKEN or ~/.ray/auth_token."
        )
    return (
        f"The Ray cluster at {address} cannot be used ({type(error).__name__}); check that it runs and that this "
        "machine is part of it."
    )


def _count(workers: Workers) -> int:
    """The number of inference actors. Raises ArchiveRunError where Ray has fewer cores than they need."""
    import ray

    cores = int(ray.cluster_resources().get("CPU", 0))
    count = workers.count or max(cores // workers.threads, 1)
    if workers.address and count * workers.threads > cores:  # Ray on this machine has as many as they need
        raise ArchiveRunError(f"Ray has {cores} cores; ask for fewer workers or threads.")
    return count


def _environment() -> dict[str, Any]:
    """What the machines of a cluster get: this program, and its networks unless they have a folder of their own."""
    variables = {
        name: os.environ[name] for name in ("BRAIN_MRI_MODELS", "BRAIN_MRI_RUNTIME") if name in os.environ
    }
    excludes = [*NOT_SENT, *(["/models"] if "BRAIN_MRI_MODELS" in variables else [])]
    return {"working_dir": str(REPOSITORY), "excludes": excludes, "env_vars": variables}


@contextmanager
def _silent() -> Iterator[None]:
    """Nothing on standard error: Ray's native code writes there that it takes note of its log level."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
