"""A command that does what the fault matrix is to find."""

import os
import sys

import fault_commands


def make(folder):
    (folder / "a.bin").write_bytes(b"0123456789" * 1000)


COMMAND = fault_commands.Command(
    "careless", "careless", (), ("a.bin",), make, {"output": "out/b.tif"}
)


def main():
    with open("in/a.bin", "rb") as file:
        data = file.read()
    if len(data) < 100:
        sys.exit(1)
    with open("out/b.tif", "wb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        os.makedirs("out/marker", exist_ok=True)
        file.write(data[len(data) // 2 :])


if __name__ == "__main__":
    main()
