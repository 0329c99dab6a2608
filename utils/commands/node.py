"""`model.py node`: a DICOM node that reads the series it is sent and sends the results to an archive."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from utils.commands.dicom_reading import SeriesReader, version_of_networks
from utils.commands.errors import CommandError
from utils.commands.inputs import add_site_profile_argument, check_ensemble, site_profile
from utils.paths import user_folder
from utils.reports.dicom.kinds import DEFAULT_KINDS, KINDS
from utils.scans.limits import LARGEST_FILE, LARGEST_SPOOL, MEGABYTE

if TYPE_CHECKING:
    from utils.dicom_node.node import Read
    from utils.dicom_node.peers import Tls
    from utils.records.acceptance import SiteProfile

SUMMARY = "DICOM node: receive series from a PACS, read them, and send the results as DICOM objects."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--send-to", metavar="AET@HOST:PORT", help="the archive that takes the results")
    parser.add_argument("--allow", nargs="+", metavar="AET", help="AE titles that may send images")
    parser.add_argument(
        "--kinds", nargs="+", choices=list(KINDS), default=DEFAULT_KINDS, help="results (default: seg sr)"
    )
    parser.add_argument("--aet", default="BRAINMRI", help="AE title of this node (default: %(default)s)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=11112, help="port to listen on (default: %(default)s)")
    parser.add_argument(
        "--quiet", type=float, default=10, help="seconds without an image until a series is read"
    )
    parser.add_argument(
        "--tls", nargs="+", type=Path, metavar="PEM", help="certificate, key and CA: encrypt both directions"
    )
    parser.add_argument("--spool", type=Path, help="folder for images and results until they have been sent")
    parser.add_argument(
        "--spool-limit", type=int, default=LARGEST_SPOOL // MEGABYTE, help="MB in the spool (%(default)s)"
    )
    parser.add_argument("--metrics-port", type=int, help="port for /health, /ready and /metrics (off)")
    add_site_profile_argument(parser)
    parser.add_argument(
        "--list-results", action="store_true", help="list the SOP Instance UIDs that were sent, and end"
    )


def run(args: argparse.Namespace) -> int:
    spool = args.spool or default_spool()
    if args.list_results:
        return _list_results(spool)
    check_ensemble()
    profile = site_profile(args)
    version = version_of_networks(args.kinds, profile)
    return serve(args, spool, version, lambda: _load(args.kinds, profile))


def _load(kinds: Sequence[str], profile: SiteProfile | None) -> Read:
    from utils.acceptance.drift import WINDOW, Appearance, latest_drift, values_of
    from utils.dicom_node.node import Answer

    reader = SeriesReader.load(kinds, profile)
    reader.warm_up()
    seen: list[Appearance] = []

    def departing() -> tuple[str, ...]:
        if profile is None:
            return ()
        drift = latest_drift(profile.distributions, values_of(profile.distributions, seen))
        return drift.departing if drift else ()

    def read(images: Sequence[Path]) -> Answer:
        answer = reader.read([image.read_bytes() for image in images])
        seen.extend(answer.seen)
        del seen[: max(len(seen) // WINDOW - 1, 0) * WINDOW]  # whole windows that are over
        return Answer(answer.results, answer.slices, answer.reasons, departing())

    return read


def default_spool() -> Path:
    """A folder among the user's state (Linux: XDG)."""
    return user_folder("state") / "spool"


def serve(args: argparse.Namespace, folder: Path, version: str, load: Callable[[], Read]) -> int:
    """Run the node until it is ended by a signal; see utils.dicom_node.node for `load`."""
    from utils.dicom_node import endpoint
    from utils.dicom_node.journal import Journal, silence_libraries
    from utils.dicom_node.node import Node
    from utils.dicom_node.peers import Peer, PeerError, checked_aet
    from utils.dicom_node.receiver import Receiver
    from utils.dicom_node.sender import Sender
    from utils.dicom_node.spool import Spool, SpoolError

    if not args.send_to or not args.allow:
        raise CommandError(
            "Name the archive with --send-to AET@HOST:PORT and the callers with --allow AET ..."
        )
    silence_libraries()
    _limit_files()
    os.umask(0o077)
    try:
        peer, aet, allowed = Peer.parsed(args.send_to), checked_aet(args.aet), map(checked_aet, args.allow)
        tls = _tls(args.tls)
        server_tls = tls.server() if tls else None
        spool = Spool(folder, args.spool_limit * MEGABYTE, version)
        journal = Journal()
        journal.catch_failures_of_threads()
        receiver = Receiver(spool, journal, aet, list(allowed))
        sender = Sender(spool.ledger, journal, aet, peer, tls)
    except (PeerError, SpoolError) as error:
        raise CommandError(str(error)) from None
    node = Node(spool, receiver, sender, load, journal, args.quiet)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    metrics = None
    try:
        node.start(args.host, args.port, server_tls)
        if args.metrics_port:
            metrics = endpoint.serve(
                args.host,
                args.metrics_port,
                journal.registry,
                lambda: node.is_healthy,
                lambda: node.is_ready,
            )
    except OSError as error:
        raise CommandError(
            f"The node cannot listen on {args.host} ({error.strerror or error}); choose another --host or port."
        ) from None
    while not ended.wait(0.2) and not node.failed.is_set():
        pass
    if metrics:
        metrics.shutdown()
    node.stop()
    return 2 if node.failed.is_set() else 0


def _tls(files: list[Path] | None) -> Tls | None:
    from utils.dicom_node.peers import Tls

    if not files:
        return None
    if len(files) not in (2, 3):
        raise CommandError("--tls takes a certificate, its key and, optionally, a CA.")
    return Tls(*files)


def _list_results(folder: Path) -> int:
    """One JSON line for each result object of this spool."""
    from dataclasses import asdict

    from utils.dicom_node.ledger import Ledger

    file = folder / "record.sqlite3"
    if not file.is_file():
        raise CommandError(f"{folder} is no spool of a node; name one with --spool.")
    for result in Ledger(file).results():
        sys.stdout.write(json.dumps(asdict(result)) + "\n")
    return 0


def _limit_files() -> None:
    """A transfer without end is cut off by the system: no file of this process grows beyond twice the limit."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (2 * LARGEST_FILE, 2 * LARGEST_FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
