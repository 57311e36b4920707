import numpy as np
import pytest

from marsgan_tf.imaging.keys import keys_weights


@pytest.mark.parametrize(
    "distance, weight",
    [(0, 1), (0.5, 9 / 16), (1, 0), (1.5, -1 / 16), (2, 0), (3, 0), (1e9, 0)],
)
def test_known_values_on_either_side(distance, weight):
    found = keys_weights(np.array([distance, -distance]))
    np.testing.assert_array_equal(found, weight)


def test_whole_steps_reproduce_parabolas():
    """Third-order convergence: what sets a = -0.5 apart from other a."""
    taps = np.arange(-3, 5)
    for offset in np.linspace(0, 1, 17):
        weights = keys_weights(taps - offset)
        moments = [weights @ taps**power for power in range(3)]
        np.testing.assert_allclose(moments, [1, offset, offset**2], atol=1e-12)
