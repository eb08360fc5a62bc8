"""Identity over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, Response, delete, get, post, put
from litestar.datastructures import Cookie
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.identity.caller import Access, Caller, Role
from fairwind.identity.identity import Identity
from fairwind.identity.people import LoginTaken, Person, SignIn, SignUp, TooManyAttempts, WrongCredentials
from fairwind.kernel import Busy, Invalid, NotFound, PersonId, Settings
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_cursor

SESSION_COOKIE = "fairwind_session"


@post("/people", opt={"access": Access.PUBLIC, "refusals": [Invalid, LoginTaken, Busy]})
async def sign_up(data: JSONBody[SignUp], identity: Identity, settings: Settings) -> Response[Person]:
    """Sign up, and be signed in."""
    person, token = await identity.sign_up(data)
    return Response(person, cookies=[_cookie(token, identity, settings)])


@post("/sessions", opt={"access": Access.PUBLIC, "refusals": [WrongCredentials, TooManyAttempts, Busy]})
async def sign_in(
    data: JSONBody[SignIn], request: Request[Any, Any, Any], identity: Identity, settings: Settings
) -> Response[Person]:
    """Sign in: the answer sets the session cookie."""
    address = request.client.host if request.client else ""
    person, token = await identity.sign_in(data, address)
    return Response(person, cookies=[_cookie(token, identity, settings)])


@delete("/sessions/current", opt={"access": Access.PUBLIC})
async def sign_out(request: Request[Any, Any, Any], identity: Identity, settings: Settings) -> Response[None]:
    """Sign out here. Without a session there is nothing to do, and that is fine too."""
    if token := request.cookies.get(SESSION_COOKIE):
        await identity.sign_out(token)
    return Response(None, cookies=[_cookie("", identity, settings)])


@delete("/sessions", opt={"access": Access.SIGNED_IN})
async def sign_out_everywhere(caller: Caller, identity: Identity, settings: Settings) -> Response[None]:
    """Sign out on all devices, at once."""
    await identity.sign_out_everywhere(caller.person)
    return Response(None, cookies=[_cookie("", identity, settings)])


@get("/people/me", opt={"access": Access.SIGNED_IN})
async def me(caller: Caller, identity: Identity) -> Person:
    """Who is signed in."""
    return await identity.person(caller.person)


@get("/people", opt={"access": Access.OPERATOR})
async def list_people(
    identity: Identity,
    login: FromQuery[Annotated[str, Meta(max_length=256, description="Only who has this login")] | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Person]:
    """People with their roles."""
    after = read_cursor(cursor, int) or 0
    return page(await identity.people(login, after, limit + 1), limit, lambda person: person.id)


@get("/people/{person_id:int}", opt={"access": Access.OPERATOR, "refusals": [NotFound]})
async def show_person(person_id: FromPath[PersonId], identity: Identity) -> Person:
    """One person with their roles."""
    return await identity.person(person_id)


@put("/people/{person_id:int}/roles/{role:str}", opt={"access": Access.OPERATOR, "refusals": [NotFound]})
async def grant_role(person_id: FromPath[PersonId], role: FromPath[Role], identity: Identity) -> Person:
    """Give a role; giving it again changes nothing."""
    return await identity.grant_role(person_id, role)


@delete(
    "/people/{person_id:int}/roles/{role:str}",
    status_code=200,
    opt={"access": Access.OPERATOR, "refusals": [NotFound]},
)
async def revoke_role(person_id: FromPath[PersonId], role: FromPath[Role], identity: Identity) -> Person:
    """Take a role away, at once and everywhere."""
    return await identity.revoke_role(person_id, role)


def _cookie(token: str, identity: Identity, settings: Settings) -> Cookie:
    """The session cookie, or with an empty token its removal."""
    return Cookie(
        SESSION_COOKIE,
        value=token,
        path="/",
        max_age=int(identity.session_ttl.total_seconds()) if token else 0,
        httponly=True,
        secure=settings.public_url.startswith("https:"),
        samesite="lax",
    )


HANDLERS = [
    sign_up,
    sign_in,
    sign_out,
    sign_out_everywhere,
    me,
    list_people,
    show_person,
    grant_role,
    revoke_role,
]
