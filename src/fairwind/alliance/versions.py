"""Versions of a plan: a raise takes effect at once, a cut tomorrow, and nothing that was published is edited. Pure.

The rule, for whatever a new version changes at once: it takes effect when it is published if nobody, neither creator at
any step nor agency, has less by it than by the version in force; otherwise all of it takes effect at the next 00:00 in
China. Ending a plan is a version that promises nothing, so it waits as well. A version that has not taken effect yet is
superseded by the next one, which is again compared with the version in force. Who wants a raise at once and a cut
tomorrow publishes the raise first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from fairwind.alliance.plan import Kind, Terms, fall_ppm, takes_away
from fairwind.kernel import PersonId, Refused, day_in_china, midnight_in_china

EXCLUSIVE_CUT_EVERY = timedelta(days=7)
EXCLUSIVE_CUT_MAX_PPM = 50_000
_DAY = timedelta(days=1)


class CutTooDeep(Refused):
    """An exclusive plan is cut by at most five points at a time."""

    code = "cut_too_deep"
    status = 409


class CutTooSoon(Refused):
    """An exclusive plan is cut at most once in seven days."""

    code = "cut_too_soon"
    status = 409


class Version(msgspec.Struct, frozen=True):
    """What a plan promises from effective_from on. terms: None in the version that ends it.

    cut: somebody has less by it than by the one before. superseded_at: when a later one came before this took effect;
    it never did then.
    """

    version: int
    terms: Terms | None
    cut: bool
    published_by: PersonId
    published_at: datetime
    effective_from: datetime
    superseded_at: datetime | None = None


class Change(NamedTuple):
    """What publishing comes to: the version that stands for it, whether it is new, and what it superseded."""

    version: Version
    fresh: bool
    superseded: Version | None = None


def next_midnight(now: datetime) -> datetime:
    """The next 00:00 in China after now."""
    return midnight_in_china(day_in_china(now) + _DAY)


def in_force(versions: Sequence[Version], at: datetime) -> Version | None:
    """The version in force at a moment: of those that took effect until then, the one that did so last."""
    taken = [version for version in versions if version.superseded_at is None and version.effective_from <= at]
    return max(taken, key=lambda version: (version.effective_from, version.version), default=None)


def pending(versions: Sequence[Version], at: datetime) -> Version | None:
    """The version that is yet to take effect, if any: from the moment of the last publication on there is one at most.

    To a clock behind that of whoever published, what took effect at once waits as well; the last one counts.
    """
    waiting = [version for version in versions if version.superseded_at is None and version.effective_from > at]
    return waiting[-1] if waiting else None


def publish(
    kind: Kind,
    versions: Sequence[Version],
    terms: Terms | None,
    person_id: PersonId,
    now: datetime,
    *,
    waits: bool = False,
    former: Sequence[Version] = (),
) -> Change | Refused:
    """The change that publishing terms makes to a plan's versions, oldest first; None ends the plan.

    The same terms as those published last change nothing. waits: a first version takes effect at the next midnight,
    because others lose by it. former: the versions of the exclusive plan that this one follows within seven days, so
    that ending a plan and making it anew is no way around the rule for cuts.
    """
    # A server's clock may be behind that of whoever published last.
    at = max(now, versions[-1].published_at) if versions else now
    present, waiting = in_force(versions, at), pending(versions, at)
    last = waiting or present
    if last is not None and last.terms == terms:
        return Change(last, fresh=False)
    before = present.terms if present is not None else _last_terms(former)
    cut = takes_away(before, terms)
    later = cut or (waits and present is None and terms is not None)
    effective_from = next_midnight(at) if later else at
    if kind is Kind.EXCLUSIVE and before is not None and terms is not None and cut:
        no = _exclusive_refusal([*former, *versions], before, terms, at, effective_from)
        if no is not None:
            return no
    superseded = replace(waiting, superseded_at=at) if waiting is not None else None
    number = versions[-1].version + 1 if versions else 1
    return Change(Version(number, terms, cut, person_id, at, effective_from), fresh=True, superseded=superseded)


def _exclusive_refusal(
    versions: Sequence[Version], before: Terms, terms: Terms, at: datetime, effective_from: datetime
) -> Refused | None:
    fall = fall_ppm(before, terms)
    if fall > EXCLUSIVE_CUT_MAX_PPM:
        return CutTooDeep(
            f"an exclusive plan is cut by at most {EXCLUSIVE_CUT_MAX_PPM} ppm at a time; this cuts {fall}", cut_ppm=fall
        )
    cuts = [
        version.effective_from
        for version in versions
        if version.cut and version.terms is not None and version.superseded_at is None and version.effective_from <= at
    ]
    if cuts and effective_from < max(cuts) + EXCLUSIVE_CUT_EVERY:
        again_at = max(cuts) + EXCLUSIVE_CUT_EVERY
        return CutTooSoon(
            f"an exclusive plan is cut at most once in seven days; the next may take effect at {again_at.isoformat()}",
            again_at=again_at.isoformat(),
        )
    return None


def _last_terms(versions: Sequence[Version]) -> Terms | None:
    """What a plan that has ended promised last."""
    kept = [version for version in versions if version.terms is not None and version.superseded_at is None]
    return kept[-1].terms if kept else None
