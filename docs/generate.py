"""Writes the parts of the documents that are made from the code: `make docs`. A test fails when one is stale.

A document marks the place of such a part: `<!-- made from the code: NAME -->` … `<!-- end -->`.
"""

from __future__ import annotations

import ast
import html
import inspect
import json
import pkgutil
import re
import tomllib
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import msgspec
from msgspec import Meta
from prometheus_client.metrics import MetricWrapperBase
from rich.cells import cell_len

import fairwind
from fairwind.alliance import NOMINATION_TRANSITIONS, SAMPLE_TRANSITIONS, NominationState, SampleState
from fairwind.bench import report
from fairwind.kernel import Database, Platform, Refused, Settings, SystemClock
from fairwind.kernel.audit import checks_of
from fairwind.orders.states import REFUND_TRANSITIONS, TRANSITIONS, RefundState, State, diagram
from fairwind.payments.payment import TRANSITIONS as PAYMENT_TRANSITIONS
from fairwind.policy.campaign import TRANSITIONS as CAMPAIGN_TRANSITIONS
from fairwind.policy.campaign import State as CampaignState
from fairwind.settlement import PAYOUT_TRANSITIONS
from fairwind.traffic import SETTINGS as TRAFFIC_SETTINGS
from fairwind.traffic import STAGE_TRANSITIONS, Stage
from fairwind.web.contexts import wire_all

ROOT = Path(__file__).parent.parent
SOURCE = Path(fairwind.__file__).parent
BENCHMARK = ROOT / "docs" / "benchmark.json"
"""What `fairwind bench orders --json` and `fairwind bench settlement --json` printed, each in both of its stages, and
`machine` in words."""

TRAFFIC = ROOT / "docs" / "traffic.json"
"""What `fairwind bench traffic --scores … --publishers … --json` printed."""

_PART = re.compile(r"(<!-- made from the code: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_COLUMN_PX = 12.2
"""The width of a column in rich's pictures."""
_TABLE = re.compile(r"^CREATE (?:UNLOGGED )?TABLE (\w+)\.(\w+)", re.MULTILINE)


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def renewed(text: str) -> str:
    """text with its made parts made anew."""
    return _PART.sub(lambda part: f"{part[1]}{PARTS[part[2]]()}\n{part[3]}", text)


def tables() -> dict[str, list[str]]:
    """The tables of each context that has some, by context."""
    found: dict[str, list[str]] = {}
    for path in sorted(SOURCE.glob("*/schema.sql")):
        for context, table in _TABLE.findall(path.read_text(encoding="utf-8")):
            found.setdefault(context, []).append(table)
    return found


def contexts() -> list[str]:
    """The packages of Fairwind, upper layers first."""
    there = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    names = [name for layer in _layers() for name in layer]
    return [name for name in names if name in there]


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(fairwind.__path__, "fairwind."):
        if not found.name.endswith("__main__"):
            yield import_module(found.name)


def _layers() -> list[list[str]]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        [layers] = [c for c in tomllib.load(file)["tool"]["importlinter"]["contracts"] if c["type"] == "layers"]
    return [re.findall(r"\w+", layer) for layer in layers["layers"]]


def _words(section: str) -> Mapping[str, str]:
    """Chinese for the words of the code; a word that is not there has to be translated first."""
    with (ROOT / "docs" / "chinese.toml").open("rb") as file:
        return typing.cast(Mapping[str, str], tomllib.load(file)[section])


# The parts.


def layers() -> str:
    there = set(contexts()) | {path.stem for path in SOURCE.glob("*.py")}
    lines = [" | ".join(name if name in there else f"({name})" for name in layer) for layer in _layers()]
    return "\n".join(["```", *lines, "```"])


def packages() -> str:
    """Each package with the first sentence of its docstring."""
    rows = [(f"`{name}/`", _first_sentence(import_module(f"fairwind.{name}"))) for name in contexts()]
    return _table(["package", "what it is"], rows)


def context_tables() -> str:
    return _table(["context", "tables"], [(c, ", ".join(f"`{t}`" for t in names)) for c, names in tables().items()])


def order_states() -> str:
    return _mermaid(diagram(TRANSITIONS, State.PLACED))


def refund_states() -> str:
    return _mermaid(diagram(REFUND_TRANSITIONS, RefundState.REQUESTED))


def payment_states() -> str:
    return _mermaid(_by_word(PAYMENT_TRANSITIONS, "created"))


def payout_states() -> str:
    return _mermaid(_by_word(PAYOUT_TRANSITIONS, "pending"))


def campaign_states() -> str:
    return _mermaid(diagram(CAMPAIGN_TRANSITIONS, CampaignState.PROPOSED))


def sample_states() -> str:
    return _mermaid(diagram(SAMPLE_TRANSITIONS, SampleState.REQUESTED))


def nomination_states() -> str:
    return _mermaid(diagram(NOMINATION_TRANSITIONS, NominationState.NOMINATED))


def stage_states() -> str:
    """How a new host comes through its stages."""
    return _mermaid(diagram(STAGE_TRANSITIONS, Stage.FIRST))


def traffic_settings() -> str:
    """What an operator can set of how traffic is shared."""
    rows = [
        (f"`{each.name}`", f"`{_written(each.default)}`", each.unit, each.range, each.description)
        for each in TRAFFIC_SETTINGS
    ]
    return _table(["setting", "default", "unit", "range", "what it is"], rows)


def _written(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _by_word(table: Mapping[Any, Mapping[Any, Any]], first: str) -> str:
    """A table of words, which may repeat what is known, as a Mermaid state diagram."""
    arrows = [f"    {s} --> {after}: {word}" for s, words in table.items() for word, after in words.items()]
    ends = [f"    {state} --> [*]" for state, words in table.items() if not words]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {first}", *arrows, *ends])


def settings(chinese: bool = False) -> str:
    words = _words("settings") if chinese else {}
    rows = []
    for field in msgspec.structs.fields(Settings):
        kind, *metas = typing.get_args(field.type)
        [text] = [str(meta.description) for meta in metas if isinstance(meta, Meta) and meta.description]
        default = f"`{field.default}`" if field.default != "" else ""
        allowed = _allowed(kind, metas, chinese)
        rows.append((f"`FAIRWIND_{field.name.upper()}`", default, allowed, words[text] if chinese else text))
    heads = ["变量", "默认值", "取值", "含义"] if chinese else ["variable", "default", "may be", "what it is"]
    return _table(heads, rows)


def _allowed(kind: Any, metas: Iterable[Meta], chinese: bool) -> str:
    if typing.get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in typing.get_args(kind))
    if kind is not int:
        return ""
    least = next((meta.ge for meta in metas if meta.ge is not None), None)
    most = next((meta.le for meta in metas if meta.le is not None), None)
    if most is None:
        return f"{'至少' if chinese else 'at least'} {least}"
    return f"{least} {'到' if chinese else 'to'} {most}"


def metrics() -> str:
    found = {value for module in modules() for value in vars(module).values() if isinstance(value, MetricWrapperBase)}
    rows = sorted(
        (_shown(metric), str(metric._type), ", ".join(metric._labelnames), metric._documentation) for metric in found
    )
    return _table(["metric", "type", "labels", "what it is"], rows)


def _shown(metric: MetricWrapperBase) -> str:
    return f"`{metric._name}{'_total' if metric._type == 'counter' else ''}`"


def refusals() -> str:
    """Every code that a problem document may carry."""
    list(modules())
    meanings: dict[tuple[str, str], set[str]] = {}
    for kind in _subclasses(Refused):
        meanings.setdefault((f"`{kind.code}`", str(kind.status)), set()).add(_first_sentence(kind))
    rows = [(*key, " Or: ".join(sorted(those))) for key, those in sorted(meanings.items())]
    return _table(["code", "status", "meaning"], rows)


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for below in kind.__subclasses__():
        yield from _subclasses(below)
        if "code" in vars(below):
            yield below


def events() -> str:
    """Every topic with its payload's fields, and the contexts that listen."""
    platform = Platform(Database("postgresql://nowhere"), SystemClock(), Settings())
    wire_all(platform)
    heard: dict[str, list[str]] = {
        topic: [consumer.__module__.split(".")[1] for consumer in consumers]
        for topic, consumers in platform.relay._consumers.items()
    }
    told = dict(payload for module in modules() for payload in _payloads(module))
    assert heard.keys() <= told.keys(), f"nobody tells of {heard.keys() - told.keys()}"
    rows = [
        (f"`{topic}`", ", ".join(f"`{field}`" for field in shape.__struct_fields__), ", ".join(heard.get(topic, ())))
        for topic, shape in sorted(told.items())
    ]
    return _table(["topic", "payload", "heard by"], rows)


def _payloads(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The pairs (topic, payload) that module writes into the outbox: what it makes them of says their shape."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        match node:
            case ast.Tuple(elts=[ast.Constant(value=str() as topic), ast.Call(func=maker)]):
                pass
            case ast.Tuple(elts=[ast.Attribute(value=ast.Name(id="events")) as name, ast.Call(func=maker)]):
                topic = eval(ast.unparse(name), vars(module))  # noqa: S307
            case ast.Tuple(elts=[_, ast.Name(id=constant), ast.Call(func=maker)]) if constant.isupper():
                topic = str(vars(module).get(constant))  # of another shop's: the shop comes first
            case _:
                continue
        if re.fullmatch(r"[a-z]+\.[a-z_]+", topic) and topic.partition(".")[0] in contexts():
            made = eval(ast.unparse(maker), vars(module))  # noqa: S307
            yield topic, made if inspect.isclass(made) else typing.get_type_hints(made)["return"]


def audit() -> str:
    rows = [(name, check.invariant) for name in reversed(contexts()) for check in checks_of(f"fairwind.{name}")]
    return _table(["context", "what must hold"], rows)


def decisions() -> str:
    rows = []
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        title, _, state = path.read_text(encoding="utf-8").split("\n")[:3]
        number, _, name = title.removeprefix("# ").partition(". ")
        rows.append((number, f"[{name}]({path.name})", state.rstrip(".").lower()))
    return _table(["", "decision", "state"], rows)


def benchmark(chinese: bool = False) -> str:
    """The table of the README, from what was measured."""
    if not BENCHMARK.exists():
        return "还没有测量。" if chinese else "Not measured yet."
    figures = json.loads(BENCHMARK.read_text(encoding="utf-8"))
    words = _words("benchmark") if chinese else {}
    yes, no = ("是", "否") if chinese else ("yes", "no")
    rows = [
        (words.get(goal.name, goal.name), goal.measured, goal.goal, "" if goal.met is None else yes if goal.met else no)
        for goal in report.goals(figures)
    ]
    heads = (
        ["确认时已落盘", "实测", "目标", "达到"]
        if chinese
        else ["durable when acknowledged", "measured", "goal", "met"]
    )
    machine = figures["machine_in_chinese" if chinese else "machine"]
    return f"{machine}\n\n" + _table(heads, rows)


def traffic_targets() -> str:
    """What was measured of the allocator, beside what it ought to be."""
    measured = json.loads(TRAFFIC.read_text(encoding="utf-8"))
    rows = [
        (row["name"], row["goal"], f"{row['measured']:.4g}", "yes" if row["met"] else "no") for row in measured["rows"]
    ]
    return _table(["target", "goal", "measured", "met"], rows)


def traffic_methods() -> str:
    """The published methods and ours on published scores, in file order."""
    measured = json.loads(TRAFFIC.read_text(encoding="utf-8"))["tables"]["methods"]
    return _figures(measured, ("name", "ndcg", "u_mmf50", "u_gini", "e_gini", "us_per_request"))


def traffic_day() -> str:
    """What a simulated day came to under each policy."""
    return _figures(json.loads(TRAFFIC.read_text(encoding="utf-8"))["tables"]["simulator"])


def traffic_staleness() -> str:
    """What old counts cost."""
    stale = json.loads(TRAFFIC.read_text(encoding="utf-8"))["tables"]["staleness"]
    return _figures(
        [each["outcome"] | each for each in stale],
        ("replicas", "staleness", "utility_kept", "gini", "floors_held", "new_held"),
    )


def _figures(rows: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> str:
    heads = [name for name in names or rows[0] if name in rows[0]]
    return _table(
        [head.replace("_", " ") for head in heads],
        [[f"{row[head]:.4g}" if isinstance(row[head], float) else str(row[head]) for head in heads] for row in rows],
    )


PARTS: Mapping[str, Callable[[], str]] = {
    "layers": layers,
    "packages": packages,
    "tables": context_tables,
    "order-states": order_states,
    "refund-states": refund_states,
    "payment-states": payment_states,
    "payout-states": payout_states,
    "campaign-states": campaign_states,
    "sample-states": sample_states,
    "nomination-states": nomination_states,
    "stage-states": stage_states,
    "traffic-targets": traffic_targets,
    "traffic-methods": traffic_methods,
    "traffic-day": traffic_day,
    "traffic-staleness": traffic_staleness,
    "traffic-settings": traffic_settings,
    "settings": settings,
    "settings-in-chinese": lambda: settings(chinese=True),
    "metrics": metrics,
    "refusals": refusals,
    "events": events,
    "audit": audit,
    "decisions": decisions,
    "benchmark": benchmark,
    "benchmark-in-chinese": lambda: benchmark(chinese=True),
}


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _mermaid(text: str) -> str:
    return f"```mermaid\n{text}\n```"


def _first_sentence(thing: Any) -> str:
    text = " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())
    return re.split(r"(?<=\.) (?=[A-Z])", text)[0]


def pictures() -> list[Path]:
    """What `fairwind demo --picture docs/NAME.svg` saved."""
    return sorted((ROOT / "docs").glob("*.svg"))


def cleaned(svg: str) -> str:
    """A picture as rich writes it, without fonts from elsewhere, and with Chinese characters as wide as they are."""
    svg = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace")
    return re.sub(r'textLength="[\d.]+"([^>]*>)([^<]*)', _measured, svg)


def _measured(text: re.Match[str]) -> str:
    return f'textLength="{cell_len(html.unescape(text[2])) * _COLUMN_PX:g}"{text[1]}{text[2]}'


def main() -> None:
    made = [(path, renewed) for path in documents()] + [(path, cleaned) for path in pictures()]
    for path, make in made:
        text = path.read_text(encoding="utf-8")
        if (new := make(text)) != text:
            path.write_text(new, encoding="utf-8")
            print(f"{path.relative_to(ROOT)} is up to date again")  # noqa: T201


if __name__ == "__main__":
    main()
