"""The pages of the sandbox provider: what a buyer sees when paying, and the switch panel. In Chinese and English."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from string import Template
from typing import Literal

import msgspec

from fairwind.kernel import format_yuan
from fairwind.payments.sandbox.book import Trade
from fairwind.payments.sandbox.switches import Switches

Language = Literal["zh", "en"]

CARD_DECLINED = "declined"
CARDS: Mapping[str, Mapping[Language, tuple[str, str]]] = {
    "debit": {"zh": ("沙箱银行 储蓄卡", "尾号 6228"), "en": ("Sandbox Bank debit card", "ending in 6228")},
    "credit": {"zh": ("星海银行 信用卡", "尾号 4242"), "en": ("Star Sea Bank credit card", "ending in 4242")},
    CARD_DECLINED: {
        "zh": ("空空银行 储蓄卡", "尾号 0002 · 总是余额不足"),
        "en": ("Hollow Bank debit card", "ending in 0002 · always declined"),
    },
}
"""The cards to choose from: made up, and without numbers, since nobody should type a real one here."""

_WORDS: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "html_lang": "zh-CN",
        "other": "en",
        "other_name": "English",
        "provider": "沙箱收银台",
        "mark": "沙箱环境 · 不会产生真实扣款",
        "to": "付款给 乘风 Fairwind",
        "order": "订单",
        "more": "等 {} 笔订单",
        "trade": "交易号",
        "time_left": "剩余支付时间",
        "choose": "选择付款方式",
        "pay": "确认付款",
        "pay_still": "仍要付款",
        "cancel": "取消付款",
        "back": "返回商家",
        "declined": "银行拒绝了这次付款。没有扣款，请换一张卡再试。",
        "closed": "付款已取消",
        "closed_more": "没有扣款。在剩余时间内仍可付款。",
        "expired": "付款已超时关闭",
        "expired_more": "没有扣款。请返回商家重新下单。",
        "succeeded": "付款成功",
        "succeeded_more": "商家会收到支付结果通知。",
        "foot": "这是模拟的支付服务，卡片均为虚构。请勿在此输入真实银行卡信息。",
        "panel": "沙箱开关",
        "panel_more": "让支付服务出错，看商家如何应对。立即生效，只影响之后的付款、退款与打款。",
        "duplicates": "重复通知",
        "duplicates_more": "每条通知额外再发几次",
        "reorder": "乱序",
        "reorder_more": "通知互相超车，最多错开 2 秒",
        "delay_s": "延迟（秒）",
        "delay_s_more": "通知、退款与打款要等多久",
        "loss_ppm": "丢失",
        "loss_ppm_more": "从未发出的通知所占比例",
        "decline_ppm": "拒付",
        "decline_ppm_more": "被银行拒绝的付款所占比例",
        "refund_failure_ppm": "退款失败",
        "refund_failure_ppm_more": "失败的退款所占比例",
        "payout_failure_ppm": "打款失败",
        "payout_failure_ppm_more": "失败的打款所占比例",
        "payout_hang_ppm": "打款超时",
        "payout_hang_ppm_more": "已受理却迟迟不应答的打款请求所占比例",
        "seed": "种子",
        "seed_more": "同样的种子，同样的命运",
        "save": "应用",
        "reset": "全部关闭",
        "saved": "已生效",
        "open": "待付",
        "paid": "已付",
        "unpaid": "已关闭",
        "refunds": "退款",
        "payouts": "打款",
        "callbacks": "待发通知",
    },
    "en": {
        "html_lang": "en",
        "other": "zh",
        "other_name": "中文",
        "provider": "Sandbox checkout",
        "mark": "Sandbox · no real money moves",
        "to": "Payment to Fairwind 乘风",
        "order": "Order",
        "more": "and {} more",
        "trade": "Transaction",
        "time_left": "Time left to pay",
        "choose": "Pay with",
        "pay": "Pay",
        "pay_still": "Pay after all",
        "cancel": "Cancel payment",
        "back": "Back to the shop",
        "declined": "The bank declined this payment. Nothing was charged; try another card.",
        "closed": "Payment cancelled",
        "closed_more": "Nothing was charged. You may still pay while there is time.",
        "expired": "The time to pay has run out",
        "expired_more": "Nothing was charged. Go back to the shop and order again.",
        "succeeded": "Payment succeeded",
        "succeeded_more": "The shop is being told.",
        "foot": "A simulated payment service with made-up cards. Never type real card details here.",
        "panel": "Sandbox switches",
        "panel_more": "Make the payment service misbehave and watch the merchant cope. At once, for what is paid and "
        "refunded from then on.",
        "duplicates": "Duplicates",
        "duplicates_more": "how many more times each callback is sent",
        "reorder": "Reordering",
        "reorder_more": "callbacks overtake each other by up to 2 s",
        "delay_s": "Delay in seconds",
        "delay_s_more": "how long callbacks, refunds and payouts take",
        "loss_ppm": "Loss",
        "loss_ppm_more": "share of callbacks that are never sent",
        "decline_ppm": "Declines",
        "decline_ppm_more": "share of payments that the bank declines",
        "refund_failure_ppm": "Refund failures",
        "refund_failure_ppm_more": "share of refunds that fail",
        "payout_failure_ppm": "Payout failures",
        "payout_failure_ppm_more": "share of payouts that fail",
        "payout_hang_ppm": "Payout time-outs",
        "payout_hang_ppm_more": "share of requests for a payout that are taken, and answered too late",
        "seed": "Seed",
        "seed_more": "the same seed, the same fate",
        "save": "Apply",
        "reset": "All off",
        "saved": "Applied",
        "open": "open",
        "paid": "paid",
        "unpaid": "closed",
        "refunds": "refunds",
        "payouts": "payouts",
        "callbacks": "callbacks waiting",
    },
}


def _template(name: str) -> Template:
    return Template(files(__package__).joinpath(name).read_text(encoding="utf-8"))


_STYLE = files(__package__).joinpath("style.css").read_text(encoding="utf-8")
_PAY = _template("pay.html")
_SWITCHES = _template("switches.html")


def pay(trade: Trade, language: Language, now: float, *, declined: bool = False) -> str:
    """The buyer's page for trade. declined: its last attempt was declined by the bank."""
    words = _WORDS[language]
    state = "expired" if trade.state != "succeeded" and trade.expires_at <= now else trade.state
    first, *others = trade.orders.split()
    yuan, _, cents = format_yuan(trade.amount_fen).partition(".")
    return _PAY.substitute(
        _frame(language),
        state=state,
        yuan=yuan,
        cents=cents,
        order_number=escape(_short(first)),
        more=escape(words["more"].format(len(others) + 1 if language == "zh" else len(others)) if others else ""),
        trade_no=escape(trade.trade_no),
        left_s=max(0, int(trade.expires_at - now)),
        verdict=words.get(state, ""),
        verdict_more=words.get(f"{state}_more", ""),
        declined_hidden="" if declined else "hidden",
        form_hidden="" if state in ("open", "closed") else "hidden",
        verdict_hidden="hidden" if state == "open" else "",
        cancel_hidden="" if state == "open" else "hidden",
        cards="".join(_card(code, language, chosen=code == "debit") for code in CARDS),
        pay_label=words["pay" if state == "open" else "pay_still"],
        token=escape(trade.token),
        return_url=escape(trade.return_url),
    )


def _card(code: str, language: Language, *, chosen: bool) -> str:
    name, detail = CARDS[code][language]
    return (
        f'<label class="card {code}"><span class="face" aria-hidden="true"></span>'
        f"<span class=name>{escape(name)}<small>{escape(detail)}</small></span>"
        f'<input type="radio" name="card" value="{code}"{" checked" if chosen else ""}></label>'
    )


def _short(number: str) -> str:
    """The end of a long number: enough to recognise it by."""
    return number if len(number) <= 16 else f"…{number[-12:]}"


def switches(settings: Switches, counts: Mapping[str, int], language: Language) -> str:
    """The switch panel."""
    return _SWITCHES.substitute(
        _frame(language),
        settings=msgspec.json.encode(settings).decode(),
        off=msgspec.json.encode(Switches()).decode(),
        **{f"n_{name}": count for name, count in counts.items()},
    )


def _frame(language: Language) -> dict[str, str]:
    return {**_WORDS[language], "style": _STYLE, "nonce": secrets.token_urlsafe(12)}
