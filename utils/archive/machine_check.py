"""Whether a machine of a cluster can take part in a run: it has the packages, the networks and the sources. No Ray."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from utils.archive import decoding  # noqa: F401 - its packages are needed, too
from utils.archive.errors import ArchiveRunError
from utils.archive.inference import OTHER_NETWORKS, run_cards, versions
from utils.archive.storage import facts_of
from utils.networks.cards import NetworkUnavailable
from utils.networks.runtime.choice import chosen


def problem(sources: Sequence[str], models: Mapping[str, str], runtime: str) -> str | None:
    """What this machine lacks, one sentence. `models`: name -> SHA-256 of the weights; `sources` are resolved."""
    machine = f"On the cluster's machine {socket.gethostname()}: "
    try:
        for source in sources:
            facts_of(source)
        if versions(run_cards()) != dict(models):
            return machine + OTHER_NETWORKS
        if chosen() != runtime:
            return f"{machine}the runtime is {chosen()}, not {runtime}; give all the same Python environment."
    except (ArchiveRunError, NetworkUnavailable) as error:
        return f"{machine}{error}"
    return None
