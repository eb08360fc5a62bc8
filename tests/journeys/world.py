"""Things that belong to someone, and every operation of the API made up to ask for them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from served import Client, Server

from fairwind.identity import grant_membership
from fairwind.kernel import PersonId, ShopId, uuid7
from market import open_shop

ROLES = {"buyer", "creator", "merchant", "agency", "operator"}


class World:
    """A shop, a buyer's paid order with a refund, and a live session: things that belong to someone."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.document: dict[str, Any] = server.client().get("/openapi.json").json()
        self.people = {role: server.someone(role) for role in ROLES}
        self.nobody = server.client()
        self.stranger = server.someone("buyer", "creator", "merchant", "agency")
        self.there: dict[str, Any] = {}
        self._callers: dict[tuple[str, ...], int] = {}
        self._make_shop()
        self._make_order()
        self._go_live()
        self.there["person_id"] = server.someone("buyer").id

    def _make_shop(self) -> None:
        database = self.server.platform.database
        shop = self.server.run(open_shop(database, 100))
        others = self.server.run(open_shop(database, 100))
        self.server.run(self._join(shop.id, self.people["merchant"]))
        self.server.run(self._join(others.id, self.stranger))
        self.there |= {"shop_id": shop.id, "sku_id": shop.sku_id, "product_id": shop.product_ids[0]}

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

    def session(self, *roles: str) -> str:
        """A session of someone with these roles and the shop: a new one each time, for a case may sign out."""
        if roles not in self._callers:
            someone = self.server.someone(*roles)
            self.server.run(self._join(self.there["shop_id"], someone))
            self._callers[roles] = someone.id
        return self.server.session(self._callers[roles])

    async def _join(self, shop_id: int, member: Client) -> None:
        async with self.server.platform.database.transaction() as tx:
            await grant_membership(tx, ShopId(shop_id), PersonId(member.id), self.server.clock.now())

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
