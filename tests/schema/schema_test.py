#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""schema_test.py ROOT [--write]: service.schema.json and xsd.schema.json take every good file of the tree, and of tests/config/bad they
refuse exactly those in refused.txt.

What an editor makes of a scalar depends on its YAML: so each file is read as YAML 1.2 has it, as 1.1 has it, and with every scalar a text,
as the daemon reads it. Good files pass in each of the three; a bad one is refused if it is in 1.2. --write writes refused.txt anew;
read it before you commit it.
"""
import json
import pathlib
import re
import sys
import warnings

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing} (apt install python3-jsonschema python3-yaml)")
    sys.exit(77)

MOST_SHOWN = 40


class Texts(yaml.SafeLoader):
    """Every scalar is a text, but for those that stand for nothing."""


class Core(yaml.SafeLoader):
    """The core schema of YAML 1.2: what editors take by default."""


NULL = ("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
Texts.yaml_implicit_resolvers = {}
Core.yaml_implicit_resolvers = {}
Texts.add_implicit_resolver(*NULL)
for rule in (
    NULL,
    ("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("tag:xsd,2026:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789")),
    ("tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"), list("-+.0123456789")),
):
    Core.add_implicit_resolver(*rule)
Core.add_constructor("tag:xsd,2026:int", lambda loader, node: int(loader.construct_scalar(node)))  # 022 is 22 there


def documents(text):
    """What the three readings make of a file; nothing if it is no YAML to them."""
    try:
        return [yaml.load(text, Loader=loader) for loader in (Core, yaml.SafeLoader, Texts)]
    except (yaml.YAMLError, ValueError):
        return []


class Schemas:
    def __init__(self, folder):
        self.validators = {}
        for name in ("service", "xsd"):
            path = folder / f"{name}.schema.json"
            schema = json.loads(path.read_text())
            jsonschema.Draft7Validator.check_schema(schema)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # what came after it is not in Debian 12
                resolver = jsonschema.RefResolver(path.resolve().as_uri(), schema)
            self.validators[name] = jsonschema.Draft7Validator(schema, resolver=resolver)

    def faults(self, is_main, document):
        found = self.validators["xsd" if is_main else "service"].iter_errors(document)
        return [f"{'/'.join(map(str, error.absolute_path)) or 'file'}: {error.message[:200]}" for error in found]

    def examples(self):
        """(where, schema, value) of each default and example that they hold themselves."""
        for name, validator in self.validators.items():
            stack = [(name, validator.schema)]
            while stack:
                where, node = stack.pop()
                for child in ("definitions", "properties", "patternProperties"):
                    stack += [(f"{where}/{key}", value) for key, value in node.get(child, {}).items()]
                values = node.get("examples", []) + ([node["default"]] if "default" in node else [])
                for value in values:
                    yield where, validator, node, value


def blocks(page):
    return re.findall(r"^```yaml\n(.*?)^```", page.read_text(), flags=re.S | re.M)


def good_files(root):
    """(name, is it a main file, text)"""
    for path in sorted((root / "tests/config/good").glob("*.yaml")):
        yield path.name, path.name.startswith("main_"), path.read_text()
    for folder in ("conf.d", "packaging/examples"):
        for path in sorted((root / folder).rglob("*.yaml")):
            yield f"{folder}/{path.name}", path.name == "xsd.yaml", path.read_text()
    yield "packaging/xsd.yaml", True, (root / "packaging/xsd.yaml").read_text()
    for page in [root / "README.md", *sorted((root / "packaging/doc").glob("*.md"))]:
        for number, text in enumerate(blocks(page), 1):
            yield f"{page.name}#{number}", re.search(r"^(daemon|defaults|include):", text, flags=re.M) is not None, text
    for folder in ("corpus", "import"):  # what --import has printed: a report, a line, the file
        for path in sorted((root / "tests/config" / folder).glob("*.golden")):
            yield f"{folder}/{path.name}", False, path.read_text().partition("\n---\n")[2]


def main(root, write):
    schemas = Schemas(root / "packaging/schema")
    faults = []
    good = 0
    for name, is_main, text in good_files(root):
        good += 1
        readings = documents(text)
        if not readings:
            faults.append(f"{name}: no YAML")
        for reading, document in zip(("1.2", "1.1", "texts"), readings):
            faults += [f"{name} ({reading}): {fault}" for fault in schemas.faults(is_main, document)]
    examples = 0
    for where, validator, node, value in schemas.examples():
        examples += 1
        faults += [f"{where}: {error.message}" for error in validator.evolve(schema=node).iter_errors(value)]
    refused = []
    bad = sorted((root / "tests/config/bad").glob("*.yaml"))
    for path in bad:
        readings = documents(path.read_bytes().decode("utf-8", errors="replace"))
        if readings and schemas.faults(path.name.startswith("main_"), readings[0]):
            refused.append(path.stem)
    listed = root / "tests/schema/refused.txt"
    if write:
        listed.write_text("".join(f"{name}\n" for name in refused))
    expected = set(listed.read_text().split())
    faults += [f"bad/{name}.yaml: is refused; add it to refused.txt" for name in refused if name not in expected]
    faults += [f"bad/{name}.yaml: is taken" for name in sorted(expected - set(refused))]
    print("\n".join(faults[:MOST_SHOWN]) if faults else f"{good} good files, {examples} examples; of {len(bad)} bad files {len(refused)} are refused")
    return 1 if faults or good < 200 else 0


sys.exit(main(pathlib.Path(sys.argv[1]), "--write" in sys.argv[2:]))
