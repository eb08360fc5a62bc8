"""fairwind catalog import and export, as someone at a terminal meets them."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import msgspec
import pytest
from served import Server
from test_http_catalog import opened

from catalogue import catalogue, many
from fairwind.catalog import ImportReport
from fairwind.kernel import Invalid, NotFound
from fairwind.web.files import export_file, import_file


@pytest.fixture
def shop_id(server: Server, database_url: str, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("FAIRWIND_DATABASE_URL", database_url)
    return opened(server.someone("merchant"))["id"]


def test_a_file_goes_in_and_comes_out_again(shop_id: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    given, taken = tmp_path / "given.csv", tmp_path / "taken.csv"
    given.write_text(many(30), encoding="gb18030")
    assert import_file(str(given), shop=shop_id) == 0
    assert "SKUs: 30 new, 0 changed, 0 as they were." in capsys.readouterr().out
    export_file(shop=shop_id, to=taken)
    assert sorted(taken.read_text().splitlines()) == sorted(many(30).splitlines())
    assert set(tmp_path.iterdir()) == {given, taken}


def test_refused_lines_are_shown_and_kept_and_the_exit_status_tells(
    shop_id: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    given, refused = tmp_path / "given.csv", tmp_path / "refused.csv"
    given.write_text(catalogue({}, *({"price_yuan": "[bold]"} for _ in range(30))))
    assert import_file(str(given), shop=shop_id, refused=refused) == 1
    told = capsys.readouterr()
    assert "line 3 price_yuan is not a price" in told.err
    assert "Lines refused: 30." in told.out
    assert [row[0] for row in csv.reader(refused.open())] == ["line", *map(str, range(3, 33))]


def test_standard_input_is_read_and_the_report_is_json_when_asked(
    shop_id: int, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
):
    (tmp_path / "given.csv").write_text(many(3))
    with (tmp_path / "given.csv").open("rb") as given:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(given))
        assert import_file("-", shop=shop_id, json=True) == 0
    report = msgspec.json.decode(capfdbinary.readouterr().out, type=ImportReport)
    assert (report.skus_created, report.lines) == (3, 3)


def test_what_cannot_be_done_is_said_and_leaves_nothing_behind(shop_id: int, tmp_path: Path):
    with pytest.raises(Invalid, match="cannot be read"):
        import_file(str(tmp_path / "none.csv"), shop=shop_id)
    with pytest.raises(Invalid, match="cannot be written"):
        export_file(shop=shop_id, to=tmp_path / "none" / "taken.csv")
    with pytest.raises(NotFound):
        export_file(shop=10**15, to=tmp_path / "taken.csv")
    assert list(tmp_path.iterdir()) == []
