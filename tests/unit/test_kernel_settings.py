"""Settings: where they come from, and messages that name what is wrong without repeating it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairwind.kernel.settings import Settings, SettingsError, load

SECRET = "postgresql://shop:hunter2@db/fairwind"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "fairwind.toml"


def test_without_anything_the_defaults_hold() -> None:
    assert load({}) == Settings()


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(file: Path) -> None:
    file.write_text('host = "file"\nport = 1\nqueue_items_max = 11\n')
    environment = {"FAIRWIND_CONFIG": str(file), "FAIRWIND_PORT": "2", "FAIRWIND_HOST": "environment"}

    settings = load(environment, host="command line", port=None)

    assert (settings.host, settings.port, settings.queue_items_max) == ("command line", 2, 11)


def test_what_is_not_ours_in_the_environment_does_not_matter() -> None:
    assert (
        load({"PATH": "/bin", "PORT": "x", "FAIRWIND_TEST_DATABASE_URL": SECRET, "FAIRWIND_CONFIG": ""}) == Settings()
    )


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("port", "eighty", "must be a whole number"),
        ("port", "70000", "<= 65535"),
        ("port", "", "must be a whole number"),
        ("host", "", "length >= 1"),
        ("log_level", "loud", "must be debug or info or warning or error"),
        ("log_format", "xml", "must be text or json"),
        ("public_url", "ftp://example.org", "such as https://shop.example"),
        ("database_connections_max", "1", ">= 4"),
        ("hold_ttl_s", "0", ">= 1"),
        ("batch_items_max", "1.5", "must be a whole number"),
    ],
)
def test_a_bad_value_is_refused_by_both_names_of_its_setting(name: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({f"FAIRWIND_{name.upper()}": value})

    message = str(refused.value)
    assert message.startswith(f"setting {name} (FAIRWIND_{name.upper()}): ")
    assert reason in message


@pytest.mark.parametrize(
    ("line", "name"),
    [("port = [80]", "port"), ('port = "x"', "port"), ("database_url = 5", "database_url"), ("data = {}", "data")],
)
def test_a_bad_value_in_the_file_is_refused_likewise(file: Path, line: str, name: str) -> None:
    file.write_text(line)

    with pytest.raises(SettingsError, match=rf"^setting {name} \(FAIRWIND_{name.upper()}\): "):
        load({"FAIRWIND_CONFIG": str(file)})


def test_a_bad_value_on_the_command_line_is_refused_likewise() -> None:
    with pytest.raises(SettingsError, match=r"^setting port \(FAIRWIND_PORT\): "):
        load({}, port=-1)


def test_an_unknown_variable_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(SettingsError) as refused:
        load({"FAIRWIND_DATABSE_URL": SECRET})

    assert str(refused.value) == (
        "FAIRWIND_DATABSE_URL is not a setting; did you mean database_url (FAIRWIND_DATABASE_URL)?"
    )


def test_an_unknown_name_in_the_file_is_refused_with_the_file(file: Path) -> None:
    file.write_text(f'database = "{SECRET}"')

    with pytest.raises(SettingsError) as refused:
        load({"FAIRWIND_CONFIG": str(file)})

    assert str(refused.value).startswith(f"{file}: database is not a setting")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("name", ["qwertyuiop", "FAIRWIND_CONFIGS"])
def test_a_name_like_no_other_is_refused_all_the_same(name: str) -> None:
    variable = f"FAIRWIND_{name}"

    with pytest.raises(SettingsError, match=rf"^{variable} is not a setting"):
        load({variable: "1"})


def test_a_file_that_cannot_be_read_says_why(file: Path) -> None:
    with pytest.raises(SettingsError, match=rf"FAIRWIND_CONFIG names {file}, which cannot be read: No such file"):
        load({"FAIRWIND_CONFIG": str(file)})


@pytest.mark.parametrize("content", [b"port = ", f"database_url = {SECRET}".encode(), b"host = '\xff'"])
def test_a_file_that_is_no_toml_says_so_and_repeats_nothing_of_it(file: Path, content: bytes) -> None:
    file.write_bytes(content)

    with pytest.raises(SettingsError, match="is not valid TOML") as refused:
        load({"FAIRWIND_CONFIG": str(file)})
    assert "hunter2" not in str(refused.value)


def test_every_setting_says_what_it_is() -> None:
    for annotation in Settings.__annotations__.values():
        assert "description=" in annotation
