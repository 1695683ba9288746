#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""schema.py SCHEMA FILE: is FILE what the JSON schema tests/data/schemas/SCHEMA says? Prints what is wrong; exits with 1."""
import json
import lzma
import os
import sys

import jsonschema

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "schemas")


def load(name):
    with lzma.open(os.path.join(FOLDER, name + ".xz"), "rt", encoding="utf-8") as f:
        return json.load(f)


schema = load(sys.argv[1])
store = {}
for name in os.listdir(FOLDER):
    other = load(name[:-3])
    store[other.get("$id", name)] = other
    # How they name each other: by file, beside their own place.
    store["http://cyclonedx.org/schema/" + name[:-3]] = other
with open(sys.argv[2], encoding="utf-8") as f:
    document = json.load(f)
kind = jsonschema.validators.validator_for(schema)
kind.check_schema(schema)
resolver = jsonschema.RefResolver.from_schema(schema, store=store)
wrong = list(kind(schema, resolver=resolver, format_checker=jsonschema.FormatChecker()).iter_errors(document))
for one in wrong[:10]:
    print("/".join(str(p) for p in one.absolute_path), one.message[:300])
sys.exit(1 if wrong else 0)
