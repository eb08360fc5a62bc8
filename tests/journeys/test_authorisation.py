"""Every operation of the API, tried by nobody, by the wrong person and by the right one.

The OpenAPI document says who may call what (`x-access`), so that an operation added tomorrow is tried without a line
being added here. What it asks for is made up from its schema; what its path names is there, and belongs to others.
"""

from __future__ import annotations

from world import ROLES, World

from fairwind.identity import Access

OPEN = {"public", "provider"}


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
        if each.access in {"signed_in", "buyer", "creator", "merchant", "agency"} and set(each.named) - {"shop_id"}
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
