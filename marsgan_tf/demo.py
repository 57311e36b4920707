"""Shows what the package does: `python -m marsgan_tf.demo [--input=...]`.

Super-resolves a strip by the shipped model and writes a page that compares
before and after: of the user's image, or of generated ground, whose truth is
known.
"""

from marsgan_tf import config as configs
from marsgan_tf import config_flags


def main(config: configs.DemoConfig) -> None:
    """Writes the super-resolved strip and the page."""
    from marsgan_tf.demonstration import run

    run.run(config)


if __name__ == "__main__":
    config_flags.launch(configs.DemoConfig, main)
