"""Fits schemathesis to the HTTP APIs of Weft: values, CBOR, errors of functions, and defects of the tool."""

import base64
import json
import math
from functools import partial

import cbor2
import schemathesis
from schemathesis.specs.openapi.adapter import responses
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

PROBLEM = "application/problem+json"
PROBLEM_OF_HOST = "tag:weft.dev,2026:problem/"

# schemathesis 4.32 rewrites `prefixItems` in schemas of responses to the form of draft 4, which its
# own validator of 2020-12 then refuses: no response with a tuple could be checked.
responses.to_json_schema = partial(responses.to_json_schema, convert_prefix_items=False)


# === values that the shop knows: few generated texts would be the name of a product ===

PRODUCTS = ("teapot", "cup", "sencha", "strainer")


@schemathesis.hook
def map_path_parameters(_context, parameters):
    if not isinstance(parameters, dict):
        return parameters
    return {name: product(value) if name.endswith("sku") else value for name, value in parameters.items()}


@schemathesis.hook
def map_body(_context, body):
    lines = body.get("lines") if isinstance(body, dict) else None
    if not isinstance(lines, list):
        return body
    return body | {"lines": [known_line(line) if isinstance(line, dict) else line for line in lines]}


def known_line(line):
    """The line with a product and a quantity that the shop may have, if it has ones of their types."""
    quantity = line.get("quantity")
    is_number = isinstance(quantity, int) and not isinstance(quantity, bool) and 0 <= quantity < 2**32
    known = {"quantity": quantity % 3} if is_number else {}
    return line | known | ({"sku": product(line["sku"])} if "sku" in line else {})


def product(text):
    """A product for a short text; other values stay as they are."""
    return PRODUCTS[len(text)] if isinstance(text, str) and len(text) < len(PRODUCTS) else text


# === CBOR: the document has the schema of its JSON form (docs/json.md) ===


@schemathesis.serializer("application/cbor")
def to_cbor(_context, value):
    return cbor2.dumps(value)


@schemathesis.deserializer("application/cbor")
def from_cbor(_context, response):
    return as_json(cbor2.loads(response.content))


def as_json(value):
    match value:
        case bytes():
            return base64.b64encode(value).decode()
        case float() if math.isnan(value):
            return "NaN"
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case list():
            return [as_json(item) for item in value]
        case dict():
            return {key_as_json(key): as_json(item) for key, item in value.items()}
        case _:
            return value


def key_as_json(key):
    return key if isinstance(key, str) else json.dumps(key)


# === checks, in place of those of the same purpose ===


@schemathesis.check
def valid_request_reaches_the_function(context, response, case):
    """`positive_data_acceptance`, but a function may return an error of any status."""
    if not is_error_of_function(response):
        positive_data_acceptance(context, response, case)


def is_error_of_function(response):
    if response.headers.get("content-type") != [PROBLEM]:
        return False
    return not response.json()["type"].startswith(PROBLEM_OF_HOST)


@schemathesis.check
def invalid_request_is_refused(context, response, case):
    """`negative_data_rejection`, but for what is valid when it is sent. A header without a value is
    an empty list: schemathesis sends it for lists with one invalid value, such as `[null]`. And a
    part of a form that is bytes has no types: schemathesis sends the JSON of any value there."""
    if not has_empty_list_in_header(case) and not has_value_as_bytes(case):
        negative_data_rejection(context, response, case)


def has_empty_list_in_header(case):
    headers = case.headers or {}
    lists = (it.name for it in case.operation.headers if it.definition["schema"].get("type") == "array")
    return any(headers.get(name) == "" for name in lists)


def has_value_as_bytes(case):
    if case.media_type != "multipart/form-data" or not isinstance(case.body, dict):
        return False
    bodies = (it for it in case.operation.body if it.media_type == case.media_type)
    schemas = (it.definition["schema"].get("properties", {}) for it in bodies)
    parts = [name for schema in schemas for name, part in schema.items() if "contentMediaType" in part]
    return any(not isinstance(case.body[name], str) for name in parts if name in case.body)
