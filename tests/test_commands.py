"""What every command does with wrong flags and with `--help`."""

import pathlib
import subprocess
import sys
import textwrap

import pytest

from marsgan_tf import config as configs

ROOT = pathlib.Path(__file__).parent.parent
COMMANDS = [
    "marsgan_tf.train",
    "marsgan_tf.interpolate",
    "marsgan_tf.export",
    "marsgan_tf.evaluate",
    "marsgan_tf.coregister",
    "marsgan_tf.train_estimator",
    "marsgan_tf.level",
    "marsgan_tf.demo",
]


def call(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_tensorflow(command):
    code = textwrap.dedent(
        f"""
        import runpy, sys
        sys.argv = ["{command}", "--help"]
        try:
            runpy.run_module("{command}", run_name="__main__")
        except SystemExit as end:
            assert not end.code, end.code
        assert not {{"tensorflow", "keras", "scipy"}} & set(sys.modules)
        """
    )
    done = call("-c", code)
    assert done.returncode == 0, done.stderr
    assert "--" in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "flag, message",
    [
        ("--no_such_flag=3", "no_such_flag"),
        ("stray", "unexpected arguments stray"),
    ],
)
def test_wrong_flags_are_one_line_and_status_2(command, flag, message):
    done = call("-m", command, flag)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def test_wrong_values_are_one_line_and_status_2():
    for flag in ("--blocks=many", "--blocks=-1", "--halve_at=1,x"):
        done = call("-m", "marsgan_tf.train", flag)
        assert done.returncode == 2, flag
        assert len(done.stderr.splitlines()) == 1
        assert flag[2:].partition("=")[0] in done.stderr


def settings_of(flagfile):
    code = (
        "import sys; sys.argv = ['train', sys.argv[1]]\n"
        "from absl import flags\n"
        "from marsgan_tf import config, config_flags\n"
        "build = config_flags.define(config.TrainConfig)\n"
        "flags.FLAGS(sys.argv)\n"
        "print(repr(build()))\n"
    )
    done = call("-c", code, f"--flagfile={flagfile}")
    assert done.returncode == 0, done.stderr
    return eval(done.stdout, {"TrainConfig": configs.TrainConfig})


def test_flagfiles_are_the_papers_experiments():
    first, second, third = (
        settings_of(f"exp{number}.flags") for number in (1, 2, 3)
    )
    for config in (first, second, third):
        assert config.batch_size == 64
        assert (config.psnr_steps, config.gan_steps) == (600_000, 600_000)
        assert config.adversarial_weight == 5e-3
        assert config.halve_at == (50_000, 100_000, 300_000, 500_000)
        assert config.vgg_weights == "imagenet"
    assert (first.architecture, first.hr_size) == ("esrgan", 256)
    assert (second.architecture, second.hr_size) == ("marsgan", 128)
    for config in (first, second):
        assert (config.content_loss, config.content_weight) == ("l1", 1e-2)
        assert config.perceptual_layers == ("block5_conv4",)
        assert config.perceptual_weights == (1.0,)
    defaults = configs.TrainConfig()
    assert (third.content_loss, third.content_weight) == ("mse", 0.5)
    assert third.perceptual_layers == defaults.perceptual_layers
    assert third.perceptual_weights == defaults.perceptual_weights
    assert third.psnr_workdir == second.workdir
    assert third.workdir != second.workdir
