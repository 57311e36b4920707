"""Tests of what must hold for whatever is drawn, of few or of many draws."""

import hypothesis
import pytest

# What is drawn depends on nothing but the property's own code, so that a test
# that passed does not fail for an unrelated change. Machines differ in speed.
_SETTINGS = hypothesis.settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)


def holds(few, many, **strategies):
    """Makes a property a test, and with `-m slow` a longer one.

    Args:
        few: Examples by default.
        many: Examples of the slow test.
        **strategies: What is drawn, by the names of the property's arguments.
    """

    def decorated(check):
        @pytest.mark.parametrize(
            "examples",
            [
                pytest.param(few, id="few"),
                pytest.param(many, id="many", marks=pytest.mark.slow),
            ],
        )
        def test(examples):
            counted = hypothesis.settings(_SETTINGS, max_examples=examples)
            counted(hypothesis.given(**strategies)(check))()

        # Not `functools.wraps`: pytest would take what is drawn for fixtures.
        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorated
