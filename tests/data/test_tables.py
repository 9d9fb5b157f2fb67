"""How files of reviews are written: each kind is read without losing a row, or refused with the remedy."""

import bz2
import gzip
import json
import lzma
import zipfile

import pandas as pd
import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from sentiment_lib.data import TableOptions, read_table, table_parts
from sentiment_lib.data.tables import class_names, how_read
from sentiment_lib.errors import DataError

TEXTS = [f"Scene {i} is a {word} piece of film." for i, word in enumerate(["dull", "fine", "slow", "warm"] * 6)]


def table_of(texts, delimiter=",", header="text{}label\n", end="\n"):
    lines = [f"{text}{delimiter}{i % 2}{end}" for i, text in enumerate(texts)]
    return (header.format(delimiter) if header else "") + "".join(lines)


def written(folder, content, name="r.csv", encoding="utf-8"):
    path = folder / name
    path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
    return path


DIALECTS = {
    "commas": (table_of(TEXTS), "utf-8", ""),
    "semicolons, commas in the texts": (table_of([f"{t}, or so, I think" for t in TEXTS], ";"), "utf-8", "semicolons"),
    "semicolons, one comma in every text": (table_of([f"Well, {t}" for t in TEXTS], ";"), "utf-8", "semicolons"),
    "tabs in a .csv": (table_of([f"Well, {t}" for t in TEXTS], "\t"), "utf-8", "tabs"),
    "vertical bars": (table_of(TEXTS, "|"), "utf-8", "vertical bars"),
    "a byte-order mark": (table_of(TEXTS), "utf-8-sig", ""),
    "UTF-16, as a spreadsheet's Unicode text": (table_of(TEXTS, "\t"), "utf-16", "tabs, utf-16"),
    "Windows-1252": (table_of([f"{t} “Très” naïve…" for t in TEXTS]), "cp1252", "cp1252"),
    "Windows-1251": (table_of([f"{t} Отличный фильм, но концовка слабая".replace(",", "") for t in TEXTS]), "cp1251", "cp1251"),
    "Shift JIS": (table_of([f"{t} 素晴らしい映画でした。最後まで楽しめました" for t in TEXTS]), "shift_jis", "cp932"),
    "no header": (table_of(TEXTS, header=""), "utf-8", "no header"),
    "carriage returns": (table_of(TEXTS, end="\r\n", header="text{}label\r\n"), "utf-8", ""),
    "no line end at the end": (table_of(TEXTS).rstrip("\n"), "utf-8", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", DIALECTS)
def test_dialects_are_recognised_and_said(case, tmp_path):
    content, encoding, unusual = DIALECTS[case]
    path = written(tmp_path, content, encoding=encoding)
    assert how_read(path) == unusual
    table = read_table(path)
    assert len(table) == len(TEXTS)
    plain = content.replace("\r", "").splitlines()[-len(TEXTS) :]
    delimiter = {"semicolons": ";", "tabs": "\t", "vertical bars": "|"}.get(unusual.split(",")[0], ",")
    assert table.iloc[:, 0].tolist() == [line.rpartition(delimiter)[0] for line in plain]
    parts = list(table_parts(path, 5))
    assert [len(part) for part in parts] == [5, 5, 5, 5, 4]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), table)


QUOTES = {
    # name: (lines after the header, texts, how it was read)
    "doubled quotes": (['"He said ""no"", then left",1', "Nothing,0"], ['He said "no", then left', "Nothing"], ""),
    "several lines in quotes": (['"One\ntwo, three",1', "Nothing,0"], ["One\ntwo, three", "Nothing"], ""),
    "backslashes": ([r'"He said \"no\", then left",1', "Nothing,0"], ['He said "no", then left', "Nothing"], "quotes escaped by backslashes"),
    "a quote within a text": (['A "great" film,1', "Nothing,0"], ['A "great" film', "Nothing"], ""),
    "a quoted beginning": (['"Great" they said,1', "Nothing,0"], ['"Great" they said', "Nothing"], "quotes that enclose no value are part of it"),
    "one that never closes": (['"Great they said,1', "Nothing,0"], ['"Great they said', "Nothing"], "quotes that enclose no value are part of it"),
    "two that never close": (['"Great they said,1', "Nothing,0", '"Poor they said,0'], ['"Great they said', "Nothing", '"Poor they said'], "quotes that enclose no value are part of it"),
    "one that never closes beside one that does": (['"Great they said,1', '"Well, no",0'], ['"Great they said', "Well, no"], "quotes that enclose no value are part of it"),
    "inches": (['A 12" record,1', 'A 7" one,0'], ['A 12" record', 'A 7" one'], ""),
}  # fmt: skip


@pytest.mark.parametrize("case", QUOTES)
@pytest.mark.parametrize("ending", [".csv", ".csv.gz"])
def test_quotes_never_cost_a_row(case, ending, tmp_path):
    lines, texts, how = QUOTES[case]
    content = "text,label\n" + "\n".join(lines) + "\n"
    path = written(tmp_path, gzip.compress(content.encode()) if ending.endswith("gz") else content, f"r{ending}")
    assert read_table(path)["text"].tolist() == texts
    assert how_read(path) == how


REFUSED = {
    "a quote cut off at the end": (table_of(TEXTS).replace("Scene", '"Scene').replace("film.", 'film."') + '"Cut off', "Line 26 .* quote"),
    "a text with an unquoted comma": (table_of([*TEXTS, "Well, no"]), "more fields than columns|could not be read"),
    "both readings possible": ('text,label\n"One,1\nTwo",0\nThree,1\n', "opens in line 2.*quotes=true or quotes=false"),
    "short names in doubt": ("a,b\nc,d\ne,f\n", "header=true.*header=false"),
    "mostly UTF-8": (("text,label\n" + "très,1\n" * 9).encode() + b"\xff\xfe\xfd,1\n", "is UTF-8, but line 11 is not"),
    "a note for Excel": ("sep=;\ntext;label\nfine;1\n", "first line .* is 'sep=;', a note for Excel. Delete it"),
    "empty": ("", "is empty"),
    "only a header": ("text,label\n", "holds no rows"),
    "blank": ("\n\n", "holds no rows"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_in_doubt_is_refused(case, tmp_path):
    content, message = REFUSED[case]
    with pytest.raises(DataError, match=message):
        read_table(written(tmp_path, content))


def test_with_one_column_quotes_enclose(tmp_path):
    path = written(tmp_path, 'text\n"One line\nand another"\nThree\n')
    assert read_table(path)["text"].tolist() == ["One line\nand another", "Three"]
    assert len(read_table(path, TableOptions(quotes=False))) == 3


SENTENCES = {
    "cp1250": "Příšerně žluťoučký kůň úpěl ďábelské ódy. Skvělý film, výborné herecké výkony.",
    "cp1253": "Πολύ καλή ταινία, αλλά το τέλος με απογοήτευσε.",
    "cp1254": "Çok güzel bir film, oyunculuk müthiş ama sonu kötüydü. Şaşırdım, ığdır.",
    "koi8-r": "Отличный фильм, но концовка разочаровала. Актёры играют прекрасно.",
    "gb18030": "这部电影非常好看,演员的表演很精彩。",
    "cp949": "정말 재미있는 영화였어요. 배우들의 연기가 훌륭했습니다.",
}


@pytest.mark.parametrize("encoding", SENTENCES)
def test_encodings_of_other_alphabets(encoding, tmp_path):
    path = written(tmp_path, f'text,label\n"{SENTENCES[encoding]}",1\n', encoding=encoding)
    assert read_table(path)["text"].tolist() == [SENTENCES[encoding]]


def test_an_encoding_that_was_asked_for_is_not_replaced_by_another(tmp_path):
    path = written(tmp_path, b"text,label\n" + b"A film,1\n" * 30_000 + b"Na\xefve,1\n")
    assert read_table(path)["text"].iloc[-1] == "Naïve"
    with pytest.raises(DataError, match="encoding"):
        read_table(path, TableOptions(encoding="utf-8"))


def test_an_encoding_in_doubt_is_refused(tmp_path):
    path = written(tmp_path, "text,label\nIt kept me smiling – “très” fine… naïve,1\n", encoding="mac_roman")
    with pytest.raises(DataError, match=r"its encoding is in doubt.*encoding=cp1252"):
        read_table(path)


def test_the_user_decides(tmp_path):
    both = written(tmp_path, REFUSED["both readings possible"][0])
    assert len(read_table(both, TableOptions(quotes=True))) == 2
    assert read_table(both, TableOptions(quotes=False))["text"].tolist() == ['"One', 'Two"', "Three"]
    odd = written(tmp_path, "a,b\nc,d\n", "odd.csv")
    assert list(read_table(odd, TableOptions(header=True))) == ["a", "b"]
    assert read_table(odd, TableOptions(header=False))["1"].tolist() == ["a", "c"]
    assert list(read_table(odd, TableOptions(columns=("b",)))) == ["a", "b"]
    other = written(tmp_path, "text#label\nfine, really#1\n", "other.csv")
    assert read_table(other, TableOptions(delimiter="#"))["label"].tolist() == ["1"]
    mac = written(tmp_path, table_of([f"{t} naïve" for t in TEXTS]), "mac.csv", "mac_roman")
    assert read_table(mac, TableOptions(encoding="mac_roman"))["text"][0].endswith("naïve")
    marked = written(tmp_path, table_of(TEXTS), "marked.csv", "utf-8-sig")
    assert list(read_table(marked, TableOptions(encoding="UTF8"))) == ["text", "label"]
    separators = written(tmp_path, table_of([f"{t}\u2028\x0bMore" for t in TEXTS]), "separators.csv")
    assert len(read_table(separators)) == len(TEXTS)
    tabs = written(tmp_path, "text\tlabel\nfine\t1\n", "tabs.txt")
    assert read_table(tabs, TableOptions(delimiter="tab"))["label"].tolist() == ["1"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": "::"}, "must be one character"),
        ({"delimiter": '"'}, "must be one character"),
        ({"encoding": "windows"}, "not an encoding that Python knows"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        TableOptions(**options)


def test_compressed_files_are_the_same(tmp_path):
    content = table_of(TEXTS).encode()
    expected = read_table(written(tmp_path, content))
    for ending, compress in {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}.items():
        path = written(tmp_path, compress(content), f"r.csv{ending}")
        pd.testing.assert_frame_equal(read_table(path), expected)
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("IMDB Dataset.csv", content)
        archive.writestr("__MACOSX/._IMDB Dataset.csv", "x")
    pd.testing.assert_frame_equal(read_table(tmp_path / "r.zip"), expected)


def test_archives_that_are_in_doubt(tmp_path):
    with zipfile.ZipFile(tmp_path / "r.zip", "w") as archive:
        archive.writestr("train.csv", "text\na\n")
        archive.writestr("test.csv", "text\na\n")
    with pytest.raises(DataError, match=r"holds 2: train\.csv, test\.csv\. Unpack it"):
        read_table(tmp_path / "r.zip")
    with pytest.raises(DataError, match="could not be read as a zip archive"):
        read_table(written(tmp_path, "no archive", "x.zip"))
    with pytest.raises(DataError, match="could not be read as csv"):
        read_table(written(tmp_path, "no archive", "x.csv.gz"))
    with pytest.raises(DataError, match=r"holds aclImdb_v1\.tar.* Unpack it, and give the folder"):
        read_table(written(tmp_path, "x", "aclImdb_v1.tar.gz"))
    with pytest.raises(DataError, match=r"Save it as \.xlsx"):
        read_table(written(tmp_path, "x", "x.xls"))


RECORDS = [{"text": text, "label": i % 2} for i, text in enumerate(TEXTS)]


@pytest.mark.parametrize("name", ["r.json", "r.jsonl", "r.ndjson"])
def test_json_lines_and_arrays(name, tmp_path, monkeypatch):
    monkeypatch.setattr("sentiment_lib.data.tables._PIECE", 7)  # every object lies across pieces
    contents = [
        "\n".join(map(json.dumps, RECORDS)),
        json.dumps(RECORDS),
        " \n" + json.dumps(RECORDS, indent=1) + "\n",
        "\ufeff" + json.dumps(RECORDS, ensure_ascii=False),
    ]
    for content in contents:
        path = written(tmp_path, content, name)
        assert read_table(path).to_dict("records") == RECORDS
        assert sum(map(len, table_parts(path, 5))) == len(RECORDS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"text": "a"}, {"text": "b"]', "Item 2 of the array"),
        ('[{"text": "a"} {"text": "b"}]', "no comma after item 1"),
        ('[{"text": "a"}', "not closed"),
        ('[{"text": "a"}, "b"]', "Item 2 .* not an object"),
        ('[{"text": "a", "text": "b"}]', "Item 1 .*a key occurs twice"),
        ("[]", "holds no rows"),
        ('{"text": "a"}\n{"text": ', "Line 2 of .* is not JSON"),
        ('{\n"text": "a"\n}', "Line 1 of .* is not JSON"),
    ],
)
def test_broken_json_is_refused_with_its_place(content, message, tmp_path):
    with pytest.raises(DataError, match=message):
        read_table(written(tmp_path, content, "r.json"))


def test_text_files(tmp_path):
    lines = written(tmp_path, 'Great, a film\n\n"Quoted\nLast', "r.txt")
    assert read_table(lines)["text"].tolist() == ["Great, a film", "", '"Quoted', "Last"]
    assert how_read(lines) == "one text per line"
    fast = written(tmp_path, "__label__2 Great: a film\n__label__1 , Dull\n", "train.ft.txt")
    assert read_table(fast).to_dict("list") == {"label": ["2", "1"], "text": ["Great: a film", ", Dull"]}
    both = written(tmp_path, "__label__2 Great\n__label__1 __label__2 Dull\n", "both.txt")
    with pytest.raises(DataError, match=r"Line 2 of .* has 2 fastText labels"):
        read_table(both)
    uci = written(tmp_path, 'A "great film, really.\t1\nDull and slow. \t0\nNot for me at all.\t0\n', "labelled.txt")
    assert read_table(uci).to_dict("list") == {
        "1": ['A "great film, really.', "Dull and slow. ", "Not for me at all."],
        "2": ["1", "0", "0"],
    }


def test_excel_files(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["text", "label", None], ["A film", 1, None], [1984, 0, None], [None, None, None], ["Dull", 0, None]):
        book.active.append(row)
    book.create_sheet("empty")
    book.save(tmp_path / "r.xlsx")
    assert read_table(tmp_path / "r.xlsx").to_dict("list") == {"text": ["A film", 1984, "Dull"], "label": [1, 0, 0]}
    book["empty"].append(["more"])
    book.save(tmp_path / "two.xlsx")
    with pytest.raises(DataError, match="2 sheets with rows"):
        read_table(tmp_path / "two.xlsx")


def test_excel_without_the_package_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    with pytest.raises(DataError, match="Save it as CSV UTF-8, or install"):
        read_table(written(tmp_path, "x", "r.xlsx"))


def test_arrow_files_and_saved_datasets(tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["pos", "neg"])})
    dataset = Dataset.from_list(RECORDS, features=features).shuffle(seed=1)  # with an indirection
    dataset.save_to_disk(tmp_path / "saved")
    expected = dataset[:]["text"]
    assert read_table(tmp_path / "saved")["text"].tolist() == expected
    assert class_names(tmp_path / "saved") == {"label": ["pos", "neg"]}
    assert [len(part) for part in table_parts(tmp_path / "saved", 10)] == [10, 10, 4]
    dataset.to_parquet(tmp_path / "r.parquet")
    assert class_names(tmp_path / "r.parquet") == {"label": ["pos", "neg"]}
    table = dataset.flatten_indices().data.table
    for name, writer in {"stream.arrow": pa.ipc.new_stream, "file.arrow": pa.ipc.new_file}.items():
        with pa.OSFile(str(tmp_path / name), "wb") as sink, writer(sink, table.schema) as out:
            out.write_table(table)
        assert read_table(tmp_path / name)["text"].tolist() == expected
        assert class_names(tmp_path / name) == {"label": ["pos", "neg"]}
        assert [len(part) for part in table_parts(tmp_path / name, 10)] == [10, 10, 4]


def test_a_long_text_is_no_obstacle(tmp_path):
    long = "word " * 200_000  # longer than the csv module's limit, and than the sample
    path = written(tmp_path, f'text,label\n"{long}, ""end""",1\nA "short" one,0\n')
    assert read_table(path)["text"].str.len().tolist() == [len(long) + 7, 13]
