"""Things that belong to someone, and every operation of the API made up to ask for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from served import Client, Server

from fairwind.identity import grant_membership
from fairwind.kernel import OrderId, PersonId, ShopId, uuid7
from fairwind.ledger import SHOP
from fairwind.settlement import PayingOut
from fairwind.settlement.store.withholdings import withholdings_opened
from fairwind.settlement.withholding import Withholding, WithholdingId
from market import open_shop
from payables import post

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
        self._publish_support()
        self._propose_campaign()
        self._pay_out()
        self._spread_a_link()
        self._open_alliance()
        self._withhold()
        self._share_traffic()
        self.there |= {"kind": "creator", "payee_id": self.people["buyer"].id}
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

    def _publish_support(self) -> None:
        """The platform supports goods of a category that nobody sells."""
        operator = self.people["operator"]
        category = operator.post("/categories", json={"name": self.new_id()}).raise_for_status().json()
        draft = {
            "id": self.new_id(),
            "code": "support-of-the-walk",
            "name_en": "category support",
            "name_zh": "类目扶持",
            "rate_ppm": 5_000,
            "channels": ["own"],
            "categories": [category["id"]],
            "conditions": {"kind": "category_support"},
        }
        programme = operator.post("/support-programmes", json=draft).raise_for_status().json()
        self.there |= {"category_id": category["id"], "programme_id": programme["id"], "version": 1}

    def _pay_out(self) -> None:
        """The shop has earned something, and it is paid out."""
        platform, shop_id = self.server.platform, self.there["shop_id"]
        self.server.run(post(platform.database, shop_id, {SHOP: 9900}))
        self.server.run(PayingOut(platform, platform.provided["payouts"]).gather())
        [payout] = self.people["merchant"].get(f"/shops/{shop_id}/payouts").raise_for_status().json()["items"]
        self.there["payout_id"] = payout["id"]

    def _withhold(self) -> None:
        """The buyer disputes a line of the order, as if it were paid."""
        database, now = self.server.platform.database, self.server.clock.now()
        order_id, buyer_id = OrderId(UUID(self.there["order_id"])), PersonId(self.people["buyer"].id)
        id = WithholdingId(uuid7(now))  # noqa: A001
        dispute = Withholding(self.there["shop_id"], id, order_id, 1, "dispute", "货不对板", None, buyer_id, now)

        async def work() -> None:
            async with database.transaction() as tx:
                await tx.together(*withholdings_opened(dispute.shop_id, [dispute]))

        self.server.run(work())
        self.there["withholding_id"] = str(dispute.id)

    def _propose_campaign(self) -> None:
        """The shop is asked to pay for subsidies."""
        now = self.server.clock.now()
        funding = {"funder_id": self.there["shop_id"], "share_ppm": 1_000_000, "budget_fen": 1000}
        draft = {
            "id": self.new_id(),
            "name": "双百亿补贴",
            "rule": {"rate_ppm": 100_000},
            "fundings": [funding],
            "scope": {"shop_ids": [self.there["shop_id"]]},
            "starts_at": (now + timedelta(days=200)).isoformat(),
            "ends_at": (now + timedelta(days=300)).isoformat(),
        }
        campaign = self.people["operator"].post("/campaigns", json=draft).raise_for_status().json()
        self.there["campaign_id"] = campaign["id"]

    def _spread_a_link(self) -> None:
        """The creator spreads a link to the shop's product, and asks for a sample of it."""
        creator, shop_id, product_id = self.people["creator"], self.there["shop_id"], self.there["product_id"]
        place = {"name": "粉丝群", "outlet": "wechat"}
        promotion = creator.post("/promotions", json=place).raise_for_status().json()
        wanted = {"promotion_id": promotion["id"], "shop_id": shop_id, "product_id": product_id}
        link = creator.post("/links", json=wanted).raise_for_status().json()
        offer = f"/shops/{shop_id}/products/{product_id}/sample-offer"
        self.people["merchant"].put(offer, json={"quantity": 3}).raise_for_status()
        address = {"name": "小风", "phone": "13800000000", "region": "330106", "detail": "文三路 1 号"}
        sample = f"/shops/{shop_id}/samples/{self.new_id()}"
        asked = creator.put(sample, json={"product_id": product_id, "address": address}).raise_for_status().json()
        self.there |= {"promotion_id": promotion["id"], "code": link["code"], "sample_id": asked["id"]}

    def _open_alliance(self) -> None:
        """The shop has a targeted plan beside an ordinary one, and joins its product to an agency's activity."""
        plans = f"/shops/{self.there['shop_id']}/products/{self.there['product_id']}/plans"
        merchant, agency, activity_id = self.people["merchant"], self.people["agency"], self.new_id()
        asked = {"title": "招商", "creator_ppm_min": 0, "agency_ppm_min": 10_000}
        agency.put(f"/activities/{activity_id}", json=asked).raise_for_status()
        merchant.put(f"{plans}/ordinary", json={"creator_ppm": 200_000}).raise_for_status()
        terms = {"creator_ppm": 300_000, "agency_ppm": 10_000}
        merchant.put(f"{plans}/activities/{activity_id}", json=terms).raise_for_status()
        targeted = merchant.put(f"{plans}/targeted", json={"creator_ppm": 400_000}).raise_for_status().json()
        self.there |= {"activity_id": activity_id, "plan_id": targeted["id"]}
        self.there |= {"agency_id": agency.id, "creator_id": self.people["creator"].id}

    def _share_traffic(self) -> None:
        """Somebody who has a room is kept out of the feed. Nobody else asks for it, so that it stays as it is."""
        host, operator = self.server.someone("creator"), self.people["operator"]
        host.put("/rooms/mine", json={"title": "直播间"}).raise_for_status()
        host.put(f"/live-sessions/{self.new_id()}", json={"title": "618"}).raise_for_status()
        self.server.run(self.server.platform.provided["feed"].look_around())
        self.there |= {"subject_id": host.id, "suspension_id": self.new_id()}
        suspension = f"/traffic/hosts/creator/{host.id}/suspensions/{self.there['suspension_id']}"
        operator.put(suspension, json={"reason": "虚假宣传"}).raise_for_status()

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
