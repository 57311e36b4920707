"""Noise of a generator that several replicas train."""

_APART = 1_000_003


def separate(generator, strategy):
    """Gives every replica draws of its own; the first keeps its own.

    To be called once the weights are built or restored: checkpoints hold the
    first replica's state, which then goes to all.

    Args:
        generator: Its layers may hold seed generators.
        strategy: The strategy that it was built under.
    """
    for variable in generator.variables:
        if variable.name != "seed_generator_state":
            continue
        states = strategy.experimental_local_results(variable.value)
        first = states[0].numpy()
        for replica, state in enumerate(states):
            state.assign([first[0] + replica * _APART, first[1]])
