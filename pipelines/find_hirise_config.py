"""Settings of the search in HiRISE's index; importing them loads nothing."""

import dataclasses

from marsgan_tf.config import option, require

# Least and most that a column can say, from the index's description.
_LIMITS = {
    "emission": (0.0, 90.0),
    "incidence": (0.0, 180.0),
    "map_scale": (0.0, 100.0),
    "latitude": (-90.0, 90.0),
}
_TURN = 360.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class FindConfig:
    """What `python -m pipelines.find_hirise` can be told.

    Raises:
        ValueError: If a value is out of its range; the message names it.
    """

    index: str = option(
        "", "Label of the index, RDRCUMINDEX.LBL; its table lies beside it."
    )
    output: str = option("", "Text file of the observations, one a line.")
    solar_longitude: tuple[float, ...] = option(
        (),
        "Season LOW,HIGH, degrees: 0 is the northern spring's beginning, "
        "270,90 goes over the turn of the year.",
    )
    emission: tuple[float, ...] = option(
        (), "Emission angle LOW,HIGH, degrees: 0 looks straight down."
    )
    incidence: tuple[float, ...] = option(
        (), "Incidence angle LOW,HIGH, degrees: 90 has the sun on the horizon."
    )
    map_scale: tuple[float, ...] = option(
        (),
        "Pixel size LOW,HIGH, m: binning of 1, 2 and 4 gives 0.25, 0.5 and 1.",
    )
    latitude: tuple[float, ...] = option(
        (), "LOW,HIGH, degrees, that the whole image lies within."
    )
    phases: tuple[str, ...] = option(
        (), "Mission phases: AEB, TRA, PSP, ESP; empty for all."
    )
    most: int = option(0, "Stop after so many observations; 0 is all.")

    def __post_init__(self) -> None:
        is_label = self.index.lower().endswith(".lbl")
        require("index", self.index, is_label, "the index's .LBL")
        require("output", self.output, bool(self.output), "given")
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            is_right = not value or (
                len(value) == 2 and low <= value[0] <= value[1] <= high
            )
            text = ",".join(map(str, value))
            require(name, text, is_right, f"LOW,HIGH in [{low:g}, {high:g}]")
        season = self.solar_longitude
        is_season = not season or (
            len(season) == 2 and all(0 <= value <= _TURN for value in season)
        )
        text = ",".join(map(str, season))
        require("solar_longitude", text, is_season, "two values in [0, 360]")
        wrong = set(self.phases) - {"AEB", "TRA", "PSP", "ESP"}
        text = ",".join(self.phases)
        require("phases", text, not wrong, "of AEB, TRA, PSP, ESP")
        require("most", self.most, self.most >= 0, "at least 0")
