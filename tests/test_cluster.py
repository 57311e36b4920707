"""Who trains together, by TF_CONFIG and by SLURM's variables."""

import json

import pytest

from marsgan_tf import errors
from marsgan_tf.training import cluster


@pytest.mark.parametrize(
    "text, hosts",
    [
        ("node7", ["node7"]),
        ("a,b", ["a", "b"]),
        ("node[01-03,07]", ["node01", "node02", "node03", "node07"]),
        ("gpu[9-11],login1", ["gpu9", "gpu10", "gpu11", "login1"]),
        ("r[1-2]n[01,03]", ["r1n01", "r1n03", "r2n01", "r2n03"]),
        ("n[3].site,x-1", ["n3.site", "x-1"]),
        ("node[098-101]", ["node098", "node099", "node100", "node101"]),
    ],
)
def test_host_lists_are_expanded(text, hosts):
    assert cluster.expand_hosts(text) == hosts


@pytest.mark.parametrize("text", ["", "a,,b", "a[1-", "a]1", "a[x-y]", "a[]"])
def test_wrong_host_lists_are_refused(text):
    with pytest.raises(errors.SettingsError, match="not a host list"):
        cluster.expand_hosts(text)


@pytest.mark.parametrize(
    "text, counts", [("1", [1]), ("2(x3),1", [2, 2, 2, 1]), ("4,2", [4, 2])]
)
def test_tasks_of_nodes_are_counted(text, counts):
    assert cluster.expand_counts(text) == counts


@pytest.mark.parametrize("text", ["", "x", "2(x)", "2,"])
def test_wrong_counts_are_refused(text):
    with pytest.raises(errors.SettingsError, match="not counts"):
        cluster.expand_counts(text)


def slurm(rank, node, local, **others):
    return {
        "SLURM_JOB_ID": "40003",
        "SLURM_STEP_NODELIST": "n[1-2],m5",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
        "SLURM_PROCID": str(rank),
        "SLURM_NODEID": str(node),
        "SLURM_LOCALID": str(local),
        **others,
    }


def test_a_step_of_slurm_is_a_cluster():
    description = cluster.describe(slurm(3, 1, 1))
    # 10000 + 8 * (40003 mod 2500), and one more for a node's second task.
    assert description == {
        "cluster": {
            "worker": [
                "n1:10024",
                "n1:10025",
                "n2:10024",
                "n2:10025",
                "m5:10024",
            ]
        },
        "task": {"type": "worker", "index": 3},
    }
    assert cluster.index(description) == 3


def test_tasks_that_are_not_dealt_node_by_node_are_refused():
    with pytest.raises(errors.SettingsError, match="--distribution=block"):
        cluster.describe(slurm(1, 1, 0))
    with pytest.raises(errors.SettingsError, match="--distribution=block"):
        cluster.describe(slurm(0, 0, 0, SLURM_STEP_NODELIST="n[1-2]"))


def config(kind="worker", place=0, **more):
    jobs = {"worker": ["a:1", "b:2"], **more}
    return {"cluster": jobs, "task": {"type": kind, "index": place}}


def test_tf_config_goes_before_slurm():
    given = config(place=1)
    environ = {**slurm(0, 0, 0), "TF_CONFIG": json.dumps(given)}
    assert cluster.describe(environ) == given


def test_a_chief_comes_first():
    given = config(place=1, chief=["c:0"])
    assert cluster.addresses(given) == ["c:0", "a:1", "b:2"]
    assert cluster.index(given) == 2
    assert cluster.index(config("chief", chief=["c:0"])) == 0


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        json.dumps(config(place=2)),
        json.dumps(config(place=-1)),
        json.dumps(config("evaluator")),
        json.dumps(config(place="1")),
    ],
)
def test_a_wrong_tf_config_is_told_with_its_form(text):
    with pytest.raises(errors.SettingsError, match="TF_CONFIG cannot.*worker"):
        cluster.describe({"TF_CONFIG": text})


def test_no_cluster_at_all():
    batch_script = {"SLURM_PROCID": "0", "SLURM_JOB_ID": "7"}
    with pytest.raises(errors.SettingsError, match="set TF_CONFIG.*srun"):
        cluster.describe(batch_script)
