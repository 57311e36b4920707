"""What a speed depends on, besides the program."""

import importlib.metadata
import os
import re

_CPU_INFO = "/proc/cpuinfo"
_FLAGS = ("amx_bf16", "amx_tile", "avx512_bf16", "avx512f", "avx2")


def describe(packages: tuple[str, ...]) -> str:
    """Processor, what of bfloat16 it has, cores, and versions."""
    versions = [f"{name} {_version(name)}" for name in packages]
    return f"{_processor()}; {os.cpu_count()} processors; {', '.join(versions)}"


def _processor() -> str:
    try:
        with open(_CPU_INFO, encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return "unknown processor"
    name = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    words = set(text.split())
    flags = [flag for flag in _FLAGS if flag in words]
    return f"{name[1] if name else 'processor'} ({', '.join(flags)})"


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"
