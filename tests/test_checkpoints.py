import keras
import numpy as np
import pytest
import tensorflow as tf

from marsgan_tf import errors
from marsgan_tf.training.checkpoints import Checkpoints


@pytest.fixture
def variables():
    return {
        "network": [keras.Variable([1.0, 2.0]), keras.Variable([[3.0]])],
        "optimizer": [keras.Variable(4, dtype="int32", trainable=False)],
    }


def values(variables):
    return [v.numpy().tolist() for part in variables.values() for v in part]


def scramble(variables):
    for part in variables.values():
        for variable in part:
            variable.assign(variable * 0 - 1)


def test_restores_every_variable_and_the_step(variables, tmp_path):
    before = values(variables)
    Checkpoints(tmp_path, variables, keep=2).save(17)
    scramble(variables)
    assert values(variables) != before
    assert Checkpoints(tmp_path, variables, keep=2).restore() == 17
    assert values(variables) == before


def test_nothing_to_restore(variables, tmp_path):
    before = values(variables)
    assert Checkpoints(tmp_path / "none", variables, keep=1).restore() == 0
    assert values(variables) == before


def test_keeps_the_newest(variables, tmp_path):
    checkpoints = Checkpoints(tmp_path, variables, keep=2)
    for step in (10, 20, 30):
        checkpoints.save(step)
    assert sorted(path.stem for path in tmp_path.glob("*.index")) == [
        "ckpt-20",
        "ckpt-30",
    ]


def test_folders_may_have_the_letters_of_patterns(variables, tmp_path):
    folder = tmp_path / "Лёд [1]*?" / "checkpoints"
    checkpoints = Checkpoints(folder, variables, keep=2)
    before = values(variables)
    for step in (10, 20, 30):
        path = checkpoints.save(step)
    assert path == str(folder / "ckpt-30")
    scramble(variables)
    assert Checkpoints(folder, variables, keep=2).restore() == 30
    assert values(variables) == before
    stems = sorted(path.stem for path in folder.glob("*.index"))
    assert stems == ["ckpt-20", "ckpt-30"]


def damage(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_a_damaged_checkpoint_is_passed_over(variables, tmp_path):
    checkpoints = Checkpoints(tmp_path, variables, keep=3)
    checkpoints.save(10)
    before = values(variables)
    scramble(variables)
    checkpoints.save(20)
    damage(tmp_path / "ckpt-20.data-00000-of-00001")
    assert Checkpoints(tmp_path, variables, keep=3).restore() == 10
    assert values(variables) == before


def test_no_checkpoint_can_be_read(variables, tmp_path):
    Checkpoints(tmp_path, variables, keep=1).save(10)
    damage(tmp_path / "ckpt-10.data-00000-of-00001")
    with pytest.raises(errors.CheckpointError, match=f"{tmp_path}.*delete"):
        Checkpoints(tmp_path, variables, keep=1).restore()


def test_a_full_disk_is_told_and_the_last_checkpoint_stays(
    variables, tmp_path, monkeypatch
):
    checkpoints = Checkpoints(tmp_path, variables, keep=1)
    checkpoints.save(10)

    def refuse(*_, **__):
        (tmp_path / "ckpt-20_temp").mkdir()
        raise tf.errors.ResourceExhaustedError(
            None, None, "{{function_node x}} f; No space left on device"
        )

    with monkeypatch.context() as patch:
        patch.setattr(tf.train.CheckpointManager, "save", refuse)
        with pytest.raises(errors.CheckpointError, match=r"\(f; No space"):
            checkpoints.save(20)
    assert not (tmp_path / "ckpt-20_temp").exists()
    assert Checkpoints(tmp_path, variables, keep=1).restore() == 10


def test_adam_goes_on_where_it_stopped(tmp_path):
    """Its moments and its count of steps are part of the state."""

    def optimize(weight, optimizer, steps):
        for step in range(steps):
            optimizer.apply([keras.ops.convert_to_tensor([0.5 + step])])
        return np.array(weight)

    def fresh():
        weight = keras.Variable([1.0])
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(
            [3], [0.1, 0.01]
        )
        optimizer = keras.optimizers.Adam(rate)
        optimizer.build([weight])
        state = {"weight": [weight], "optimizer": optimizer.variables}
        return weight, optimizer, Checkpoints(tmp_path, state, keep=1)

    weight, optimizer, checkpoints = fresh()
    optimize(weight, optimizer, 2)
    checkpoints.save(2)
    expected = optimize(weight, optimizer, 4)
    weight, optimizer, checkpoints = fresh()
    checkpoints.restore()
    np.testing.assert_array_equal(optimize(weight, optimizer, 4), expected)


def test_a_size_that_no_memory_holds_is_passed_over(
    variables, tmp_path, monkeypatch
):
    """As TensorFlow tells what some damaged indexes make it ask for."""
    checkpoints = Checkpoints(tmp_path, variables, keep=2)
    for step in (10, 20):
        checkpoints.save(step)
    restore = tf.train.Checkpoint.restore

    def restored(self, path):
        if path.endswith("ckpt-20"):
            raise MemoryError("std::bad_alloc")
        return restore(self, path)

    monkeypatch.setattr(tf.train.Checkpoint, "restore", restored)
    assert Checkpoints(tmp_path, variables, keep=2).restore() == 10


@pytest.mark.parametrize("content", [b"\xff\xfe", b"model_check", b""])
def test_a_garbled_list_does_not_matter(variables, tmp_path, content):
    before = values(variables)
    Checkpoints(tmp_path, variables, keep=2).save(17)
    scramble(variables)
    (tmp_path / "checkpoint").write_bytes(content)
    assert Checkpoints(tmp_path, variables, keep=2).restore() == 17
    assert values(variables) == before


def test_a_strange_list_deletes_nothing(variables, tmp_path):
    folder, other = tmp_path / "own", tmp_path / "other"
    Checkpoints(other, variables, keep=1).save(5)
    Checkpoints(folder, variables, keep=1).save(5)
    kept = {path: path.read_bytes() for path in other.iterdir()}
    path = folder / "checkpoint"
    path.write_text(path.read_text().replace("ckpt-5", "../other/ckpt-5"))
    checkpoints = Checkpoints(folder, variables, keep=1)
    for step in (6, 7):
        checkpoints.save(step)
    assert {path: path.read_bytes() for path in other.iterdir()} == kept
