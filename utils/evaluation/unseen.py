"""Whether a network has seen the images that it is to be tested on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from utils.datasets.duplicates import hash_files, near_pairs
from utils.datasets.protocols import protocol_named
from utils.datasets.tables import DatasetError
from utils.networks.cards import Card


def check_unseen(card: Card, protocol: str, test: pd.DataFrame) -> None:
    """Raises DatasetError where a network may have learned from images of a test set.

    For known collections protocol and sources on the card decide, for a user's own folder the hashes of the training
    images.
    """
    trained_under = card.protocol
    if protocol_named(protocol).takes_own_images:
        _check_hashes(card, test)
    elif not protocol_named(protocol).is_unseen_by(protocol_named(trained_under), card.sources):
        raise DatasetError(
            f"{card.weights.name} was trained under the {trained_under} protocol, so that it knows test images of "
            f"{protocol}; measure the weights that were trained under {protocol}."
        )


def _check_hashes(card: Card, test: pd.DataFrame) -> None:
    hashes, name = card.statistics, card.weights.name
    if not hashes.is_file():
        raise DatasetError(
            f"{hashes} is missing: without it the images that {name} was trained on are unknown."
        )
    with np.load(hashes, allow_pickle=False) as archive:
        seen = archive.get("picture_hashes")
    if seen is None:
        raise DatasetError(f"{hashes} does not hold the hashes of the images that {name} was trained on.")
    straight, mirrored = hash_files(list(test["path"]))
    hits, _ = near_pairs(np.concatenate([straight, mirrored]), seen)
    known = np.unique(hits % len(test))
    if len(known):
        raise DatasetError(
            f"{len(known)} of the {len(test)} images show images that {name} was trained on "
            f"(the first: {test['file'].iloc[known[0]]}); take them out, or train on this folder first."
        )
