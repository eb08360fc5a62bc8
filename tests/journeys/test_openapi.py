"""What schemathesis makes up from the OpenAPI document is answered as the document says, and never with a 5xx.

Each case, good or bad on purpose, is sent by a buyer and creator with ids made up, and by a merchant and operator with
ids of things that are there. FAIRWIND_TEST_EXAMPLES=100 looks longer, and elsewhere each time.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.checks import negative_data_rejection
from world import World

from fairwind.identity import SESSION_COOKIE
from fairwind.kernel import Database, Platform, Settings, SystemClock
from fairwind.web import build

FEW = 4
EXAMPLES = int(os.environ.get("FAIRWIND_TEST_EXAMPLES", FEW))
LIMITS = settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES == FEW,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]


def operations() -> dict[str, Any]:
    """Each operation of the document by its name. Sessions are the test's business: schemathesis would forge some."""
    app = build(Platform(Database("postgresql://nobody@127.0.0.1:1/none"), SystemClock(), Settings()))
    document = {**app.state.openapi, "paths": {}}
    for path, methods in app.state.openapi["paths"].items():
        document["paths"][path] = {method: {**each, "security": []} for method, each in methods.items()}
    found = [each.ok() for each in schemathesis.openapi.from_dict(document).get_all_operations()]
    return {each.label: each for each in found}


OPERATIONS = operations()


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
def test_the_server_answers_as_it_says(name: str, mode: GenerationMode, world: World) -> None:
    @LIMITS
    @given(case=OPERATIONS[name].as_strategy(mode))
    def ask(case: Any) -> None:
        send(case, "buyer", "creator")
        case.path_parameters = {name: world.there.get(name, value) for name, value in case.path_parameters.items()}
        send(case, "merchant", "operator")

    def send(case: Any, *roles: str) -> None:
        cookies = {SESSION_COOKIE: world.session(*roles)}
        case.call_and_validate(base_url=world.server.url, cookies=cookies, checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "something good can always be said; nothing bad where nothing is asked"
