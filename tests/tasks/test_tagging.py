"""Tagging: transformers' loss, a prediction for every word, and the same in any batch."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.batch import IGNORED
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.huggingface.folder import load_folder
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import TaggedExample
from unmask.data.labelled.reading import read_tagged
from unmask.data.labelled.tags import illegal
from unmask.data.labelled.words import joined
from unmask.data.rejects import Rejects
from unmask.data.windows import Window, collate
from unmask.errors import DataError
from unmask.models.config import BertConfig
from unmask.nn.init import initialise
from unmask.tasks import registry
from unmask.tasks.config import TaggingConfig
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.predicting import raw_scores
from unmask.tasks.tagging import Tagging
from unmask.tasks.task import Model
from unmask.text.config import TokenizerConfig
from unmask.text.special import SpecialTokens
from unmask.text.tokenizer import Tokenizer
from unmask.text.wordpiece import build

LETTERS = "abcdefgh"
PIECES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{c}" for c in LETTERS), ".")
LABELS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
LONGEST = 48


def make_tokenizer() -> Tokenizer:
    vocabulary = {piece: i for i, piece in enumerate(PIECES)}
    return Tokenizer(build(vocabulary, TokenizerConfig(), SpecialTokens()), SpecialTokens())


TOKENIZER = make_tokenizer()


def tagged(words: str, tags: str | None) -> TaggedExample:
    found = None if tags is None else tuple(tags.split())
    return TaggedExample("1", *joined(words.split(" ")), found, "file:1")


EXAMPLES = [
    tagged("abc de f gh . cab", "B-PER I-PER O B-LOC O O"),
    tagged("hgf", "B-LOC"),
    tagged("bad cafe fed a dead beef . head face", "O B-PER I-PER I-PER O B-LOC I-LOC O B-PER"),
    tagged("a b c", "O O B-LOC"),
]
TASK = Tagging(TaggingConfig(), LABELS, "iob2")


def make_config(vocab_size: int = len(PIECES)) -> BertConfig:
    return BertConfig(
        vocab_size=vocab_size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=LONGEST,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def make_model(task: Tagging, config: BertConfig | None = None) -> Model:
    config = config or make_config()
    model = assemble(config, {task.head}, task.num_outputs)
    initialise(model, 0.2, torch.Generator().manual_seed(0))
    return model


def flat(windows: list[list[Window]]) -> list[Window]:
    return [window for parts in windows for window in parts]


def configured(**settings: Any) -> Tagging:
    return replace(TASK, config=TaggingConfig(**settings))


def scored(model: Model, task: Tagging, examples: list[TaggedExample]) -> list[np.ndarray]:
    return [scores for _, scores in raw_scores(model, task, examples, TOKENIZER, LONGEST)]


def perfect(task: Tagging, examples: list[TaggedExample]) -> list[np.ndarray]:
    """Scores that give each word its tag."""
    rows = [[task.labels.index(tag) for tag in example.tags or ()] for example in examples]
    return [np.log(0.9 * np.eye(len(task.labels), dtype=np.float32)[row] + 0.02) for row in rows]


# --- training


def their_labels(examples: list[TaggedExample], encoded: Any, *, all_pieces: bool) -> torch.Tensor:
    """As transformers' run_ner.py aligns them."""
    rows = []
    for i, example in enumerate(examples):
        previous, row = None, []
        for word in encoded.word_ids(i):
            label = IGNORED if word is None else LABELS.index((example.tags or ())[word])
            if word is not None and word == previous:
                label = label + 1 if LABELS[label].startswith("B-") else label
                label = label if all_pieces else IGNORED
            previous = word
            row.append(label)
        rows.append(row)
    return torch.tensor(rows)


@pytest.mark.parametrize("aggregation", ["first", "average"])
@pytest.mark.parametrize("subwords", ["first", "all"])
def test_the_loss_is_that_of_transformers(tmp_path: Path, subwords: Any, aggregation: Any) -> None:
    torch.manual_seed(0)
    fields = make_config().model_dump()
    config = transformers.BertConfig(**fields, num_labels=len(LABELS))
    theirs = transformers.BertForTokenClassification(config).train()
    task = configured(subwords=subwords, aggregation=aggregation)
    theirs.save_pretrained(tmp_path)
    model = load_folder(tmp_path).model.train()
    TOKENIZER.save(tmp_path)
    words = [[one.text[start:end] for start, end in one.words] for one in EXAMPLES]
    encoded = transformers.BertTokenizerFast.from_pretrained(tmp_path)(
        words, is_split_into_words=True, padding=True, return_tensors="pt"
    )
    labels = their_labels(EXAMPLES, encoded, all_pieces=subwords == "all")
    expected = theirs(**encoded, labels=labels).loss

    batch = collate(flat(task.encode(EXAMPLES, TOKENIZER, LONGEST)))
    (term,) = task.loss(model(batch, task), batch)
    count = task.counts(batch)[term.name]

    assert count == (labels != IGNORED).sum()
    assert (term.name, term.weight) == ("tagging", 1.0)
    torch.testing.assert_close(term.total / count, expected, rtol=1e-5, atol=1e-5)


def test_only_first_pieces_reach_the_head_unless_others_are_wanted() -> None:
    seen: list[int] = []
    model = make_model(TASK)
    model.heads["classifier"].register_forward_pre_hook(lambda _, x: seen.append(len(x[0])))
    num_words = sum(len(one.words) for one in EXAMPLES)

    for settings_ in ({}, {"aggregation": "max"}, {"subwords": "all"}):
        task = configured(**settings_)
        batch = collate(flat(task.encode(EXAMPLES, TOKENIZER, LONGEST)))
        model(batch, task)

    num_pieces = batch.num_tokens - 2 * len(EXAMPLES)
    assert seen == [num_words, num_pieces, num_pieces]


def test_every_word_of_a_long_text_is_learned_once() -> None:
    long = tagged("abc de f " * 30 + "gh", "B-PER I-PER O " * 30 + "O")
    task = configured(stride=10)

    (windows,) = task.encode([long], TOKENIZER, LONGEST)

    assert len(windows) > 2
    assert sum(int((w.labels["tagging"] != IGNORED).sum()) for w in windows) == 91
    batch = collate(windows)
    read = batch.labels["tagging"][task.rows(batch)]
    assert [LABELS[i] for i in read.tolist()] == list(long.tags or ())


def test_one_batch_can_be_learned() -> None:
    task = Tagging.begin(TaggingConfig(), EXAMPLES)
    model = make_model(task).train()
    batch = collate(flat(task.encode(EXAMPLES, TOKENIZER, LONGEST)))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        (term,) = task.loss(model(batch, task), batch)
        (term.total / task.counts(batch)[term.name]).backward()
        optimizer.step()

    found = task.score(EXAMPLES, scored(model, task, EXAMPLES))

    assert found["f1"] == found["strict_f1"] == found["accuracy"] == 1.0


# --- prediction


@pytest.mark.parametrize("aggregation", ["first", "average", "max"])
def test_neither_order_nor_packing_nor_company_changes_a_prediction(aggregation: Any) -> None:
    task = configured(aggregation=aggregation, stride=8)
    model = make_model(task).eval()
    long = tagged("bad cafe fed " * 25 + "a", None)
    examples = [*EXAMPLES, long, tagged("face head", None)]

    together = scored(model, task, examples)
    alone = [scored(model, task, [example])[0] for example in examples]
    backwards = scored(model, task, examples[::-1])[::-1]

    for one, other, third, example in zip(together, alone, backwards, examples, strict=True):
        assert one.shape == (len(example.words), len(LABELS))
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
        np.testing.assert_allclose(one, third, rtol=0, atol=1e-5)
        np.testing.assert_allclose(np.exp(one).sum(axis=1), 1.0, rtol=1e-5)


def test_a_text_that_fits_is_one_window_whatever_the_stride() -> None:
    model = make_model(TASK).eval()
    whole = [scored(model, configured(stride=stride), EXAMPLES) for stride in (0, 20)]

    assert all(len(parts) == 1 for parts in TASK.encode(EXAMPLES, TOKENIZER, LONGEST))
    for one, other in zip(*whole, strict=True):
        np.testing.assert_array_equal(one, other)


def test_words_of_a_long_text_are_judged_as_their_window_has_them() -> None:
    task = configured(stride=10, max_length=24)
    model = make_model(task).eval()
    example = tagged("bad cafe fed " * 9 + "a", None)

    (found,) = scored(model, task, [example])

    (windows,) = task.encode([example], TOKENIZER, LONGEST)
    assert max(len(window.input_ids) for window in windows) <= 24
    number = 0
    for window in windows:
        batch = collate([window])
        logits = model.heads["classifier"](model.encoder(batch))  # (T, K) at all positions
        for position in np.flatnonzero(window.labels["words"] != IGNORED):
            expected = torch.log_softmax(logits[position], dim=0).detach().numpy()
            np.testing.assert_allclose(found[number], expected, rtol=0, atol=1e-5)
            number += 1
    assert number == len(example.words)


ODD = ["“", "a”", "\u00ad", "❤️", "️", "中文", "\x00", "[SEP]", "abc", "\ud800", "h" * 60]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    st.lists(st.one_of(st.sampled_from(ODD), st.text(min_size=1, max_size=4)), max_size=40),
    st.sampled_from(["none", "simple", "first", "average", "max"]),
    st.sampled_from(["argmax", "repair", "viterbi"]),
)
def test_every_word_has_one_prediction_in_its_place(
    words: list[str], aggregation: Any, decoding: Any
) -> None:
    task = configured(aggregation=aggregation, decoding=decoding, stride=9, max_length=24)
    example = TaggedExample("1", *joined(words), None, "file:1")

    [(_, scores)] = raw_scores(MODEL, task, [example], TOKENIZER, LONGEST)
    found = task.decode(example, scores)

    assert found["words"] == words
    assert len(found["tags"]) == len(words)
    assert set(found["tags"]) <= set(LABELS)
    assert decoding == "argmax" or not illegal(found["tags"], "iob2")
    assert json.loads(json.dumps(found)) == found
    ends = [entity["end"] for entity in found["entities"]]
    assert ends == sorted(ends)
    for entity in found["entities"]:
        assert example.text[entity["start"] : entity["end"]] == entity["word"]
        assert 0 < entity["score"] <= 1


MODEL = make_model(TASK).eval()


def test_decoding_follows_the_scheme() -> None:
    example = tagged("a b c", None)
    scores = np.log(np.array(
        [[0.1, 0.2, 0.5, 0.1, 0.1], [0.2, 0.1, 0.4, 0.1, 0.2], [0.3, 0.1, 0.1, 0.1, 0.4]],
        dtype=np.float32,
    ))  # fmt: skip

    found = {
        how: configured(decoding=how).decode(example, scores)["tags"]
        for how in ("argmax", "repair", "viterbi")
    }

    assert found["argmax"] == ["I-PER", "I-PER", "I-LOC"]
    assert found["repair"] == ["B-PER", "I-PER", "B-LOC"]
    assert found["viterbi"] == ["B-PER", "I-PER", "O"]


def test_the_answer_is_shaped_as_in_transformers() -> None:
    example = tagged("bad cafe .", "B-PER I-PER O")

    found = TASK.decode(example, perfect(TASK, [example])[0])

    assert found == {
        "words": ["bad", "cafe", "."],
        "tags": ["B-PER", "I-PER", "O"],
        "entities": [
            {
                "entity_group": "PER",
                "score": pytest.approx(0.92),
                "word": "bad cafe",
                "start": 0,
                "end": 8,
            }
        ],
    }


def test_a_text_without_words_has_an_answer() -> None:
    example = TaggedExample("1", " ", (), None, "file:1")

    (scores,) = scored(MODEL, TASK, [example])

    assert scores.shape == (0, len(LABELS))
    assert TASK.decode(example, scores) == {"words": [], "tags": [], "entities": []}


# --- scores


@pytest.mark.parametrize("decoding", ["argmax", "repair", "viterbi"])
@pytest.mark.parametrize(
    ("tags", "scheme"),
    [
        ("B-PER I-PER O B-LOC", "iob2"),
        ("I-PER I-PER O I-LOC", "iob1"),
        ("B-PER E-PER O S-LOC", "bioes"),
        ("NOUN VERB PUNCT NOUN", "plain"),
    ],
)
def test_perfect_predictions_score_1(tags: str, scheme: str, decoding: Any) -> None:
    examples = [tagged("a b c d", tags)]
    task = Tagging.begin(TaggingConfig(decoding=decoding), examples)
    assert task.scheme == scheme

    found = task.score(examples, perfect(task, examples))

    assert task.metric == ("accuracy" if scheme == "plain" else "f1")
    assert found[task.metric] == found["accuracy"] == found["f1_macro"] == 1.0
    assert any(name.startswith("strict_") for name in found) == (scheme != "plain")
    assert task.tuned(examples, perfect(task, examples)) is task


def test_bilou_scores_as_bioes() -> None:
    examples = [tagged("a b c d", "B-PER L-PER O U-LOC")]
    task = Tagging.begin(TaggingConfig(), examples)
    as_bioes = [tagged("a b c d", "B-PER E-PER O S-LOC")]

    found = task.score(examples, perfect(task, as_bioes))

    assert found["accuracy"] == found["strict_f1"] == 1.0


def test_wrong_predictions_score_as_seqeval_counts_them() -> None:
    example = tagged("a b c d", "B-PER I-PER O B-LOC")
    guess = tagged("a b c d", "B-PER O O B-LOC")

    found = TASK.score([example], perfect(TASK, [guess]))

    assert (found["precision"], found["recall"], found["accuracy"]) == (0.5, 0.5, 0.75)
    assert found["f1/LOC"] == 1.0


def test_intervals_hold_the_scores() -> None:
    for scheme in ("iob2", "plain"):
        task = replace(TASK, scheme=scheme)
        scores = scored(MODEL, task, EXAMPLES)
        found = task.intervals(EXAMPLES, scores, Bootstrap(num_resamples=50))
        expected = task.score(EXAMPLES, scores)
        assert task.metric in found
        for name, interval in found.items():
            assert interval.value == pytest.approx(expected[name])
            assert interval.low <= interval.high


# --- its settings


def test_it_comes_back_from_what_is_stored() -> None:
    task = Tagging.begin(TaggingConfig(decoding="viterbi", stride=7), EXAMPLES)

    assert task.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert registry.restore(json.loads(json.dumps(task.stored()))) == task
    with pytest.raises(DataError, match="unknown tag scheme `iob9`"):
        registry.restore({**task.stored(), "scheme": "iob9"})


def test_a_foreign_model_brings_its_labels() -> None:
    found = registry.foreign("classifier", "BertForTokenClassification", ("I-A", "O"), None)

    assert found == Tagging(TaggingConfig(), ("I-A", "O"), "iob1")


def test_a_scheme_that_is_set_is_not_guessed() -> None:
    config = TaggingConfig(scheme="plain")

    assert Tagging.begin(config, EXAMPLES).scheme == "plain"
    with pytest.raises(DataError, match="file:1: `NN` is no tag of iob2"):
        Tagging.begin(TaggingConfig(scheme="iob2"), [tagged("a b", "NN O")])


def test_tags_that_training_did_not_have_are_refused_with_their_place() -> None:
    example = replace(tagged("a b", "O B-ORG"), place="dev.conll:12")
    with pytest.raises(DataError, match=r"dev.conll:12: label 'B-ORG' is none of the 5"):
        TASK.encode([EXAMPLES[0], example], TOKENIZER, LONGEST)


def test_words_without_tags_cannot_be_scored() -> None:
    example = tagged("a b", None)
    with pytest.raises(DataError, match="file:1: the words have no tags"):
        TASK.score([example], scored(MODEL, TASK, [example]))


# --- real data


def real(file: str, num: int) -> list[TaggedExample]:
    if "UNMASK_DATA" not in os.environ:
        pytest.skip("UNMASK_DATA is not set: no real tags")
    with Rejects(0.0) as rejects:
        path = Path(os.environ["UNMASK_DATA"], file)
        return list(read_tagged(path, LabelledConfig(), rejects))[:num]


@pytest.mark.parametrize(
    ("file", "scheme", "num_labels"),
    [
        ("ud-ewt/en_ewt-ud-dev.conllu.gz", "plain", 17),
        ("wnut17/emerging.dev.conll", "iob2", 13),
        ("ncbi-disease/devel.tsv", "iob2", 3),
    ],
)
def test_real_tags_stay_with_their_words(file: str, scheme: str, num_labels: int) -> None:
    examples = real(file, 10_000)
    task = Tagging.begin(TaggingConfig(stride=8), examples)
    assert (task.scheme, task.num_outputs) == (scheme, num_labels)
    for example, windows in zip(examples, task.encode(examples, TOKENIZER, 32), strict=True):
        labels = np.concatenate([window.labels["tagging"] for window in windows])
        words = np.concatenate([window.labels["words"] for window in windows])
        assert words[words != IGNORED].tolist() == list(range(len(example.words)))
        assert tuple(task.labels[i] for i in labels[labels != IGNORED]) == example.tags
    gold = perfect(task, examples[:200])
    assert task.score(examples[:200], gold)[task.metric] == 1.0


def test_parts_of_speech_are_learned_from_real_sentences() -> None:
    examples = real("ud-ewt/en_ewt-ud-dev.conllu.gz", 300)
    path = Path(os.environ["UNMASK_DATA"], "bert-assets", "bert-base-uncased-vocab.txt")
    tokenizer = Tokenizer.load(path)
    task = Tagging.begin(TaggingConfig(), examples)
    model = make_model(task, make_config(tokenizer.vocab_size)).train()
    windows = flat(task.encode(examples, tokenizer, LONGEST))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for start in [*range(0, 300, 30)] * 5:
        batch = collate(windows[start : start + 30])
        optimizer.zero_grad()
        (term,) = task.loss(model(batch, task), batch)
        (term.total / task.counts(batch)[term.name]).backward()
        optimizer.step()

    found = raw_scores(model, task, examples, tokenizer, LONGEST)

    # The commonest tag is that of a sixth of the words.
    assert task.score(examples, [scores for _, scores in found])["accuracy"] > 0.6
