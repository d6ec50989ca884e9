#!/usr/bin/env python3
"""Texts under the masks of schemas, judged by jsonschema: `grammar_samples COUNT | conforms.py`. Exit status 1 where one
does not fit."""
import json
import sys

import jsonschema

checked = whole = faults = 0
for line in sys.stdin:
    sample = json.loads(line)
    schema = sample["schema"]
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
    checked += 1
    for text in sample["texts"]:
        whole += 1
        try:
            validator.validate(json.loads(text))
        except (ValueError, jsonschema.ValidationError) as error:
            faults += 1
            print(f"{sample['name']}: {str(error).splitlines()[0]}\n  {text}")
print(f"{checked} schemas, {whole} texts, {faults} do not fit")
sys.exit(1 if faults or not whole else 0)
