"""The demo's words, in English and Chinese. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

Language = Literal["en", "zh"]
Say = Callable[[str], str]
"""An English phrase, in the language of the demo."""

_ZH: Mapping[str, str] = {
    "LIVE": "直播中",
    "ended": "已结束",
    "orders a second": "每秒下单",
    "now": "当前",
    "peak": "峰值",
    "placed": "下单",
    "paid": "支付",
    "refunded": "退款",
    "net": "净额",
    "cancelled": "取消",
    "timed out": "超时未付",
    "shipped": "发货",
    "received": "收货",
    "orders": "订单",
    "buyers": "买家",
    "GMV, yuan": "金额（元）",
    "flash goods": "秒杀商品",
    "price": "单价",
    "left": "剩余",
    "SOLD OUT": "售罄",
    "sold out": "售罄",
    "yuan": "元",
    "goods paid for, by price": "已支付商品的价格带",
    "under {yuan}": "{yuan} 以下",
    "{yuan} and above": "{yuan} 及以上",
    "refused": "被拒",
    "nothing refused": "无",
    "requests": "请求",
    "placing takes (p99)": "下单耗时（p99）",
    "Battle report": "战报",
    "Amounts are goods and freight. Placed counts every order, also those never paid; refunded is money agreed to go "
    "back; net is paid less refunded. All are computed from the rows of orders and ledger.": "金额含商品与运费。"
    "下单含从未支付的订单；退款为已同意退回的金额；净额 = 支付 − 退款。全部由订单与账本逐行算出。",
    "Goods at {yuan} yuan and above": "{yuan} 元及以上的商品",
    "of the goods paid for": "占已支付件数",
    "of their GMV": "占其金额",
    "Peak": "峰值",
    "{n} orders in one second": "一秒 {n} 单",
    "Top goods": "热卖商品",
    "goods": "商品",
    "pieces": "件数",
    "One order, fen by fen": "一笔订单，逐分追踪",
    "Order {id} of {shop}": "{shop} 的订单 {id}",
    "goods {goods} + freight {freight} = {total} yuan": "商品 {goods} + 运费 {freight} = {total} 元",
    "account": "账号",
    "when": "时间",
    "why": "原因",
    "from": "从",
    "to": "到",
    "fen": "分",
    "provider": "支付机构",
    "escrow": "担保金",
    "buyer_refund": "退款在途",
    "refund_agreed": "同意退款",
    "refund_paid": "退款到账",
    "completed": "完成",
    "What it moved in all; the sum is {sum}": "合计变动，总和为 {sum}",
    "Audit": "审计",
    "who": "身份",
    "The password of all of them: {password}": "以上账号的密码：{password}",
    "The payment provider: {url}": "支付机构：{url}",
    "Fairwind serves {url} (Ctrl-C stops it); its API: {url}/docs": "Fairwind 正在 {url} 提供服务（Ctrl-C 停止）；"
    "接口文档：{url}/docs",
    "No order of this session was paid.": "本场没有支付成功的订单。",
}


def tongue(language: Language) -> Say:
    """How to say things in language; a phrase without a translation is a mistake."""
    return _ZH.__getitem__ if language == "zh" else str
