"""Random fields that terrain is made of: fractal, smooth, and rippled.

Fields are float32 `(height, width)` on a grid of `spacing_m` metres. They
come from white noise through a filter on its spectrum, so they wrap around at
the borders.
"""

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.sparse

# Samples in a wavelength of a rippled field before it is enlarged.
_SAMPLES_PER_WAVE = 8


def fractal(
    shape: tuple[int, int],
    *,
    spacing_m: float,
    hurst: float,
    outer_m: float,
    rng: np.random.Generator,
    stretch: float = 1.0,
    direction_deg: float = 0.0,
) -> np.ndarray:
    """Self-affine relief: its roughness grows with distance to the `hurst`.

    Args:
        shape: `(height, width)`.
        spacing_m: Between grid points.
        hurst: Exponent, in (0, 1]: 0.5 is jagged, 1 is rolling.
        outer_m: Beyond this distance, heights are no longer related.
        rng: Source of the noise.
        stretch: How much longer than wide the features are.
        direction_deg: Of their length, clockwise from up.

    Returns:
        Zero mean, and an rms change of 1 over a distance of 1 m: multiplied
        by a number of metres, heights that differ by that over 1 m.
    """
    square = _square_frequencies(shape, spacing_m, stretch, direction_deg)
    square += np.float32(1.0 / outer_m) ** 2
    power = square ** np.float32(-(hurst + 1.0) / 2.0)
    power[0, 0] = 0.0
    field = _filter(power, shape, rng)
    rms = float(np.sqrt(np.mean(np.diff(field, axis=1) ** 2)))
    field *= np.float32(spacing_m**hurst / max(rms, 1e-30))
    return field


def smooth(
    shape: tuple[int, int], *, scale: float, rng: np.random.Generator
) -> np.ndarray:
    """A rolling field of zero mean and unit deviation.

    Args:
        shape: `(height, width)`.
        scale: Size of its features, in grid points.
        rng: Source of the noise.
    """
    factor = max(1, int(scale / _SAMPLES_PER_WAVE))
    coarse = _coarse_shape(shape, factor)
    field = fractal(
        coarse,
        spacing_m=factor,
        hurst=2.0,
        outer_m=scale,
        rng=rng,
    )
    return enlarge(standardise(field), shape)


def ripple_phase(
    shape: tuple[int, int],
    *,
    wavelength: float,
    direction_deg: float,
    rng: np.random.Generator,
) -> np.ndarray:
    """Phase of a field of ridges that fork and end, as wind ripples do.

    It is the phase of complex noise in a narrow band of wavelengths and
    directions: where the noise vanishes, a crest ends.

    Args:
        shape: `(height, width)`.
        wavelength: From crest to crest, in grid points.
        direction_deg: Across the crests, clockwise from up.
        rng: Source of the noise.

    Returns:
        Radians in [-pi, pi], growing along the direction.
    """
    factor = max(1, int(wavelength / _SAMPLES_PER_WAVE))
    coarse = _coarse_shape(shape, factor)
    rows = scipy.fft.fftfreq(coarse[0]).astype(np.float32)[:, np.newaxis]
    columns = scipy.fft.fftfreq(coarse[1]).astype(np.float32)
    angle = np.radians(direction_deg)
    along = columns * np.sin(angle) - rows * np.cos(angle)
    across = columns * np.cos(angle) + rows * np.sin(angle)
    centre = factor / wavelength
    band = np.exp(
        -0.5 * ((along - centre) / (0.16 * centre)) ** 2
        - 0.5 * (across / (0.22 * centre)) ** 2
    )
    noise = rng.standard_normal((2, *coarse), dtype=np.float32)
    waves = scipy.fft.ifft2((noise[0] + 1j * noise[1]) * band)
    scale = 1.0 / max(float(abs(waves).max()), 1e-30)
    real = enlarge((waves.real * scale).astype(np.float32), shape)
    imaginary = enlarge((waves.imag * scale).astype(np.float32), shape)
    return np.arctan2(imaginary, real)


def enlarge(coarse: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Brings a field to a finer grid over the same ground, by cubic B-spline.

    A B-spline rounds the field a little and is smooth to the second
    derivative, so that light shows no trace of the coarse grid.
    """
    rows = _spline_matrix(coarse.shape[0], shape[0])
    columns = _spline_matrix(coarse.shape[1], shape[1])
    return np.ascontiguousarray((columns @ (rows @ coarse).T).T)


def blur(field: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of `sigma` grid points; wide ones on a coarser grid."""
    factor = max(1, int(sigma / 3.0))
    if factor == 1:
        return scipy.ndimage.gaussian_filter(field, sigma, mode="nearest")
    coarse = shrink(field, factor)
    blurred = scipy.ndimage.gaussian_filter(
        coarse, sigma / factor, mode="nearest"
    )
    padded = tuple(side * factor for side in coarse.shape)
    full = enlarge(blurred, padded)
    return full[: field.shape[0], : field.shape[1]]


def standardise(field: np.ndarray) -> np.ndarray:
    """The field at unit deviation; a level field stays as it is."""
    deviation = float(field.std())
    return field * np.float32(1.0 / deviation) if deviation else field


def shrink(field: np.ndarray, factor: int) -> np.ndarray:
    """Means of `factor` x `factor` blocks; borders repeat to fill the last."""
    pads = [(0, -side % factor) for side in field.shape]
    if any(after for _, after in pads):
        field = np.pad(field, pads, mode="edge")
    height, width = (side // factor for side in field.shape)
    blocks = field.reshape(height, factor, width, factor)
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Smooth step from 0 at `low` to 1 at `high`; falling if `high < low`."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _coarse_shape(shape: tuple[int, int], factor: int) -> tuple[int, int]:
    height, width = (max(8, -(-side // factor)) for side in shape)
    return height, width


def _square_frequencies(
    shape: tuple[int, int],
    spacing_m: float,
    stretch: float,
    direction_deg: float,
) -> np.ndarray:
    """Squared cycles per metre of `rfft2` of a real field.

    Returns:
        `(height, width // 2 + 1)`.
    """
    down = scipy.fft.fftfreq(shape[0], spacing_m).astype(np.float32)
    right = scipy.fft.rfftfreq(shape[1], spacing_m).astype(np.float32)
    down = down[:, np.newaxis]
    angle = np.radians(direction_deg)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along = (right * sine - down * cosine) * np.float32(stretch)
    across = right * cosine + down * sine
    return along**2 + across**2


def _filter(
    response: np.ndarray, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    noise = rng.standard_normal(shape, dtype=np.float32)
    spectrum = scipy.fft.rfft2(noise, overwrite_x=True)
    spectrum *= response
    return scipy.fft.irfft2(spectrum, s=shape, overwrite_x=True)


def _spline_matrix(coarse: int, fine: int) -> scipy.sparse.csr_array:
    """`(fine, coarse)` weights of the cubic B-spline, borders repeated."""
    centres = (np.arange(fine) + 0.5) * (coarse / fine) - 0.5
    first = np.floor(centres).astype(int)
    t = (centres - first)[:, np.newaxis]
    weights = np.hstack(
        [
            (1 - t) ** 3,
            3 * t**3 - 6 * t**2 + 4,
            -3 * t**3 + 3 * t**2 + 3 * t + 1,
            t**3,
        ]
    )
    columns = np.clip(first[:, np.newaxis] + np.arange(-1, 3), 0, coarse - 1)
    rows = np.repeat(np.arange(fine), 4)
    return scipy.sparse.csr_array(
        ((weights / 6.0).astype(np.float32).ravel(), (rows, columns.ravel())),
        shape=(fine, coarse),
    )
