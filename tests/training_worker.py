"""Trains as one worker, and keeps what its own copy of everything came to.

A process of its own: `python tests/training_worker.py FLAGS`. Environment:
`KEEP_IN`, the folder that takes `<stage>-<worker>.npz`; `SIGNAL_AT`,
`NUMBER:STEP`, a signal that the process sends to itself while it takes the
STEP-th step of the run.
"""

import os

import numpy as np

from marsgan_tf import config, config_flags


def main(train_config):
    from marsgan_tf.training import loop, run, stage_run

    loop.compile_step = sending_a_signal(loop.compile_step)
    stage_run.train = keeping_weights(stage_run.train)
    run.run(train_config)


def sending_a_signal(compile_step):
    number, _, at = os.environ.get("SIGNAL_AT", "0:0").partition(":")
    taken = []

    def compile_with_signal(*arguments):
        take_step = compile_step(*arguments)

        def take(batch):
            taken.append(None)
            if len(taken) == int(at):
                os.kill(os.getpid(), int(number))
            return take_step(batch)

        return take

    return compile_with_signal


def keeping_weights(train):
    def train_and_keep(experiment, folder, stage, mean, steps):
        train(experiment, folder, stage, mean, steps)
        name = f"{folder.stage}-{experiment.workers.index}.npz"
        weights = {
            f"{owner}/{number}/{name_of(owner, variable)}": np.asarray(variable)
            for owner, variables in stage.state().items()
            for number, variable in enumerate(variables)
        }
        np.savez(os.path.join(os.environ["KEEP_IN"], name), **weights)

    return train_and_keep


def name_of(owner, variable):
    """Its path, but for what is numbered by whatever else a process built."""
    is_numbered = "optimizer" in owner or "seed" in variable.name
    return variable.name if is_numbered else variable.path


if __name__ == "__main__":
    config_flags.launch(config.TrainConfig, main)
