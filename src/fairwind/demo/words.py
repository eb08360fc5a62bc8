"""The demo's words, in English and Chinese. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

Language = Literal["en", "zh"]
Say = Callable[[str], str]
"""An English phrase, in the language of the demo."""


class Tell(Protocol):
    """Tells a sentence, in the language of the demo, with values for its places."""

    def __call__(self, phrase: str, /, **values: object) -> None: ...


_ZH: Mapping[str, str] = {
    "The demo keeps its data in {folder}; it never touches other data.": "演示的数据放在 {folder}，不碰别的数据。",
    "{people} people are there: 2 creators, 1 agency, {merchants} merchants, {buyers} buyers": "共 {people} 人："
    "达人 2，机构 1，商家 {merchants}，买家 {buyers}",
    "{shop} ({channel}): {new} SKUs imported, {there} were there, {refused} refused": "{shop}（{channel}）：导入 {new} "
    "个 SKU，已有 {there}，拒绝 {refused}",
    "goods from {name}": "商品来自 {name}",
    "the host has joined the agency's MCN for {percent} %, since the next midnight": "主播已加入机构的 MCN，"
    "机构分成 {percent} %，次日零点生效",
    "{shop}: plans for {count} products, {percent} % for creators": "{shop}：{count} 个商品发布佣金计划，达人 "
    "{percent} %",
    "subsidy: {percent} % of what {supplier} sells; platform and supplier pay half each": "补贴：{supplier} 商品价格的 "
    "{percent} %，平台与供应商各出一半",
    "{count} products of {shop} joined the agency's activity; a second creator spreads links to them": "{shop} 的 "
    "{count} 个商品参加了机构的招商活动；另一位达人在站外推广它们的链接",
    "Creators": "达人",
    "live": "直播",
    "links": "链接",
    "clicks": "点击",
    "given back": "退回",
    "commission, yuan": "佣金（元）",
    "own": "自营",
    "youzan": "有赞",
    "mokuai": "魔筷",
    "new shop": "新店",
    "a buyer; there are more": "买家之一",
    "sign in as {login}": "用 {login} 登录",
    "The demo's clock is {days} days ahead: the weeks it let pass.": "演示的时钟比现在快 {days} 天：即它让过去的几周。",
    "Check it yourself: {command}": "自行核对：{command}",
    "or read statements: {url}/sign-in": "或查看结算单：{url}/sign-in",
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
    "goods {goods} − subsidies {subsidy} + freight {freight} = {total} yuan": "商品 {goods} − 补贴 {subsidy} "
    "+ 运费 {freight} = {total} 元",
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
    "come back late": "期满前退款",
    "settled": "已结算",
    "estimated": "预估",
    "come back after settlement": "结算后退款",
    "paid out": "打款",
    "Settled GMV": "结算金额",
    "{n} orders; buyers paid {paid}, subsidies {subsidy}, gone back since {back}": "{n} 单；买家实付 {paid}，补贴 "
    "{subsidy}，结算后退回 {back}",
    "{late} orders gave something back late, {after} after they had settled": "{late} 单在售后期将满时退款，"
    "{after} 单结算后退款",
    "where it went": "资金去向",
    "shops": "店铺",
    "suppliers": "供应商",
    "creators": "达人",
    "agencies": "机构",
    "service fee": "技术服务费",
    "alliance fee": "联盟服务费",
    "Payouts so far": "累计打款",
    "paid out to": "收款方",
    "payouts": "笔数",
    "platform": "平台",
    "shop": "店铺",
    "supplier": "供应商",
    "creator": "达人",
    "agency": "机构",
    "MCN": "机构（MCN）",
    "seller": "商家",
    "freight": "运费",
    "line {n}": "第 {n} 行",
    "commission": "佣金",
    "subsidy, by funder": "补贴（按出资方）",
    "base {base}, in escrow {escrow}": "佣金基数 {base}，担保金 {escrow}",
    "given back to the buyer since": "结算后退回买家",
    "Why so much to whom": "谁得多少，为什么",
    "channel": "渠道",
    "net, yuan": "净得（元）",
    "The same good for {price} yuan through each channel": "同一件 {price} 元的商品在各渠道",
    "how it comes about": "计算方法",
    "lines": "行",
    "agrees with the ledger to the fen": "与账本逐分一致",
    "DISAGREES with the ledger": "与账本不一致",
    "Statement of {name}, {period}": "{name} 结算单，{period}",
    "opening": "期初",
    "earned": "收入",
    "clawed back": "追回",
    "subsidies given": "补贴支出",
    "subsidies returned": "补贴退回",
    "on its way out": "已提出",
    "closing": "期末",
    "subsidy": "补贴",
    "service_fee": "技术服务费",
    "alliance_fee": "联盟服务费",
    "refund_clearing": "退款清算",
    "payout": "打款在途",
    "paid_out": "已打款",
    "subsidised": "补贴到账",
    "subsidy_returned": "补贴退回",
    "mcn_share": "机构分成",
    "clawed_back": "追回",
    "swept": "归集",
}


def tongue(language: Language) -> Say:
    """How to say things in language; a phrase without a translation is a mistake."""
    return _ZH.__getitem__ if language == "zh" else str
