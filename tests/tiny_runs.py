"""The smallest training that has all parts of the real one."""

SETTINGS = {
    "blocks": 1,
    "features": 4,
    "growth": 4,
    "reconstruction_channels": 1,
    "noise_weight": 0.05,
    "discriminator_filters": 2,
    "discriminator_units": 4,
    "perceptual_layers": ("block2_conv2", "block1_conv2"),
    "hr_size": 16,
}
