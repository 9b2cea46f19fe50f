#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Includes go down only: a folder below xsd/ may include what its row allows, plugins/ only the public header.

The rows are those of xsd/README.md. Some libraries may be included in one file only.
"""
import pathlib
import re
import sys

ROWS = {
    "base": [],
    "net": ["base"],
    "reactor": ["base"],
    "config": ["base", "net"],
    "policy": ["base", "net", "config"],
    "process": ["base", "net", "reactor", "config"],
    "logger": ["base", "net", "reactor", "process"],
    "inquirer": ["base", "net", "reactor", "policy", "process"],
    "plugin": ["base", "net", "reactor", "config"],
    "service": ["base", "net", "reactor", "config", "policy", "process", "logger", "inquirer", "plugin"],
    "worker": ["base", "net", "reactor", "config", "policy", "process", "logger", "inquirer", "plugin", "service"],
    "manager": ["base", "net", "reactor", "config", "policy", "process", "logger", "inquirer", "plugin", "service", "worker"],
    "daemon": ["base", "net", "reactor", "config", "policy", "process", "logger", "inquirer", "plugin", "service", "worker", "manager"],
}
# Of config, these layers may see the definitions (values) and the grammars of some only, not the readers.
TYPES_ONLY = {"policy", "process", "logger", "plugin"}
CONFIG_TYPES = {"xsd/config/definitions.h", "xsd/config/argument_piece.h", "xsd/config/plugins.h", "xsd/config/access_times.h",
                "xsd/config/address_set.h", "xsd/config/rate.h", "xsd/config/source_prefix.h"}
ONE_PLACE = {
    "yaml-cpp/": {"xsd/config/yaml_reader.cc"},
    "boost/": {"xsd/daemon/options.cc"},
    "spdlog/": {"xsd/base/log.cc"},
    "tl/expected.hpp": {"xsd/base/result.h"},
    "seccomp.h": {"xsd/process/sandbox.cc"},
    "tcpd.h": {"xsd/inquirer/libwrap.cc"},
    "sys/capability.h": {"xsd/process/sandbox.cc"},
    "sys/pidfd.h": {"xsd/reactor/child_watcher.cc"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1)


def main(root):
    faults = []
    sources = [p for folder in ("xsd", "plugins", "include") for p in sorted((root / folder).rglob("*")) if p.suffix in (".h", ".cc", ".c", ".hpp")]
    for path in sources:
        name = path.relative_to(root).as_posix()
        parts = name.split("/")
        for number, included in includes(path):
            place = f"{name}:{number}"
            for library, files in ONE_PLACE.items():
                if included.startswith(library) and name not in files:
                    faults.append(f"{place}: {included} may be included in {', '.join(files)} only")
            target = included.split("/")
            if target[0] != "xsd":
                continue
            if parts[0] in ("plugins", "include") or len(target) == 2:
                if not (root / "include" / included).is_file():
                    faults.append(f"{place}: {included} is not a public header")
                continue
            layer = parts[1]
            if layer not in ROWS:
                faults.append(f"{place}: {layer} is not a layer")
            elif target[1] != layer and target[1] not in ROWS[layer]:
                faults.append(f"{place}: {layer} may not include {target[1]}")
            elif target[1] == "config" and layer in TYPES_ONLY and included not in CONFIG_TYPES:
                faults.append(f"{place}: {layer} may see the definitions of config only")
    print("\n".join(faults) if faults else f"{len(sources)} files, every include goes down")
    return 1 if faults else 0


sys.exit(main(pathlib.Path(sys.argv[1])))
