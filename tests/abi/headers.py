#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""headers.py ROOT: the current plugin.h goes on with each released one: the same constants, and members only appended (README.md)."""
import pathlib
import re
import sys

# Structs of which a host or a plugin has arrays or copies without knowing another size: they never change.
CLOSED = {"xsd_piece"}
# What a version says of itself.
OWN = {"XSD_PLUGIN_API_MINOR"}


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def structs(text):
    """Name -> members in order, each as one line of text that holds its type."""
    found = {}
    for name, body in re.findall(r"\bstruct (\w+) \{(.*?)\n\};", without_comments(text), flags=re.S):
        found[name] = [" ".join(member.split()) for member in body.split(";") if member.strip()]
    return found


def constants(text):
    joined = without_comments(text).replace("\\\n", " ")
    return {name: " ".join(value.split()) for name, value in re.findall(r"^#define (XSD_\w+)(?!\()[ \t]+(.+)$", joined, flags=re.M)}


def compare(old, new):
    faults = []
    new_structs = structs(new)
    for name, members in structs(old).items():
        now = new_structs.get(name, [])
        for index, member in enumerate(members):
            if index >= len(now) or now[index] != member:
                faults.append(f"struct {name}: '{member}' is not at its place")
                break
        if name in CLOSED and len(now) > len(members):
            faults.append(f"struct {name} has grown, and nobody could know")
    new_constants = constants(new)
    for name, value in constants(old).items():
        if name not in OWN and new_constants.get(name) != value:
            faults.append(f"{name} was {value}, and is {new_constants.get(name, 'missing')}")
    return faults


def main(root):
    new = (root / "include/xsd/plugin.h").read_text()
    faults = []
    released = sorted((root / "tests/abi").glob("*.*/plugin.h"))
    for path in released:
        old = path.read_text()
        if not {"xsd_host", "xsd_plugin", "xsd_peer_info"} <= structs(old).keys() or "XSD_CLOSE_PEER" not in constants(old):
            faults.append(f"{path}: no header that this can read")
        faults += [f"{path.relative_to(root)}: {fault}" for fault in compare(old, new)]
        version = path.parent.name.split(".")
        if [constants(old).get(f"XSD_PLUGIN_API_{part}") for part in ("MAJOR", "MINOR")] != [f"{number}u" for number in version]:
            faults.append(f"{path.relative_to(root)}: is not of version {path.parent.name}")
        if constants(new)["XSD_PLUGIN_API_MINOR"] == constants(old)["XSD_PLUGIN_API_MINOR"] and structs(new) != structs(old):
            faults.append(f"{path.relative_to(root)}: is released; what is new is of the next minor version")
    print("\n".join(faults) if faults else f"{len(released)} released headers")
    return 1 if faults or not released else 0


sys.exit(main(pathlib.Path(sys.argv[1])))
