"""`model.py node` with a quick reader in place of the networks, for tests of spool and network: no TensorFlow."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.dicom_peers import quick_result
from utils.commands import node
from utils.dicom_node import node as node_module
from utils.dicom_node import spool
from utils.dicom_node.node import Answer


def main() -> int:
    parser = argparse.ArgumentParser()
    node.add_arguments(parser)
    args = parser.parse_args()
    if os.environ.get("NODE_ON_SMALL_DISK"):  # no reserve, no long pause
        spool.SMALLEST_FREE_DISK, node_module.LONGEST_WAIT = 0, 1.0
    return node.serve(args, args.spool, "quick", lambda: read)


def read(images: Sequence[Path]) -> Answer:
    return Answer([quick_result(images)], len(images))


if __name__ == "__main__":
    sys.exit(main())
