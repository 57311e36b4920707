"""Settings of the HiRISE download; importing them loads nothing heavy."""

import dataclasses

from marsgan_tf.config import option, require
from pipelines import hirise


@dataclasses.dataclass(frozen=True, kw_only=True)
class FetchConfig:
    """What `python -m pipelines.fetch_hirise` can be told.

    Raises:
        ValueError: If a value is out of its range; the message names it.
    """

    observation_ids: tuple[str, ...] = option(
        (), "HiRISE observations whose RED products are fetched."
    )
    observation_list: str = option(
        "", "A text file of such observations, one a line."
    )
    output_dir: str = option(
        "", "Laid out as the archive is: the builder's --archive_root."
    )
    base_url: str = option(
        "https://hirise-pds.lpl.arizona.edu/PDS",
        "The archive's folder that holds RDR, or a mirror's.",
    )
    connections: int = option(2, "Files fetched at once, at most 8.")
    attempts: int = option(
        6, "Attempts in a row that bring nothing, before a file is given up."
    )
    timeout_s: float = option(
        30.0, "Seconds without a byte, after which a connection is given up."
    )
    most_gigabytes: float = option(
        8.0, "Largest image that is fetched, 10^9 bytes."
    )

    def __post_init__(self) -> None:
        require("output_dir", self.output_dir, bool(self.output_dir), "given")
        if not (self.observation_ids or self.observation_list):
            raise ValueError(
                "`observation_ids` or `observation_list` must be given. "
                "Received: none of them"
            )
        wrong = [
            identity
            for identity in self.observation_ids
            if not hirise.is_observation_id(identity)
        ]
        require(
            "observation_ids",
            ",".join(wrong),
            not wrong,
            "like ESP_068294_1985",
        )
        is_web = self.base_url.startswith(("https://", "http://"))
        require("base_url", self.base_url, is_web, "an http or https address")
        is_polite = 1 <= self.connections <= 8
        require("connections", self.connections, is_polite, "from 1 to 8")
        require("attempts", self.attempts, self.attempts >= 1, "at least 1")
        for name in ("timeout_s", "most_gigabytes"):
            value = getattr(self, name)
            require(name, value, value > 0, "above 0")
