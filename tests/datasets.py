"""Tiny datasets of training pairs, made at test time without the builder."""

import numpy as np
import scipy.ndimage

from marsgan_tf.dataset import example, manifest, tfrecord
from marsgan_tf.imaging import degrade

BLUR_SIGMA = 1.6


def scene(size, seed):
    """Smooth hills under sharp edges: `(size, size)` uint8."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(size, size))
    hills = scipy.ndimage.gaussian_filter(noise, 4.0)
    edges = np.sign(scipy.ndimage.gaussian_filter(noise, 6.0))
    return np.uint8(128 + 300 * hills + 40 * edges)


def pairs(count, hr_size, seed):
    """`count` pairs of one scene each."""
    for index in range(count):
        hr = scene(hr_size, seed + index)
        lr = degrade.degrade(hr.astype(np.float32), blur_sigma=BLUR_SIGMA)
        yield example.PatchPair(
            hr=hr[..., None],
            lr=np.uint8(np.clip(np.rint(lr), 0, 255))[..., None],
            low=10.0,
            high=240.0,
            observation_id=f"ESP_{seed + index:06d}_1800",
            row=0,
            col=0,
            blur_sigma=BLUR_SIGMA,
            noise_sigma=0.0,
        )


def write_dataset(
    folder, *, hr_size=32, train=(6, 5), validation=(4,), compression=""
):
    """Writes shards of `train` and `validation` records, and the manifest.

    Returns:
        The `Manifest`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = {"train": [], "validation": []}
    seed = 0
    for split, counts in (("train", train), ("validation", validation)):
        for number, count in enumerate(counts):
            name = f"{split}-{number:05d}-of-{len(counts):05d}.tfrecord"
            path = folder / name
            with tfrecord.open_writer(path, compression) as file:
                for pair in pairs(count, hr_size, seed):
                    tfrecord.write_record(file, example.encode(pair))
            seed += count
            shards[split].append(
                manifest.Shard(
                    name=name,
                    records=count,
                    bytes=path.stat().st_size,
                    sha256=manifest.hash_file(path),
                )
            )
    written = manifest.Manifest(
        directory=str(folder),
        hr_size=hr_size,
        scale=4,
        compression=compression,
        parameters={},
        train=tuple(shards["train"]),
        validation=tuple(shards["validation"]),
        sources=(),
    )
    manifest.write(written)
    return written
