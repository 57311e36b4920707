"""Fetches observations: the label first, which tells how large its image is.

No list of these products' checksums is known, so an image is held against its
Content-Length, its label's size and its own row of boxes. The label's
REQUIRED_STORAGE_BYTES is of the image before it is compressed: PSP_002068_2635
tells 68,624,340, its 6,319 lines of 10,860 bytes.
"""

import concurrent.futures
import os
import threading
from collections.abc import Callable

from absl import logging

from marsgan_tf import errors, progress
from pipelines import download, hirise, jp2
from pipelines.fetch_hirise_config import FetchConfig

_LABEL_BYTES_MAX = 1 << 20
# What a JPEG 2000 may have more than its pixels: boxes, and a codestream's
# headers where pixels cannot be compressed.
_OVERHEAD_BYTES = 1 << 20


def run(
    config: FetchConfig, wait: Callable[[float], bool] | None = None
) -> None:
    """Fetches the observations that `config` names.

    Args:
        config: The settings.
        wait: Waits so many seconds; true if the run shall end.

    Raises:
        DownloadError: If some could not be had, once all others are done.
    """
    identities = [identity.upper() for identity in config.observation_ids]
    if config.observation_list:
        identities += hirise.read_ids(config.observation_list)
    identities = list(dict.fromkeys(identities))
    stop = threading.Event()
    manners = download.Manners(
        config.timeout_s, config.attempts, wait or stop.wait
    )
    failures = []
    with progress.Progress(
        len(identities), unit="observations", label="fetching"
    ) as bar:
        pool = concurrent.futures.ThreadPoolExecutor(config.connections)
        try:
            futures = [
                pool.submit(_fetch_one, identity, config, manners)
                for identity in identities
            ]
            for future in concurrent.futures.as_completed(futures):
                failure = future.result()
                if failure is not None:
                    failures.append(failure)
                    logging.error("%s", failure)
                bar.advance()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
    if failures:
        raise errors.DownloadError(
            f"{len(failures)} of {len(identities)} observations could not be "
            "fetched, the others are complete: see the lines above"
        )


def _fetch_one(
    identity: str, config: FetchConfig, manners: download.Manners
) -> errors.DownloadError | None:
    """Fetches an observation; returns why it could not."""
    image = hirise.product_path(identity, config.output_dir)
    url = hirise.product_url(identity, config.base_url)
    label = f"{os.path.splitext(image)[0]}.LBL"
    os.makedirs(os.path.dirname(image), exist_ok=True)
    most = int(config.most_gigabytes * 1e9)
    try:
        download.fetch(
            f"{os.path.splitext(url)[0]}.LBL",
            label,
            most_bytes=_LABEL_BYTES_MAX,
            check=_check_label,
            manners=manners,
        )
        told = hirise.read_label(label).storage_bytes
        if told is not None:
            most = min(most, told + _OVERHEAD_BYTES)
        download.fetch(
            url, image, most_bytes=most, check=jp2.check, manners=manners
        )
    except errors.DownloadError as error:
        return error
    return None


def _check_label(path: str) -> None:
    hirise.read_label(path)
