"""Every operation of the API, tried by nobody, by the wrong person and by the right one.

The OpenAPI document says who may call what (`x-access`), so that an operation added tomorrow is tried without a line
being added here. What it asks for is made up from its schema; what its path names is there, and belongs to others.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from served import Client, Server

from fairwind.identity import Access, grant_membership
from fairwind.kernel import PersonId, Transaction, uuid7
from market import open_shop

OPEN = {"public", "provider"}
ROLES = {"buyer", "creator", "merchant", "operator"}


class World:
    """A shop, a buyer's paid order with a refund, and a live session: things that belong to someone."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.document: dict[str, Any] = server.client().get("/openapi.json").json()
        self.people = {role: server.someone(role) for role in ROLES}
        self.nobody = server.client()
        self.stranger = server.someone("buyer", "creator", "merchant")
        self.there: dict[str, Any] = {}
        self._make_shop()
        self._make_order()
        self._go_live()
        self.there["person_id"] = server.someone("buyer").id

    def _make_shop(self) -> None:
        database = self.server.platform.database
        shop = self.server.run(open_shop(database, 100))
        others = self.server.run(open_shop(database, 100))

        async def join(tx: Transaction) -> None:
            now = self.server.clock.now()
            await grant_membership(tx, shop.id, PersonId(self.people["merchant"].id), now)
            await grant_membership(tx, others.id, PersonId(self.stranger.id), now)

        self.server.run(database.run(join))
        self.there |= {"shop_id": shop.id, "sku_id": shop.sku_id, "product_id": shop.sku_id}

    def _make_order(self) -> None:
        buyer, shop_id = self.people["buyer"], self.there["shop_id"]
        address = {"name": "王小明", "phone": "13800000000", "region": "110105", "detail": "建国路 1 号"}
        lines = [{"sku_id": self.there["sku_id"], "quantity": 2}]
        draft = {"id": self.new_id(), "lines": lines, "address": address}
        order = buyer.post(f"/shops/{shop_id}/orders", json=draft).raise_for_status().json()
        payment = {"id": self.new_id(), "orders": [{"shop_id": shop_id, "order_id": order["id"]}]}
        buyer.post("/payments", json=payment).raise_for_status()
        self.there |= {"order_id": order["id"], "payment_id": payment["id"]}

    def _go_live(self) -> None:
        host = self.people["creator"]
        self.there["room_id"] = host.put("/rooms/mine", json={"title": "直播间"}).raise_for_status().json()["id"]
        self.there["session_id"] = self.new_id()
        host.put(f"/live-sessions/{self.there['session_id']}", json={"title": "618"}).raise_for_status()

    def new_id(self) -> str:
        return str(uuid7(self.server.clock.now()))

    def operations(self) -> list[Operation]:
        return [
            Operation(self, path, method, operation)
            for path, methods in self.document["paths"].items()
            for method, operation in methods.items()
        ]


class Operation:
    """One operation of the document, ready to be called."""

    def __init__(self, world: World, path: str, method: str, operation: dict[str, Any]) -> None:
        self.name = f"{method.upper()} {path}"
        self.access: str = operation.get("x-access", "")
        self.named = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        self._world, self._path, self._method, self._operation = world, path, method, operation

    def tried_by(self, client: Client) -> Answer:
        schemas = {each["name"]: each["schema"] for each in self._operation["parameters"] if each["in"] == "path"}
        values = {name: self._world.there.get(name, self._sample(schema)) for name, schema in schemas.items()}
        content = self._operation.get("requestBody", {}).get("content", {})
        body = self._sample(content["application/json"]["schema"]) if "application/json" in content else None
        answer = client.request(self._method, self._path.format(**values), json=body)
        code = answer.json()["code"] if answer.status_code >= 400 else ""
        return Answer(answer.status_code, code)

    def _sample(self, schema: dict[str, Any]) -> Any:
        """The least that fits schema."""
        if "$ref" in schema:
            return self._sample(self._world.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        for wide in ("anyOf", "oneOf"):
            if wide in schema:
                return self._sample(schema[wide][0])
        if "enum" in schema:
            return schema["enum"][0]
        match schema.get("type"):
            case "object":
                return {name: self._sample(schema["properties"][name]) for name in schema.get("required", ())}
            case "array":
                return [self._sample(schema["items"]) for _ in range(schema.get("minItems", 0))]
            case "integer":
                return schema.get("minimum", 1)
            case "boolean":
                return True
            case "null":
                return None
            case "string":
                return self._text(schema)
        raise AssertionError(f"{self.name}: no sample for {schema}")

    def _text(self, schema: dict[str, Any]) -> str:
        match schema.get("format"):
            case "uuid":
                return self._world.new_id()
            case "date" | "date-time":
                return self._world.server.clock.now().isoformat()[: 10 if schema["format"] == "date" else None]
        examples = schema.get("examples") or [uuid4().hex[: schema.get("maxLength", 12)]]
        return str(examples[0]).ljust(schema.get("minLength", 0), "x")


class Answer(tuple[int, str]):
    """Status and code."""

    def __new__(cls, status: int, code: str) -> Answer:
        return super().__new__(cls, (status, code))

    @property
    def status(self) -> int:
        return self[0]


@pytest.fixture(scope="module")
def world(server: Server) -> World:
    return World(server)


def test_every_operation_says_who_may_call_it(world: World) -> None:
    known = {access.value for access in Access}

    assert [each.name for each in world.operations() if each.access not in known] == []
    assert len(world.operations()) > 60


def test_nobody_gets_past_the_door_of_anything_that_is_not_open(world: World) -> None:
    answers = {each.name: each.tried_by(world.nobody) for each in world.operations() if each.access not in OPEN}

    assert {name: answer for name, answer in answers.items() if answer != (401, "sign_in_needed")} == {}


def test_who_lacks_the_role_is_refused_whatever_other_roles_they_have(world: World) -> None:
    everything_but = {role: world.server.someone(*(ROLES - {role})) for role in ROLES}

    answers = {
        each.name: each.tried_by(everything_but[each.access]) for each in world.operations() if each.access in ROLES
    }

    assert {name: answer for name, answer in answers.items() if answer != (403, "forbidden")} == {}


def test_a_shop_is_closed_to_members_of_other_shops(world: World) -> None:
    ours = [each for each in world.operations() if each.access == "shop_member"]

    answers = {each.name: each.tried_by(world.stranger) for each in ours}

    assert len(ours) > 20
    assert {name: answer for name, answer in answers.items() if answer != (403, "forbidden")} == {}


def test_what_belongs_to_someone_is_closed_to_a_stranger_with_every_role_but_operator(world: World) -> None:
    """Signed in, of the right role, and asking for what others own: an order, a payment, a live session."""
    private = [
        each
        for each in world.operations()
        if each.access in {"signed_in", "buyer", "creator", "merchant"} and set(each.named) - {"shop_id"}
    ]

    answers = {each.name: each.tried_by(world.stranger) for each in private}

    assert len(private) > 8
    refused = {(403, "forbidden"), (404, "not_found"), (409, "id_reused")}
    assert {name: answer for name, answer in answers.items() if answer not in refused} == {}


def test_the_right_person_gets_in(world: World) -> None:
    """Whatever comes of it: it is not refused for who asks."""
    right = {**world.people, "public": world.nobody, "signed_in": world.people["buyer"]}
    right["shop_member"] = world.people["merchant"]

    answers = {}
    for each in world.operations():
        if each.access != "provider":
            client = right[each.access]
            answers[each.name] = each.tried_by(client if client is world.nobody else world.server.signed_in(client.id))

    wrong = {401, 403, 405, 415, 500}
    assert {
        name: answer
        for name, answer in answers.items()
        if answer.status in wrong and answer != (401, "wrong_credentials")
    } == {}


def test_an_operator_gets_into_every_shop(world: World) -> None:
    operator = world.people["operator"]

    answers = {each.name: each.tried_by(operator) for each in world.operations() if each.access == "shop_member"}

    assert {name: answer for name, answer in answers.items() if answer.status in (401, 403)} == {}
