import pytest
from support.architectures import tiny_tokenizer

from sentiment_lib.data.tokenization import SPACE, encode, encode_dataset, readable_tokens, shortening

LONG = " ".join(f"word{i} is here" for i in range(200))


@pytest.fixture(scope="module")
def tokenizer(bundled):
    return bundled[1]


def all_ids(text, tokenizer):
    return tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]


def test_a_short_text_is_encoded_as_by_the_tokenizer_itself(tokenizer):
    text = "An unwatchable remake, and I watched it twice."
    for truncation in ("head", "tail", "head+tail"):
        assert encode([text], tokenizer, 64, truncation) == [tokenizer(text)["input_ids"]]


@pytest.mark.parametrize("max_length", [8, 33, 128])
def test_what_is_kept_of_a_long_text(tokenizer, max_length):
    ids, room = all_ids(LONG, tokenizer), max_length - 2
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    head = round(room * 0.25)
    assert encode([LONG], tokenizer, max_length, "head") == [[cls, *ids[:room], sep]]
    assert encode([LONG], tokenizer, max_length, "tail") == [[cls, *ids[-room:], sep]]
    assert encode([LONG], tokenizer, max_length, "head+tail") == [[cls, *ids[:head], *ids[-(room - head) :], sep]]


@pytest.mark.parametrize("truncation", ["head", "tail", "head+tail"])
@pytest.mark.parametrize("length", [8, 33, 64, 128])
def test_shortened_ids_are_those_of_a_lower_limit(tokenizer, truncation, length):
    texts = ["A short one.", LONG, " ".join(LONG.split()[:50])]
    shorten = shortening(tokenizer, length, truncation, 0.3)
    expected = encode(texts, tokenizer, length, truncation, 0.3)
    assert [shorten(ids) for ids in encode(texts, tokenizer, 128, truncation, 0.3)] == expected


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_the_head(tokenizer, share):
    ids, head = all_ids(LONG, tokenizer), round(62 * share)
    kept = encode([LONG], tokenizer, 64, "head+tail", share)[0][1:-1]
    assert kept == ids[:head] + (ids[-(62 - head) :] if head < 62 else [])


def test_a_text_of_exactly_the_limit_loses_nothing(tokenizer):
    text = tokenizer.decode(all_ids(LONG, tokenizer)[:62])
    assert len(all_ids(text, tokenizer)) == 62
    for truncation in ("head", "tail", "head+tail"):
        assert encode([text], tokenizer, 64, truncation)[0][1:-1] == all_ids(text, tokenizer)


def test_the_tokenizer_never_returns_more_than_is_kept(tokenizer):
    lengths = []

    class Spy:
        def __getattr__(self, name):
            return getattr(tokenizer, name)

        def __call__(self, *args, **kwargs):
            encoding = tokenizer(*args, **kwargs)
            ids = encoding["input_ids"]
            lengths.extend(map(len, ids if ids and isinstance(ids[0], list) else [ids]))
            return encoding

    encode([LONG, "short"], Spy(), 32, "head+tail")
    assert max(lengths) <= 30


def test_the_tokenizer_is_left_as_it_was(tokenizer):
    before = tokenizer.truncation_side
    encode([LONG], tokenizer, 16, "tail")
    assert tokenizer.truncation_side == before == "right"


def test_empty_input(tokenizer):
    assert encode([], tokenizer, 16) == []
    assert encode([""], tokenizer, 16) == [[tokenizer.cls_token_id, tokenizer.sep_token_id]]


@pytest.mark.parametrize(
    ("max_length", "truncation", "message"),
    [
        (16, "middle", "truncation='middle' is not one of 'head', 'tail', 'head\\+tail'"),
        (2, "head", "max_length=2 leaves no room for a word; use at least 3"),
        (1024, "head", "max_length=1024 is longer than the 512 tokens this model can read"),
    ],
)
def test_impossible_lengths(tokenizer, max_length, truncation, message):
    with pytest.raises(ValueError, match=message):
        encode(["x"], tokenizer, max_length, truncation)


def test_a_split_for_the_model(tokenizer):
    from datasets import Dataset

    rows = Dataset.from_dict({"text": ["good", LONG], "label": [1, 0]})
    encoded = encode_dataset(rows, tokenizer, max_length=16, truncation="head", head_share=0.5)
    assert encoded["length"] == [3, 16]
    assert encoded["labels"] == [1, 0]


def test_pieces_of_words_are_shown_as_a_wordpiece_vocabulary_has_them(tokenizer):
    text = "An unwatchable remake, and I watched it 😀 twice."
    shown = readable_tokens(text, tokenizer)
    assert shown.ids == tokenizer(text)["input_ids"]
    assert shown.tokens == tokenizer.convert_ids_to_tokens(shown.ids)
    assert "##watch" in shown.tokens
    pieces = shown.tokens.index("un")
    assert shown.word_texts[: pieces + 2] == ["[CLS]", "an", "unwatchable", "unwatchable"]
    assert "[UNK]" in shown.word_texts


@pytest.mark.parametrize("model_type", ["roberta", "modernbert", "albert", "xlm-roberta", "deberta-v2"])
def test_tokens_of_other_vocabularies_are_shown_as_the_text_they_stand_for(model_type):
    text, tokenizer = "Zürich: a  wonderful\ncafé 😀 film, isn't it?", tiny_tokenizer(model_type)
    shown = readable_tokens(text, tokenizer, 512)
    assert shown.ids == tokenizer(text)["input_ids"]
    assert shown.words[0] == shown.words[-1] == -1
    assert (shown.tokens[0], shown.tokens[-1]) == (tokenizer.cls_token, tokenizer.sep_token)
    inner = list(zip(shown.tokens, shown.words, shown.word_texts, strict=True))[1:-1]
    assert all(token in (SPACE, tokenizer.unk_token) or token in word for token, _, word in inner)
    words = dict.fromkeys((word, text) for _, word, text in inner)
    joined = "".join(part for _, part in words if part != SPACE)
    assert joined == "".join(text.split())  # nothing is lost, doubled or shown in signs of the vocabulary


@pytest.mark.parametrize("truncation", ["head", "tail", "head+tail"])
def test_the_words_of_a_text_that_is_cut_are_those_of_its_tokens(truncation):
    tokenizer, text = tiny_tokenizer("modernbert"), " ".join(a + b for a in "abcdefghij" for b in "klmnopqrst")
    shown = readable_tokens(text, tokenizer, 16, truncation)
    assert shown.ids == encode([text], tokenizer, 16, truncation)[0]
    assert [tokenizer.decode([i]).strip() or SPACE for i in shown.ids[1:-1]] == shown.tokens[1:-1]
    assert all(any(part in word for word in text.split()) for part in shown.word_texts[1:-1])  # a word may be cut


def test_half_of_a_surrogate_pair_is_shown_as_a_question_mark(tokenizer):
    assert readable_tokens("half \ud83d pair", tokenizer).tokens == ["[CLS]", "half", "?", "pair", "[SEP]"]
