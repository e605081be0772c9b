"""Judges the OpenAPI document, and answers of a real server by it, with validators we did not write.

Reads `{"document": …, "answers": [{"method", "path", "status", "content_type", "body"}]}` from standard input, where
`path` is the template of the document. Prints what is wrong, a line each; exit code 1 if anything is.
"""

import copy
import json
import sys

from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012


def closed(document):
    """The document with every object closed: a field that is sent and not documented is an error."""
    document = copy.deepcopy(document)
    schemas = document["components"]["schemas"]
    parts = set()

    def walk(value, in_all_of=False):
        if isinstance(value, list):
            for item in value:
                walk(item, in_all_of)
        elif isinstance(value, dict):
            if in_all_of and "$ref" in value:
                parts.add(value["$ref"].rsplit("/", 1)[-1])
            for name, item in value.items():
                walk(item, name == "allOf" or (in_all_of and name in ("oneOf", "anyOf")))

    walk(schemas)
    for name, schema in schemas.items():
        if name not in parts and ("properties" in schema or "allOf" in schema):
            schema.setdefault("unevaluatedProperties", False)
    return document


def documented(document, answer):
    """The response of the document that is about this answer, and its place in it."""
    operation = document["paths"].get(answer["path"], {}).get(answer["method"].lower())
    if operation is None:
        return None, None
    status = str(answer["status"])
    for key in (status, f"{status[0]}XX", "default"):
        if key in operation["responses"]:
            path = answer["path"].replace("~", "~0").replace("/", "~1")
            return operation["responses"][key], f"#/paths/{path}/{answer['method'].lower()}/responses/{key}"
    return None, None


def problems(document, answers):
    for error in OpenAPIV31SpecValidator(document).iter_errors():
        yield f"the document: {error.message} at {'/'.join(map(str, error.absolute_path))}"
    strict = closed(document)
    registry = Registry().with_resource("urn:document", Resource.from_contents(strict, DRAFT202012))
    seen = set()
    for answer in answers:
        what = f"{answer['method']} {answer['path']} {answer['status']}"
        response, place = documented(strict, answer)
        if response is None:
            yield f"{what}: is not documented"
            continue
        seen.add((answer["path"], answer["method"].lower()))
        content, kind = response.get("content", {}), (answer["content_type"] or "").split(";")[0]
        if not content and not kind:
            continue
        if kind not in content:
            yield f"{what}: sends {kind!r}, documented are {sorted(content)}"
            continue
        if kind == "application/json":
            pointer = f"urn:document{place}/content/application~1json/schema"
            for error in OAS31Validator({"$ref": pointer}, registry=registry).iter_errors(answer["body"]):
                yield f"{what}: {error.message} at {'/'.join(map(str, error.absolute_path)) or '/'}"
    for path, operations in document["paths"].items():
        for method in operations:
            if (path, method) not in seen:
                yield f"{method.upper()} {path}: no answer of it was recorded"


def main():
    recorded = json.load(sys.stdin)
    found = list(problems(recorded["document"], recorded["answers"]))
    print("\n".join(found))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
