"""Signing up, in and out over HTTP."""

from __future__ import annotations

from uuid import uuid4

from served import PASSWORD, Server


def test_someone_signs_up_out_and_in_again(server: Server) -> None:
    login = f"lin-{uuid4().hex}"
    client = server.client()
    signed_up = client.post("/people", json={"login": login, "password": PASSWORD, "name": "林小姐"})
    assert signed_up.status_code == 201
    assert client.get("/people/me").json() == signed_up.json()

    assert client.delete("/sessions/current").status_code == 204
    assert client.get("/people/me").status_code == 401

    assert client.post("/sessions", json={"login": login.upper(), "password": PASSWORD}).status_code == 201
    assert client.get("/people/me").json() == signed_up.json()
