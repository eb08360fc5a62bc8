"""Catalogue files, byte by byte: what is read, what is refused with which number, and what goes out and comes back."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable
from contextlib import suppress
from io import StringIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairwind.catalog.files.columns import UnknownFormat, bare, guarded
from fairwind.catalog.files.formats import FORMATS, csv_text
from fairwind.catalog.files.lines import Goods, Line, RefusedLine
from fairwind.catalog.files.reader import FileReader
from fairwind.catalog.files.records import RECORD_MAX_CHARS, Record, RecordReader, Unreadable
from fairwind.catalog.files.shopify_format import plain_text
from fairwind.catalog.shop import NO_CATEGORY, CategoryPath
from fairwind.catalog.texts import tidy

HEADER = "product_code,title,brief,category,parent_category,brand,unit,spec,price_yuan,list_price_yuan,stock,on_sale\n"
OLD = "Handle,Title,Body (HTML),Vendor,Product Category,Type,Published,Option1 Name,Option1 Value,Option2 Value,"
OLD += "Variant SKU,Variant Price,Variant Compare At Price,Variant Inventory Qty,Image Src,Status\n"
NEW = "Title,URL handle,Description,Published on online store,Option1 name,Option1 value,Price,Compare-at price,"
NEW += "Inventory quantity,Status\n"


def read(*pieces: bytes) -> list[Line | RefusedLine]:
    reader = FileReader()
    return [line for piece in pieces for line in reader.feed(piece)] + list(reader.end())


def records(data: bytes) -> list[Record | RefusedLine]:
    reader = RecordReader()
    return [*reader.feed(data), *reader.end()]


def fairwind(**cells: str) -> str:
    """A line of Fairwind's format, fine but for what is said."""
    fine = {"product_code": "P1", "title": "羊毛被", "brief": "暖", "category": "被枕", "parent_category": "居家"}
    fine |= {"brand": "", "unit": "件", "spec": "大", "price_yuan": "12.30", "list_price_yuan": "20", "stock": "5"}
    return csv_text([list((fine | {"on_sale": "1"} | cells).values())])


def shopify(header: str, *rows: dict[str, str]) -> list[Line | RefusedLine]:
    names = header.strip().split(",")
    return read((header + csv_text([[row.get(name, "") for name in names] for row in rows])).encode())


def refusals(found: Iterable[object]) -> list[tuple[int, str]]:
    return [(line.line, line.reason) for line in found if isinstance(line, RefusedLine)]


# Records


def test_lines_are_counted_as_an_editor_counts_them():
    data = b'a,b\r\n"one\nand two",c\r\n\r\nd,"x\r\ny\rz"\re,f'
    assert records(data) == [
        Record(1, ["a", "b"]),
        Record(2, ["one\nand two", "c"]),
        Record(5, ["d", "x\r\ny\rz"]),
        Record(8, ["e", "f"]),
    ]


def test_blank_lines_and_lines_of_commas_are_passed_over():
    assert records(b"a,b\n\n,\n,,,\nc,d\n") == [Record(1, ["a", "b"]), Record(5, ["c", "d"])]


def test_a_quote_that_is_never_closed_costs_its_own_line_only():
    lines = [f"r{n},x" for n in range(50)]
    lines[7] = 'r7,"x'
    found = records("\n".join(lines).encode())
    assert refusals(found) == [(8, "opens a quote that is never closed")]
    assert [record.cells[0] for record in found if isinstance(record, Record)] == [f"r{n}" for n in range(50) if n != 7]


def test_an_open_quote_in_a_long_file_costs_its_own_line_only():
    rows = 20_000
    lines = [f"r{n},some words to fill the line" for n in range(rows)]
    lines[7] = 'r7,"x'
    found = records("\n".join(lines).encode())
    assert refusals(found) == [(8, "opens a quote that is never closed")]
    assert len(found) == rows


def test_text_after_a_closing_quote_costs_its_own_line_only():
    found = records(b'a,b\n"x"y,1\nc,d\n')
    assert [record.line for record in found if isinstance(record, Record)] == [1, 3]
    assert [line for line, _ in refusals(found)] == [2]


def test_nul_and_bytes_of_no_encoding_cost_their_own_line_only():
    found = records("羊,毛\n".encode() * 10 + b"a\0b,1\n" + b"a\xff,1\n" + "被,子\n".encode())
    assert [line for line, _ in refusals(found)] == [11, 12]
    assert found[-1] == Record(13, ["被", "子"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk"])
@pytest.mark.parametrize("ascii_lines", [0, 5000])
def test_the_encoding_is_found_out_even_far_into_the_file(encoding, ascii_lines):
    text = "code,title\n" + "P,plain\n" * ascii_lines + "P,轻奢纯棉刺绣水洗四件套，居家被枕\n"
    reader = RecordReader()
    found = [*reader.feed(text.encode(encoding)), *reader.end()]
    assert found[0] == Record(1, ["code", "title"])
    assert found[-1] == Record(ascii_lines + 2, ["P", "轻奢纯棉刺绣水洗四件套，居家被枕"])
    assert reader.encoding == ("gb18030" if encoding.startswith("gb") else "utf-8")


def test_a_broken_byte_does_not_make_utf_8_look_like_gb18030():
    found = records("羊毛被四件套\n".encode() * 3 + b"\xe7\xbe\n" + "羊毛\n".encode())
    assert [line for line, _ in refusals(found)] == [4]


def test_utf_16_is_refused_with_advice():
    with pytest.raises(Unreadable, match="UTF-8"):
        records("code,title\n羊,毛\n".encode("utf-16"))


@pytest.mark.parametrize(
    "packed",
    [b"PK\x03\x04\x14\x00\x06\x00\xff\xfe[Content_Types].xml", gzip.compress(b"code,title\n")],
    ids=["zip", "gzip"],
)
def test_a_workbook_and_a_compressed_file_are_refused_with_advice(packed: bytes):
    with pytest.raises(Unreadable, match="save it as CSV"):
        records(packed)


def test_a_line_without_end_does_not_fill_the_memory():
    reader = RecordReader()
    found = list(reader.feed(b"a,b\n"))
    for _ in range(100):
        found += reader.feed(b"x" * 65536)
        assert len(reader._rest) <= RECORD_MAX_CHARS + 1
        assert len(reader._block) <= 65536
    found += [*reader.feed(b"\nc,d\n"), *reader.end()]
    assert [line for line, _ in refusals(found)] == [2]
    assert found[-1] == Record(3, ["c", "d"])


def test_quotes_laid_to_make_the_reader_look_ahead_again_and_again_do_not_stop_it():
    # Each line both closes the quote before it and opens another, and reads as an opening by itself.
    found = records(b'a","\n' * 200_000)
    assert all(isinstance(each, RefusedLine) for each in found)


@given(st.binary(max_size=400), st.data())
def test_how_a_file_is_cut_into_pieces_does_not_matter(data, draws):
    data = HEADER.encode() + data
    cuts = sorted(draws.draw(st.lists(st.integers(0, len(data)), max_size=5)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert _outcome(data) == _outcome(*pieces)


def _outcome(*pieces: bytes) -> object:
    try:
        return read(*pieces)
    except Unreadable as refusal:
        return refusal


nasty = st.text(st.sampled_from("\",\n\r\0\ufeff\ud7ff=+-@'; \tP1羊毛.20é\x1a\u2028"), max_size=30)


@given(
    st.lists(st.one_of(nasty.map(lambda text: text + "\n"), st.builds(fairwind, title=nasty, spec=nasty)), max_size=8)
)
@example(['"'] * 3)
def test_no_file_crashes_the_reader_and_no_part_of_a_line_gets_through(lines):
    data = (HEADER + "".join(lines)).encode()
    found = read(data)
    assert [_number(line) for line in found] == sorted(_number(line) for line in found)
    written = StringIO(data.decode(), newline="").readlines()
    for line in found:
        if isinstance(line, Line):
            cells = [bare(tidy(cell)) for cell in next(csv.reader(written[line.number - 1 :]))]
            assert len(cells) == 12
            assert (cells[0], cells[1], cells[7]) == (line.code, line.words.title, line.spec)


def _number(line: Line | RefusedLine) -> int:
    return line.number if isinstance(line, Line) else line.line


@given(st.binary(max_size=300))
def test_any_bytes_at_all_are_refused_or_read(data):
    with suppress(UnknownFormat, Unreadable):
        read(data)


# Fairwind's format


def test_a_line_says_all_of_its_product_and_sku():
    [line] = read((HEADER + fairwind()).encode())
    assert isinstance(line, Line)
    assert (line.number, line.code, line.spec, line.price_fen, line.list_price_fen) == (2, "P1", "大", 1230, 2000)
    assert (line.stock, line.on_sale) == (5, True)
    assert line.words.category == CategoryPath("居家", "被枕")


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"product_code": ""}, "product_code is empty"),
        ({"title": " "}, "title is empty"),
        ({"title": "长" * 256}, "title is longer than 255 characters"),
        ({"title": "两\n行"}, "title holds a control character"),
        ({"spec": ""}, "spec is empty"),
        ({"brief": "长" * 1001}, "brief is longer than 1000"),
        ({"brand": "\x07"}, "brand holds"),
        ({"category": "a>b"}, "category holds"),
        ({"price_yuan": ""}, "price_yuan is not a price"),
        ({"price_yuan": "12.345"}, "price_yuan is not a price"),
        ({"price_yuan": "-1"}, "price_yuan is not a price"),
        ({"price_yuan": "1,299.00"}, "price_yuan is not a price"),
        ({"price_yuan": "１２"}, "price_yuan is not a price"),
        ({"price_yuan": "0"}, "price_yuan is not between"),
        ({"price_yuan": "100000000.01"}, "price_yuan is not between"),
        ({"list_price_yuan": "abc"}, "list_price_yuan is not a price"),
        ({"stock": "-1"}, "stock is not a whole number"),
        ({"stock": "1.5"}, "stock is not a whole number"),
        ({"stock": "9999999999"}, "stock is not a whole number"),
        ({"on_sale": "maybe"}, "on_sale is neither"),
    ],
)
def test_a_line_is_refused_for_what_is_wrong_with_it(cells, reason):
    found = read((HEADER + fairwind() + fairwind(**cells) + fairwind(product_code="P2")).encode())
    assert [line for line, _ in refusals(found)] == [3]
    assert refusals(found)[0][1].startswith(reason)
    assert len(found) == 3


def test_a_line_with_a_cell_too_few_or_too_many_is_refused():
    found = read((HEADER + fairwind().strip() + ",more\n" + "P1,title\n" + fairwind()).encode())
    assert refusals(found) == [
        (2, "has 13 cells where the header has 12"),
        (3, "has 2 cells where the header has 12"),
    ]


def test_what_a_file_has_no_column_for_is_left_open():
    [line] = read("SPEC,Title,price_yuan,PRODUCT_CODE,颜色\n大,羊毛被,12,P1,红\n".encode())
    assert isinstance(line, Line)
    assert (line.words.brief, line.words.category, line.list_price_fen, line.stock, line.on_sale) == (None,) * 5


def test_an_empty_list_price_is_the_price():
    [line] = read((HEADER + fairwind(list_price_yuan="")).encode())
    assert isinstance(line, Line)
    assert line.list_price_fen == line.price_fen


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"code,name\n", "header of no format"),
        (b"product_code,title,spec\nP,t,s\n", "no column price_yuan"),
        (b"product_code,title,spec,price_yuan,Title\n", "two columns called title"),
        (b'product_code,"title\nP,t\n', "line 1, which is to be the header"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused_as_a_whole(data, words):
    reader = FileReader()
    with pytest.raises(UnknownFormat, match=words):
        [*reader.feed(data), *reader.end(), reader.format]


# Shopify's format


def test_lines_without_a_title_belong_to_the_product_before():
    found = shopify(
        OLD,
        {"Handle": "quilt", "Title": "羊毛被", "Body (HTML)": "<p>很暖。<br>真的</p>", "Vendor": "风",
         "Product Category": "Home > Linens > Quilts", "Published": "TRUE", "Option1 Name": "尺寸",
         "Option1 Value": "大", "Option2 Value": "红", "Variant Price": "459.00", "Variant Compare At Price": "479",
         "Variant Inventory Qty": "7", "Status": "active"},
        {"Handle": "quilt", "Option1 Value": "小", "Option2 Value": "红", "Variant Price": "359"},
        {"Handle": "quilt", "Image Src": "https://example.com/2.jpg"},
        {"Handle": "towel", "Title": "毛巾", "Type": "毛巾", "Option1 Name": "Title", "Option1 Value": "Default Title",
         "Variant Price": "9.9", "Status": "draft"},
    )  # fmt: skip
    assert refusals(found) == []
    big, small, towel = found
    assert (big.code, big.words.title, big.words.brief, big.spec) == ("quilt", "羊毛被", "很暖。\n真的", "大 / 红")
    assert (big.words.category, big.words.brand) == (CategoryPath("Home", "Quilts"), "风")
    assert (big.price_fen, big.list_price_fen, big.stock, big.on_sale) == (45900, 47900, 7, True)
    assert (small.words, small.spec, small.price_fen, small.list_price_fen) == (big.words, "小 / 红", 35900, 35900)
    assert (towel.spec, towel.words.category, towel.on_sale) == ("标准", CategoryPath("", "毛巾"), False)


def test_the_columns_of_new_exports_are_known_too():
    [line] = shopify(
        NEW,
        {"Title": "Tote", "URL handle": "tote", "Description": "Plain", "Published on online store": "TRUE",
         "Option1 name": "Title", "Option1 value": "Default Title", "Price": "79.90", "Compare-at price": "99",
         "Inventory quantity": "3", "Status": "Active"},
    )  # fmt: skip
    assert isinstance(line, Line)
    assert (line.code, line.spec, line.price_fen, line.stock, line.on_sale) == ("tote", "标准", 7990, 3, True)


def test_a_products_lines_share_its_fate_but_not_each_others():
    found = shopify(
        OLD,
        {"Handle": "a", "Title": "长" * 256, "Variant Price": "1"},
        {"Handle": "a", "Option1 Value": "x", "Variant Price": "1"},
        {"Handle": "b", "Title": "B", "Variant Price": "free"},
        {"Handle": "b", "Option1 Value": "y", "Variant Price": "2"},
        {"Handle": "c", "Option1 Value": "z", "Variant Price": "3"},
        {"Handle": "d", "Title": "D", "Variant Price": "1", "Status": "sold"},
        {"Handle": "e", "Title": "E", "Variant Price": "1", "Variant Inventory Qty": "-2"},
    )
    assert refusals(found) == [
        (2, "Title is longer than 255 characters"),
        (3, "belongs to the product of line 2, which was refused"),
        (4, "Variant Price is not a price in yuan such as 12 or 12.34"),
        (6, "Title is empty, and the line before is of another product"),
        (7, "Status is none of active, draft, archived, unlisted"),
        (8, "Variant Inventory Qty is not a whole number between 0 and 1000000000"),
    ]
    assert [line.number for line in found if isinstance(line, Line)] == [5]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain &amp; simple\n\n  kept", "plain & simple\n\n  kept"),
        ("<p>Hel<b>lo</b> <i>you</i></p><ul><li>one</li>\n<li>two</li></ul>", "Hello you\none\ntwo"),
        ("<style>p{}</style>a<script>alert(1)</script>b", "ab"),
        ("1 < 2 <br/> 3", "1 < 2\n3"),
        ("<p></p>", ""),
    ],
)
def test_a_body_is_kept_as_plain_text(html, text):
    assert plain_text(html) == text


def test_markup_without_end_is_read_in_a_moment():
    assert len(plain_text("<" * 100_000)) <= 1000
    assert len(plain_text("<!--" * 30_000)) <= 1000


# There and back

characters = st.one_of(st.characters(codec="utf-8", exclude_categories=["C"]), st.sampled_from("=+-@'＝\",<>&;"))
one_line = st.text(characters, max_size=12).map(tidy)
filled_line = one_line.filter(bool)
several_lines = st.text(st.one_of(characters, st.sampled_from("\n\t")), max_size=20).map(tidy)
names = st.text("居家被枕 ab", min_size=1, max_size=5).map(tidy).filter(bool)
paths = st.one_of(st.just(NO_CATEGORY), st.builds(CategoryPath, st.one_of(st.just(""), names), names))
prices = st.integers(1, 10**10)
stocks = st.integers(0, 10**9)
specs = st.one_of(st.just("标准"), st.just("Default Title"), filled_line)


@st.composite
def assortments(draw: st.DrawFn) -> list[Goods]:
    """Products as an export meets them: by code, their SKUs in order."""
    goods: list[Goods] = []
    for code in sorted(draw(st.sets(filled_line, min_size=1, max_size=3))):
        title, brief, brand, unit = draw(filled_line), draw(several_lines), draw(one_line), draw(one_line)
        path = draw(paths)
        variants = draw(st.lists(st.tuples(specs, prices, prices, stocks, st.booleans()), min_size=1, max_size=3,
                                 unique_by=lambda variant: variant[0]))  # fmt: skip
        published = any(on_sale for *_, on_sale in variants)
        goods += [
            Goods(
                code, title, brief, brand, unit, path, spec, place, price_fen, list_price_fen, stock, on_sale,
                len(variants) == 1, published,
            )
            for place, (spec, price_fen, list_price_fen, stock, on_sale) in enumerate(variants, 1)
        ]  # fmt: skip
    return goods


@pytest.mark.parametrize("name", ["fairwind", "shopify"])
@given(goods=assortments())
def test_what_goes_out_comes_back_the_same(name, goods):
    form = FORMATS[name]
    lines = read(csv_text([form.header, *map(form.row, goods)]).encode())
    assert refusals(lines) == []
    assert [
        (line.code, line.words.title, line.words.brief, line.words.brand, line.words.unit, line.words.category,
         line.spec, line.price_fen, line.list_price_fen, line.stock, line.on_sale)
        for line in lines if isinstance(line, Line)
    ] == [
        (each.code, each.title, each.brief, each.brand, each.unit, each.category,
         each.spec, each.price_fen, each.list_price_fen, each.stock, each.on_sale)
        for each in goods
    ]  # fmt: skip


@given(st.one_of(one_line, st.text("'=-x")))
def test_no_cell_of_ours_is_a_formula_and_each_comes_back(text):
    assert not guarded(text).startswith(tuple("=+-@＝＋－＠"))
    assert bare(guarded(text)) == text
