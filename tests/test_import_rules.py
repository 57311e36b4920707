"""Who may import whom (imports flow one way), checked on the source."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FRAMEWORKS = {"tensorflow", "keras", "h5py"}
OWN_ROOMS = {
    f"marsgan_tf.{room}"
    for room in (
        "imaging",
        "dataset",
        "layers",
        "models",
        "training",
        "deployment",
        "inference",
        "assessment",
        "demonstration",
    )
}
# Prediction reads what an exported model is, not how it was made.
HOW_TO_EXPORT = {
    f"marsgan_tf.deployment.{path.stem}"
    for path in (ROOT / "marsgan_tf" / "deployment").glob("*.py")
} - {"marsgan_tf.deployment.description"}

# Glob -> packages that its files never import.
FORBIDDEN = {
    "marsgan_tf/**/*.py": {"pipelines", "tests", "tensorflow_addons"},
    "marsgan_tf/*.py": FRAMEWORKS,
    "marsgan_tf/config/*.py": FRAMEWORKS | OWN_ROOMS | {"numpy", "scipy"},
    "marsgan_tf/imaging/*.py": FRAMEWORKS
    | (OWN_ROOMS - {"marsgan_tf.imaging"}),
    "marsgan_tf/dataset/*.py": FRAMEWORKS
    | (OWN_ROOMS - {"marsgan_tf.dataset"}),
    "marsgan_tf/layers/*.py": {"tensorflow"}
    | (OWN_ROOMS - {"marsgan_tf.layers"}),
    "marsgan_tf/models/*.py": {"tensorflow"}
    | (OWN_ROOMS - {"marsgan_tf.layers", "marsgan_tf.models"}),
    "marsgan_tf/training/*.py": {
        "marsgan_tf.deployment",
        "marsgan_tf.inference",
    },
    "marsgan_tf/training/losses.py": {"tensorflow"},
    "marsgan_tf/deployment/*.py": OWN_ROOMS
    - {f"marsgan_tf.{room}" for room in ("deployment", "layers", "models")},
    "marsgan_tf/deployment/network.py": FRAMEWORKS | OWN_ROOMS,
    "marsgan_tf/deployment/description.py": FRAMEWORKS
    | OWN_ROOMS
    | {"numpy", "scipy"},
    "marsgan_tf/inference/*.py": {"keras", "h5py"}
    | HOW_TO_EXPORT
    | (
        OWN_ROOMS
        - {
            f"marsgan_tf.{room}"
            for room in ("imaging", "deployment", "inference")
        }
    ),
    "marsgan_tf/assessment/*.py": FRAMEWORKS
    | (OWN_ROOMS - {"marsgan_tf.imaging", "marsgan_tf.assessment"}),
    "marsgan_tf/demonstration/*.py": FRAMEWORKS
    | {
        f"marsgan_tf.{room}"
        for room in ("dataset", "layers", "models", "training", "deployment")
    },
    "pipelines/*.py": FRAMEWORKS,
}
# Package -> globs of the only files that import it, in functions or outside.
ONLY_IN = {
    "tensorflow": {
        "marsgan_tf/training/*.py",
        "marsgan_tf/deployment/*.py",
        "marsgan_tf/inference/*engine*.py",
    },
    "openvino": {"marsgan_tf/inference/openvino_core.py"},
    "grpc": {"marsgan_tf/inference/grpc_*.py"},
    "tensorflow_serving": {"marsgan_tf/inference/grpc_engine.py"},
    "rasterio": {
        f"marsgan_tf/imaging/{module}.py"
        for module in (
            "gdal",
            "gdal_georeference",
            "raster",
            "raster_tiles",
            "transfer",
            "warping",
        )
    },
    "urllib": {"pipelines/download.py"},
    "absl.flags": {"marsgan_tf/config_flags.py"},
    "distributed": {"pipelines/dask_engine.py"},
    "dask_jobqueue": {"pipelines/slurm.py"},
}


def imports(nodes):
    """Names that some statements import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_level_imports(path):
    """Names imported when the module loads, not inside its functions."""
    return imports(ast.parse(path.read_text()).body)


def all_imports(path):
    """Names imported anywhere in a module."""
    return imports(ast.walk(ast.parse(path.read_text())))


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
    wrong = {
        path.relative_to(ROOT).as_posix()
        for folder in ("marsgan_tf", "pipelines")
        for path in (ROOT / folder).rglob("*.py")
        for name in all_imports(path)
        if is_within(name, {package})
        and not any(
            path.relative_to(ROOT).match(pattern)
            for pattern in ONLY_IN[package]
        )
    }
    assert not wrong
