"""Settings of the quickstart."""

import dataclasses

from marsgan_tf.config import option, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuickstartConfig:
    """What `python -m pipelines.quickstart` can be told."""

    output_dir: str = option("quickstart", "Folder of all that is made.")
    scenes: int = option(8, "Scenes of terrain.")
    scene_px: int = option(1024, "Sides of a scene, px.")

    def __post_init__(self) -> None:
        require("output_dir", self.output_dir, bool(self.output_dir), "given")
        require("scenes", self.scenes, self.scenes >= 2, "at least 2")
        require("scene_px", self.scene_px, self.scene_px >= 256, "at least 256")
