"""Who comes to a live sale and what each does with an order. Drawn by a seed, so that a crowd can be called again."""

from __future__ import annotations

from enum import StrEnum
from random import Random
from typing import NamedTuple

_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗高"
_NAMES = ["小明", "丽华", "建国", "思雨", "子轩", "佳怡", "浩然", "梦琪", "志强", "雪梅", "文博", "晓燕"]
_PLACES = [
    ("110105", "朝阳区建国路"),
    ("310115", "浦东新区张杨路"),
    ("440305", "南山区科苑路"),
    ("510107", "武侯区人民南路"),
    ("330106", "西湖区文三路"),
    ("370102", "历下区泉城路"),
    ("410105", "金水区花园路"),
    ("210102", "和平区青年大街"),
    ("430105", "开福区芙蓉中路"),
    ("540102", "城关区北京中路"),
    ("650102", "天山区解放南路"),
]


class Fate(StrEnum):
    """What becomes of an order that was placed."""

    PAYS = "pays"
    CANCELS = "cancels"
    FORGETS = "forgets to pay"
    HAS_SECOND_THOUGHTS = "asks the money back before shipping"
    RECEIVES = "receives"
    SENDS_PART_BACK = "sends part back"
    SENDS_ALL_BACK = "sends all back"


_FATES = {
    Fate.PAYS: 62,
    Fate.CANCELS: 5,
    Fate.FORGETS: 6,
    Fate.HAS_SECOND_THOUGHTS: 4,
    Fate.RECEIVES: 14,
    Fate.SENDS_PART_BACK: 5,
    Fate.SENDS_ALL_BACK: 4,
}


class Buyer(NamedTuple):
    """A simulated buyer: how they are known to the server, their dice, and where they live."""

    session: str
    dice: Random
    address: dict[str, str]

    def fate(self) -> Fate:
        [fate] = self.dice.choices(list(_FATES), list(_FATES.values()))
        return fate


def buyer(session: str, seed: int, number: int) -> Buyer:
    """The number-th buyer of the crowd of this seed."""
    dice = Random(f"{seed} {number}")  # noqa: S311  a crowd, not a secret
    region, street = dice.choice(_PLACES)
    address = {
        "name": dice.choice(_SURNAMES) + dice.choice(_NAMES),
        "phone": f"138{dice.randrange(10**8):08}",
        "region": region,
        "detail": f"{street} {dice.randrange(1, 400)} 号",
    }
    return Buyer(session, dice, address)
