"""Which scenes go into a dataset, and into which of its splits."""

import bisect
import dataclasses
import glob
import hashlib
import os
import re
from collections.abc import Iterable, Sequence

from marsgan_tf import errors
from marsgan_tf.imaging import raster
from pipelines import decoding, hirise

Bounds = tuple[float, float, float, float]

# HiRISE projects each image onto a sphere of its own latitude's radius, so
# one body has many: Mars' differ by 0.6 %, bodies by far more.
_SAME_BODY = 0.02
_RADIUS = re.compile(r'(?:SPHEROID|ELLIPSOID)\["[^"]*",\s*([\d.eE+]+)')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """An image that pairs can be cut from, as its header describes it.

    Attributes:
        path: The file.
        bytes: Its size.
        modified_ns: When it was changed last, ns since 1970.
        observation_id: What its name tells.
        height: Rows.
        width: Columns.
        bounds: West, south, east, north of the ground it shows, degrees; None
            where that is not known.
        body_radius_m: Of the body it shows; None where that is not known.
    """

    path: str
    bytes: int
    modified_ns: int
    observation_id: str
    height: int
    width: int
    bounds: Bounds | None = None
    body_radius_m: float | None = None

    @property
    def name(self) -> str:
        """File name, without its folder."""
        return os.path.basename(self.path)

    @property
    def area_px(self) -> int:
        """Its pixels."""
        return self.height * self.width


def find_paths(
    *,
    patterns: Sequence[str],
    list_file: str,
    observation_ids: Sequence[str],
    archive_root: str,
) -> list[str]:
    """The image files that are asked for, each once, sorted by name.

    Args:
        patterns: Globs.
        list_file: A text file of paths, one a line; "" for none.
        observation_ids: HiRISE observations, looked up in `archive_root`.
        archive_root: The folder of the archive that holds `RDR`.

    Raises:
        DatasetError: If a glob matches nothing, or a file does not exist.
    """
    paths = [path for pattern in patterns for path in _match(pattern)]
    if list_file:
        paths += _read_list(list_file)
    paths += [
        hirise.product_path(identity, archive_root)
        for identity in observation_ids
    ]
    missing = [path for path in paths if not os.path.isfile(path)]
    if missing:
        raise errors.DatasetError(
            f"{missing[0]}: no such file ({len(missing)} of {len(paths)} are "
            "missing): check the list, the observation IDs, --archive_root"
        )
    unique = {os.path.realpath(path): path for path in paths}
    images = _without_sidecars(unique.values())
    return sorted(images, key=lambda path: (os.path.basename(path), path))


def exclude(paths: Iterable[str], excluded_ids: Iterable[str]) -> list[str]:
    """The paths that do not show one of the observations."""
    excluded = {identity.upper() for identity in excluded_ids}
    return [
        path
        for path in paths
        if hirise.observation_id(path).upper() not in excluded
    ]


def inspect(path: str, *, hr_size: int, band: int) -> Scene:
    """Reads an image's header.

    Raises:
        RasterError: If it is no image, or of a kind that cannot be used.
        DatasetError: If it is smaller than a patch.
    """
    status = os.stat(path)
    with raster.open_raster(path) as reader:
        decoding.choose_bands(reader, band)
        decoding.stored_dtype(reader)
        if min(reader.height, reader.width) < hr_size:
            raise errors.DatasetError(
                f"{path}: {reader.width} x {reader.height} px is smaller than "
                f"a patch of {hr_size} px: leave it out, or lower --hr_size"
            )
        radius = _RADIUS.search(reader.crs_wkt or "")
        return Scene(
            path=path,
            bytes=status.st_size,
            modified_ns=status.st_mtime_ns,
            observation_id=hirise.observation_id(path),
            height=reader.height,
            width=reader.width,
            bounds=reader.footprint(),
            body_radius_m=float(radius.group(1)) if radius else None,
        )


def split(
    scenes: Sequence[Scene],
    *,
    fraction: float,
    validation_ids: Iterable[str],
    seed: int,
) -> list[str]:
    """The split of each scene, "train" or "validation".

    Scenes of one observation, and scenes that show the same ground, stay
    together. Beside those of `validation_ids`, groups are taken in an order
    that the seed shuffles, as long as they fit into the fraction; if none
    does, the smallest one is taken, unless nothing were left to train on.

    Args:
        scenes: At least one.
        fraction: Of the scenes' pixels, in [0, 1).
        validation_ids: Observations that are validation in any case.
        seed: Of the order.
    """
    groups = group(scenes)
    wanted = {identity.upper() for identity in validation_ids}
    chosen = [
        members
        for members in groups
        if any(scenes[i].observation_id.upper() in wanted for i in members)
    ]
    others = [members for members in groups if members not in chosen]
    others.sort(key=lambda members: _rank(scenes, members, seed))
    left = fraction * sum(scene.area_px for scene in scenes)
    left -= sum(_area(scenes, members) for members in chosen)
    for members in others:
        if _area(scenes, members) <= left:
            chosen.append(members)
            left -= _area(scenes, members)
    if fraction > 0 and not chosen and len(others) > 1:
        chosen = [min(others, key=lambda members: _area(scenes, members))]
    validation = {index for members in chosen for index in members}
    return [
        "validation" if index in validation else "train"
        for index in range(len(scenes))
    ]


def group(scenes: Sequence[Scene]) -> list[list[int]]:
    """Indexes of scenes that must stay together, group by group."""
    parent = list(range(len(scenes)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = index = parent[parent[index]]
        return index

    for first, second in _related(scenes):
        parent[root(second)] = root(first)
    groups: dict[int, list[int]] = {}
    for index in range(len(scenes)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())


def overlap(first: Bounds, second: Bounds) -> bool:
    """Whether two footprints share ground; longitudes may differ by turns."""
    west, south, east, north = first
    if south >= second[3] or second[1] >= north:
        return False
    return any(
        west + turn < second[2] and second[0] < east + turn
        for turn in (-360.0, 0.0, 360.0)
    )


def _related(scenes: Sequence[Scene]) -> Iterable[tuple[int, int]]:
    """Pairs of scenes of one observation, or of the same ground."""
    first_of: dict[str, int] = {}
    for index, scene in enumerate(scenes):
        yield first_of.setdefault(scene.observation_id, index), index
    located = [
        (index, scene.bounds, scene.body_radius_m or 0.0)
        for index, scene in enumerate(scenes)
        if scene.bounds is not None
    ]
    located.sort(key=lambda entry: entry[1][1])
    souths = [bounds[1] for _, bounds, _ in located]
    for place, (first, bounds, radius) in enumerate(located):
        # Sorted by their southern border: those behind lie farther north.
        end = bisect.bisect_left(souths, bounds[3], lo=place + 1)
        for second, others, other_radius in located[place + 1 : end]:
            is_same_body = abs(radius - other_radius) <= _SAME_BODY * radius
            if is_same_body and overlap(bounds, others):
                yield first, second


def _rank(scenes: Sequence[Scene], members: list[int], seed: int) -> str:
    """Shuffles groups: the hash of the seed and their first observation."""
    name = min(scenes[index].observation_id for index in members)
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()


def _area(scenes: Sequence[Scene], members: list[int]) -> int:
    return sum(scenes[index].area_px for index in members)


def _match(pattern: str) -> list[str]:
    if os.path.isfile(pattern):
        return [pattern]
    paths = glob.glob(pattern, recursive=True)
    files = [path for path in paths if os.path.isfile(path)]
    if not files:
        raise errors.DatasetError(
            f"{pattern!r}: no file matches; put the pattern in quotes, and "
            "use ** to look into folders"
        )
    return files


def _read_list(list_file: str) -> list[str]:
    try:
        with open(list_file, encoding="utf-8") as file:
            lines = [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as error:
        raise errors.DatasetError(
            f"{list_file}: cannot be read as a list of paths ({error})"
        ) from None
    return [line for line in lines if line]


def _without_sidecars(paths: Iterable[str]) -> list[str]:
    """Leaves out GDAL's notes, and labels whose image is there as well."""
    images = [path for path in paths if not path.endswith(".aux.xml")]
    stems = {
        os.path.splitext(path)[0] for path in images if not _is_label(path)
    }
    return [
        path
        for path in images
        if not (_is_label(path) and os.path.splitext(path)[0] in stems)
    ]


def _is_label(path: str) -> bool:
    return path.lower().endswith(".lbl")
