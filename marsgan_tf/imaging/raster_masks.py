"""What kinds of masks an opened dataset has."""

from typing import Any

from marsgan_tf.imaging import raster_checks

# Their masks only stand for values.
_MASKS_OF_VALUES = ("ISIS3", "PDS4")


def has_mask(dataset: Any) -> bool:
    """Whether a mask or an alpha band says where there is data."""
    if "alpha" in raster_checks.colour_names(dataset):
        return True
    if dataset.driver in _MASKS_OF_VALUES:
        return False
    # A mask of each band by itself sets no flag.
    flags = {flag.name for flag in dataset.mask_flag_enums[0]}
    return not flags or "per_dataset" in flags


def is_all_valid(dataset: Any) -> bool:
    """Whether no band has a mask of any kind."""
    return all(
        [flag.name for flag in flags] == ["all_valid"]
        for flags in dataset.mask_flag_enums
    )


def masks_are_of_values(dataset: Any) -> bool:
    """Whether masks stand for the no-data value, and for nothing else."""
    flags = {flag.name for flag in dataset.mask_flag_enums[0]}
    return "nodata" in flags or dataset.driver in _MASKS_OF_VALUES
