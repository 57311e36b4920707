"""Root without the power to open what is closed to it."""

import ctypes
import os

_OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_DROP_FROM_BOUNDS = 24  # PR_CAPBSET_DROP
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def obey_permissions():
    """From here on, files' modes bind this process and those it starts."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in _OVERRIDES:
        _require(libc.prctl(_DROP_FROM_BOUNDS, capability, 0, 0, 0))
    header, sets = _Header(_VERSION_3, 0), (_Sets * 2)()
    _require(libc.capget(ctypes.byref(header), sets))
    kept = ~sum(1 << capability for capability in _OVERRIDES)
    for name in ("effective", "permitted", "inheritable"):
        value = getattr(sets[0], name) & kept
        setattr(sets[0], name, value & 0xFFFFFFFF)
    _require(libc.capset(ctypes.byref(header), sets))


def _require(status):
    if status:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
