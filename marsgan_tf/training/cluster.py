"""Which processes train together, by TF_CONFIG or by SLURM's variables."""

import itertools
import json
import re

from marsgan_tf import errors

TF_CONFIG = "TF_CONFIG"
_SLURM = {
    name: f"SLURM_{name}"
    for name in (
        "STEP_NODELIST",
        "STEP_TASKS_PER_NODE",
        "PROCID",
        "NODEID",
        "LOCALID",
    )
}
# Below the ports that systems give to outgoing connections (32768 on).
_FIRST_PORT = 10_000
_PORTS_PER_JOB = 8
_JOBS = 2_500


def describe(environ):
    """The cluster and this process's task in it.

    Args:
        environ: Environment variables.

    Returns:
        What TF_CONFIG holds: `{"cluster": {"worker": ["host:port", ...]},
        "task": {"type": "worker", "index": n}}`; a "chief" may be there too.

    Raises:
        SettingsError: If TF_CONFIG is wrong, or if there is neither it nor a
            step of SLURM.
    """
    if environ.get(TF_CONFIG):
        return _parse(environ[TF_CONFIG])
    if set(_SLURM.values()) <= set(environ):
        return from_slurm(environ)
    raise errors.SettingsError(
        "--strategy=multi_worker finds no cluster: set TF_CONFIG for each "
        "process, or start them by `srun` in a job of SLURM"
    )


def addresses(description):
    """`host:port` of every worker, the chief's first."""
    cluster = description["cluster"]
    return [*cluster.get("chief", []), *cluster["worker"]]


def index(description):
    """This process's place in `addresses`; the one at 0 writes the files."""
    task = description["task"]
    before = len(description["cluster"].get("chief", []))
    return task["index"] + (before if task["type"] == "worker" else 0)


def from_slurm(environ):
    """The same from the variables that `srun` sets for a step's tasks.

    Ports follow from the job's number, so that two jobs on one node seldom
    meet.

    Raises:
        SettingsError: If they cannot be read, or tasks are not dealt out node
            by node.
    """
    values = {name: environ[variable] for name, variable in _SLURM.items()}
    first = _FIRST_PORT + _PORTS_PER_JOB * (
        int(environ.get("SLURM_JOB_ID", 0)) % _JOBS
    )
    hosts = expand_hosts(values["STEP_NODELIST"])
    counts = expand_counts(values["STEP_TASKS_PER_NODE"])
    rank, node, local = (
        int(values[name]) for name in ("PROCID", "NODEID", "LOCALID")
    )
    if len(hosts) != len(counts) or rank != sum(counts[:node]) + local:
        raise errors.SettingsError(
            f"task {rank} of SLURM is number {local} on node {node} of "
            f"{len(hosts)}, with {values['STEP_TASKS_PER_NODE']} tasks a node; "
            "start them with `srun --distribution=block`"
        )
    workers = [
        f"{host}:{first + place}"
        for host, count in zip(hosts, counts, strict=True)
        for place in range(count)
    ]
    return {
        "cluster": {"worker": workers},
        "task": {"type": "worker", "index": rank},
    }


def expand_hosts(text):
    """Names of a host list such as `gpu[01-03,07],login1`, in order.

    Raises:
        SettingsError: If it cannot be read.
    """
    # Commas within brackets part ranges, not hosts.
    names = re.findall(r"(?:[^,\[\]]|\[[^\[\]]*\])+", text)
    if not names or ",".join(names) != text:
        raise errors.SettingsError(f"not a host list of SLURM: {text}")
    return [host for name in names for host in _expand_brackets(name)]


def expand_counts(text):
    """Tasks of each node, from `2(x3),1`.

    Raises:
        SettingsError: If it cannot be read.
    """
    parts = [re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", p) for p in text.split(",")]
    if not all(parts):
        raise errors.SettingsError(f"not counts of tasks of SLURM: {text}")
    return [int(part[1]) for part in parts for _ in range(int(part[2] or 1))]


def _expand_brackets(name):
    pieces = re.split(r"\[([^\[\]]*)\]", name)
    choices = [
        _expand_ranges(piece) if position % 2 else [piece]
        for position, piece in enumerate(pieces)
    ]
    return ["".join(parts) for parts in itertools.product(*choices)]


def _expand_ranges(text):
    """`01-03,07` to 01, 02, 03, 07: as wide as the first number."""
    numbers = []
    for part in text.split(","):
        bounds = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not bounds:
            raise errors.SettingsError(f"not a host list of SLURM: [{text}]")
        low, high = bounds[1], bounds[2] or bounds[1]
        numbers += [
            f"{number:0{len(low)}d}"
            for number in range(int(low), int(high) + 1)
        ]
    return numbers


def _parse(text):
    try:
        description = json.loads(text)
        task = description["task"]
        if task["type"] not in ("chief", "worker"):
            raise ValueError("the task is no worker")
        if not 0 <= task["index"] < len(description["cluster"][task["type"]]):
            raise ValueError("the task's index is not in the cluster")
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise errors.SettingsError(
            f"TF_CONFIG cannot be used ({type(error).__name__}: {error}); it "
            'reads {"cluster": {"worker": ["host:port", ...]}, "task": '
            '{"type": "worker", "index": 0}}'
        ) from None
    return description
