"""Who may import whom (imports flow one way), checked on the source."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FRAMEWORKS = {"tensorflow", "keras", "h5py"}
OWN_ROOMS = {
    f"marsgan_tf.{room}"
    for room in ("imaging", "dataset", "layers", "models", "training")
}

# Glob -> packages that its files never import.
FORBIDDEN = {
    "marsgan_tf/**/*.py": {"pipelines", "tests", "tensorflow_addons"},
    "marsgan_tf/*.py": FRAMEWORKS,
    "marsgan_tf/imaging/*.py": FRAMEWORKS
    | (OWN_ROOMS - {"marsgan_tf.imaging"}),
    "marsgan_tf/dataset/*.py": FRAMEWORKS
    | (OWN_ROOMS - {"marsgan_tf.dataset"}),
    "marsgan_tf/layers/*.py": {"tensorflow"}
    | (OWN_ROOMS - {"marsgan_tf.layers"}),
    "marsgan_tf/models/*.py": {"tensorflow"}
    | (OWN_ROOMS - {"marsgan_tf.layers", "marsgan_tf.models"}),
    "marsgan_tf/training/losses.py": {"tensorflow"},
    "pipelines/*.py": FRAMEWORKS,
}
ONLY_IN = {
    "rasterio": {
        f"marsgan_tf/imaging/{module}.py"
        for module in ("gdal", "gdal_georeference", "raster", "raster_tiles")
    },
    "absl.flags": {"marsgan_tf/config_flags.py"},
}


def module_level_imports(path):
    """Names imported when the module loads, not inside its functions."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name, packages):
    return any(name == p or name.startswith(f"{p}.") for p in packages)


@pytest.mark.parametrize("pattern", FORBIDDEN)
def test_imports_flow_one_way(pattern):
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in ROOT.glob(pattern)
        for name in module_level_imports(path)
        if is_within(name, FORBIDDEN[pattern])
    ]
    assert not wrong


@pytest.mark.parametrize("package", ONLY_IN)
def test_package_stays_behind_its_modules(package):
    users = {
        path.relative_to(ROOT).as_posix()
        for folder in ("marsgan_tf", "pipelines")
        for path in (ROOT / folder).rglob("*.py")
        for name in module_level_imports(path)
        if is_within(name, {package})
    }
    assert users <= ONLY_IN[package]
