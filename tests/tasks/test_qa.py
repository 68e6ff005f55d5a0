from __future__ import annotations

import doctest
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.batch import Batch
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.huggingface.folder import load_folder
from unmask.data.labelled.config import LabelledConfig
from unmask.data.labelled.examples import Answer, QuestionExample
from unmask.data.labelled.reading import read_questions
from unmask.data.rejects import Rejects
from unmask.data.windows import Window, WindowSource, collate
from unmask.errors import DataError
from unmask.models.config import BertConfig
from unmask.nn.init import initialise
from unmask.tasks import qa_windows, registry
from unmask.tasks.config import QuestionAnsweringConfig
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.predicting import raw_scores
from unmask.tasks.qa import QuestionAnswering
from unmask.tasks.qa_spans import SpanScores
from unmask.tasks.qa_windows import encode_contexts
from unmask.tasks.task import Model
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

CONTEXT = (
    "The red fox sat by the old river. 🦊 A gray owl, née Zoë, flew over the tall tower at night."
)
LONGEST = 20


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_wordpiece(
        [CONTEXT, "Who sat? Where? What flew?"] * 3, TokenizerConfig(vocab_size=140)
    )


def asked(
    question: str, *answers: str, context: str = CONTEXT, impossible: bool = False
) -> QuestionExample:
    found = tuple(Answer(text, context.index(text)) for text in answers)
    name = f"{question} {'/'.join(answers)}"
    return QuestionExample(name, question, context, found, impossible, None, "data.json:1")


EXAMPLES = [
    asked("Who sat by the river?", "red fox", "The red fox"),
    asked("Where did it sit?", "the old river"),
    asked("What flew?", "owl"),
    asked("How was she born?", "Zoë"),
    asked("Why was the moon blue?", impossible=True),
]


def settled(**fields: object) -> QuestionAnswering:
    """The task for EXAMPLES."""
    settings = QuestionAnsweringConfig.model_validate({"stride": 4, **fields})
    return QuestionAnswering.begin(settings, EXAMPLES)


def make_model(vocab_size: int, seed: int = 0) -> Model:
    config = BertConfig(
        vocab_size=vocab_size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = assemble(config, {"span"})
    initialise(model, 0.1, torch.Generator().manual_seed(seed))
    return model


def perfect(windows: Sequence[Window]) -> list[np.ndarray]:
    """The logits of a model that knows the labels."""
    found = [np.zeros((len(window.input_ids), 2), dtype=np.float32) for window in windows]
    for logits, window in zip(found, windows, strict=True):
        logits[int(window.labels["start"][0]), 0] = 9.0
        logits[int(window.labels["end"][0]), 1] = 9.0
    return found


def perfect_scores(
    task: QuestionAnswering,
    examples: Sequence[QuestionExample],
    tokenizer: Tokenizer,
    longest: int = LONGEST,
) -> list[SpanScores]:
    encoded = task.encode(examples, tokenizer, longest)
    return [
        task.merge(example, windows, perfect(windows))
        for example, windows in zip(examples, encoded, strict=True)
    ]


def mean_loss(task: QuestionAnswering, model: Model, batch: Batch) -> torch.Tensor:
    counts = task.counts(batch)
    terms = task.loss(model(batch, task), batch)
    return torch.stack([t.weight * t.total / counts[t.name] for t in terms]).sum()


# --- windows


def test_a_window_is_the_question_and_a_part_of_the_context(tokenizer: Tokenizer) -> None:
    (windows,) = settled().encode([EXAMPLES[0]], tokenizer, LONGEST)
    question, context = (tokenizer.encode(t) for t in (EXAMPLES[0].question, CONTEXT))
    special = tokenizer.special

    assert len(windows) > 1
    seen: list[int] = []
    for window in windows:
        ids = window.input_ids.tolist()
        assert len(ids) <= LONGEST
        assert ids[: window.num_first] == [special.cls, *question, special.sep]
        assert ids[-1] == special.sep
        part = ids[window.num_first : -1]
        assert seen[-4:] == part[:4] or not seen  # the stride
        seen += part[4:] if seen else part
        is_context = window.places[:, 0] >= 0
        assert is_context.tolist() == [False] * window.num_first + [True] * len(part) + [False]
        assert (window.places[~is_context] == -1).all()
    assert seen == context


def test_the_whole_context_is_one_window_where_it_fits(tokenizer: Tokenizer) -> None:
    (windows,) = settled().encode([EXAMPLES[0]], tokenizer, 512)
    assert len(windows) == 1
    (shorter,) = settled(max_length=32).encode([EXAMPLES[0]], tokenizer, 512)
    assert max(len(window.input_ids) for window in shorter) == 32


def test_labels_are_the_answer_where_it_is_whole_and_cls_elsewhere(tokenizer: Tokenizer) -> None:
    task = settled()
    inside = 0
    for example, windows in zip(EXAMPLES, task.encode(EXAMPLES, tokenizer, LONGEST), strict=True):
        for window in windows:
            (start,), (end,) = window.labels["start"], window.labels["end"]
            if start == 0:
                assert end == 0
                continue
            inside += 1
            first, last = int(window.places[start, 0]), int(window.places[end, 1])
            assert CONTEXT[first:last] == example.answers[0].text
    assert inside >= 4


def test_a_window_that_cuts_the_answer_has_none(tokenizer: Tokenizer) -> None:
    example = asked("Where?", CONTEXT[4:-1])  # longer than any window
    (windows,) = settled().encode([example], tokenizer, LONGEST)
    assert [window.labels["start"].tolist() for window in windows] == [[0]] * len(windows)


def test_unknown_answers_give_windows_without_labels(tokenizer: Tokenizer) -> None:
    (windows,) = settled().encode([asked("Who?")], tokenizer, LONGEST)
    assert all(window.labels == {} for window in windows)


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(
        st.sampled_from(
            ["fox", "Zoë", "née", "🦊", "河", "\u200b", "e\u0301", "\ufffd", "ﬁ", "..."]
        ),
        min_size=1,
        max_size=12,
    ),
    gap=st.sampled_from([" ", "  ", "\n", "\u00a0"]),
    data=st.data(),
)
def test_an_answer_of_any_characters_is_found_again(
    words: list[str], gap: str, data: st.DataObject, tokenizer: Tokenizer
) -> None:
    context = gap.join(words)
    which = data.draw(st.integers(0, len(words) - 1))
    answer = Answer(words[which], sum(map(len, words[:which])) + which * len(gap))
    example = replace(EXAMPLES[0], context=context, answers=(answer,))
    (windows,) = settled().encode([example], tokenizer, 256)
    (window,) = windows

    places = window.places[window.num_first : -1]
    assert (np.diff(places, axis=0) >= 0).all()
    (start,), (end,) = window.labels["start"], window.labels["end"]
    if start == 0:  # no token stands on any of its characters
        stop = answer.start + len(answer.text)
        assert not ((places[:, 0] < stop) & (places[:, 1] > answer.start)).any()
    else:
        first, last = int(window.places[start, 0]), int(window.places[end, 1])
        assert context[first:last].strip("\u0301") in (words[which], words[which].strip("\u0301"))


def test_a_long_question_is_cut_and_said_so(
    tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    examples = [asked("Who sat by the old river at night? " * 9, "owl"), EXAMPLES[0]]
    (windows, _) = settled(max_question_length=9).encode(examples, tokenizer, 64)
    assert {window.num_first for window in windows} == {11}
    (message,) = caplog.messages
    assert message.startswith("1 of 2 questions were cut to 9 tokens")

    (windows, _) = settled().encode(examples, tokenizer, 33)  # half of what there is
    assert {window.num_first for window in windows} == {17}


def test_cut_questions_are_told_of_once_a_run(
    tokenizer: Tokenizer, caplog: pytest.LogCaptureFixture
) -> None:
    task = settled(max_question_length=9)
    task.encode(EXAMPLES[:1], tokenizer, 64)
    assert caplog.messages == []
    long = [asked("Who sat by the old river at night? " * 9, "owl")]
    for again in (task, task, replace(task, config=task.config)):
        again.encode(long, tokenizer, 64)
    assert len(caplog.messages) == 1
    settled(max_question_length=9).encode(long, tokenizer, 64)  # another run
    assert len(caplog.messages) == 2


def test_a_context_is_encoded_once_and_far_longer_than_a_window(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = CONTEXT * 1200  # some hundred thousand characters
    found = encode_contexts([CONTEXT, long, CONTEXT], tokenizer)
    assert list(found) == [CONTEXT, long]
    assert long[slice(*found[long].places[-2])] == "night"

    monkeypatch.setattr(qa_windows, "_CHARACTERS_AT_ONCE", 100)
    several = [f"fox {i}" for i in range(60)]
    for text, context in encode_contexts(several, tokenizer).items():
        assert context.ids.tolist() == tokenizer.encode(text)

    (windows,) = settled(stride=0).encode([asked("Who?", "owl", context=long)], tokenizer, 512)
    read = sum(len(window.input_ids) - window.num_first - 1 for window in windows)
    assert read == len(found[long].ids)


def test_docstring_examples() -> None:
    assert doctest.testmod(qa_windows, extraglobs={"Answer": Answer}).failed == 0


# --- training


def test_the_loss_is_transformers_where_nothing_is_padded(tmp_path: Path) -> None:
    sizes = {"vocab_size": 61, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3}
    config = transformers.BertConfig(
        **sizes, intermediate_size=80, max_position_embeddings=24, initializer_range=0.3
    )
    torch.manual_seed(0)
    theirs = transformers.BertForQuestionAnswering(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = load_folder(tmp_path)
    assert isinstance(ours.task, QuestionAnswering)
    generator = np.random.default_rng(0)
    ids = generator.integers(1, 61, (4, 20))
    spans = [(3, 7), (0, 0), (19, 19), (11, 18)]
    windows = [
        Window(row, 6, {"start": np.array([start]), "end": np.array([end])})
        for row, (start, end) in zip(ids, spans, strict=True)
    ]

    loss = mean_loss(ours.task, ours.model.eval(), collate(windows))

    expected = theirs(
        input_ids=torch.from_numpy(ids),
        token_type_ids=torch.tensor([[0] * 6 + [1] * 14] * 4),
        start_positions=torch.tensor([start for start, _ in spans]),
        end_positions=torch.tensor([end for _, end in spans]),
    ).loss
    assert expected.item() > 1.0
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-5)


def test_order_and_packing_change_neither_loss_nor_answer(tokenizer: Tokenizer) -> None:
    task, model = settled(), make_model(tokenizer.vocab_size).double()
    windows = [w for parts in task.encode(EXAMPLES, tokenizer, LONGEST) for w in parts]
    together = collate(windows)
    alone = [collate([window]) for window in reversed(windows)]
    assert len(set(together.lengths)) > 2

    def totals(batch: Batch) -> torch.Tensor:
        return torch.stack([term.total for term in task.loss(model(batch, task), batch)])

    summed = torch.stack([totals(batch) for batch in alone]).sum(0)
    torch.testing.assert_close(totals(together), summed, rtol=1e-10, atol=1e-10)
    assert task.counts(together) == {"start": len(windows), "end": len(windows)}

    model.float()
    scored = [
        list(raw_scores(model, task, some, tokenizer, LONGEST))
        for some in (EXAMPLES, EXAMPLES[::-1])
    ]
    for (example, first), (other, second) in zip(scored[0], reversed(scored[1]), strict=True):
        assert example is other
        assert first.scores == pytest.approx(second.scores, abs=1e-5)
        assert first.no_answer == pytest.approx(second.no_answer, abs=1e-5)


def test_one_batch_can_be_overfitted(tokenizer: Tokenizer) -> None:
    task, model = settled(), make_model(tokenizer.vocab_size)
    source = WindowSource([w for p in task.encode(EXAMPLES, tokenizer, LONGEST) for w in p])
    batch = source.batch(np.arange(len(source)), np.zeros(len(source), dtype=np.int64))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        loss = mean_loss(task, model, batch)
        loss.backward()
        optimizer.step()

    assert loss.item() < 0.05
    scores = [scores for _, scores in raw_scores(model, task, EXAMPLES, tokenizer, LONGEST)]
    found = task.score(EXAMPLES, scores)
    assert found["f1"] == found["exact"] == 1.0
    assert task.predictions(EXAMPLES, scores)["Why was the moon blue? "] == ""


# --- answers


def test_perfect_predictions_score_best(tokenizer: Tokenizer) -> None:
    task = settled()
    scores = perfect_scores(task, EXAMPLES, tokenizer)

    found = task.score(EXAMPLES, scores)
    bounds = task.intervals(EXAMPLES, scores, Bootstrap(num_resamples=50))

    for name in ("exact", "f1", "HasAns_f1", "NoAns_f1", "best_f1", "f1/who", "exact/why"):
        assert found[name] == 1.0, name
    assert (found["total"], found["total/where"]) == (5, 1)
    assert (bounds["f1"].value, bounds["f1"].low) == (1.0, 1.0)
    assert task.metric in found


def test_answers_have_the_keys_of_transformers_pipelines(tokenizer: Tokenizer) -> None:
    task = settled(n_best=3)
    scores = perfect_scores(task, EXAMPLES, tokenizer)
    answers = [task.decode(*pair) for pair in zip(EXAMPLES, scores, strict=True)]

    assert [answer["answer"] for answer in answers] == [
        "red fox",
        "the old river",
        "owl",
        "Zoë",
        "",
    ]
    for answer in answers:
        assert list(answer) == ["answer", "score", "start", "end", "no_answer_score", "n_best"]
        assert CONTEXT[answer["start"] : answer["end"]] == answer["answer"]
        assert len(answer["n_best"]) == 4  # and no answer
        assert answer["n_best"][0] == {
            key: answer[key] for key in ("answer", "score", "start", "end")
        }
        assert sum(one["score"] for one in answer["n_best"]) == pytest.approx(1.0)
        assert json.loads(json.dumps(answer)) == answer
    assert answers[3]["start"] == CONTEXT.index("Zoë")  # after the emoji, counted in code points
    assert answers[4]["no_answer_score"] > 0 > answers[0]["no_answer_score"]


def test_a_model_that_always_answers_does(tokenizer: Tokenizer) -> None:
    possible = EXAMPLES[:4]
    task = QuestionAnswering.begin(QuestionAnsweringConfig(stride=4), possible)
    assert task.config.unanswerable is False
    (scores,) = perfect_scores(task, [EXAMPLES[4]], tokenizer)

    answer = task.decode(EXAMPLES[4], scores)

    assert answer["answer"] != ""
    assert answer["no_answer_score"] > 0
    assert all(one["answer"] for one in answer["n_best"])
    assert task.tuned(possible, perfect_scores(task, possible, tokenizer)) is task


def test_a_context_without_tokens_gives_no_answer(tokenizer: Tokenizer) -> None:
    task = QuestionAnswering.begin(QuestionAnsweringConfig(), EXAMPLES[:4])
    example = replace(EXAMPLES[4], context="\u200b ")
    (scores,) = perfect_scores(task, [example], tokenizer)
    assert task.decode(example, scores) == {
        "answer": "",
        "score": 1.0,
        "start": 0,
        "end": 0,
        "no_answer_score": 18.0,
        "n_best": [{"answer": "", "score": 1.0, "start": 0, "end": 0}],
    }


def test_the_threshold_is_tuned_and_kept(tokenizer: Tokenizer) -> None:
    task = settled()
    scores = perfect_scores(task, EXAMPLES, tokenizer)
    shy = [one._replace(no_answer=one.no_answer + 30.0) for one in scores]
    assert set(task.predictions(EXAMPLES, shy).values()) == {""}
    untuned = task.score(EXAMPLES, shy)
    assert (untuned["f1"], untuned["best_f1"]) == (0.2, 1.0)

    tuned = task.tuned(EXAMPLES, shy)

    assert tuned.config.no_answer_threshold == untuned["best_f1_thresh"]
    assert tuned.score(EXAMPLES, shy)["f1"] == 1.0
    stored = json.loads(json.dumps(tuned.stored()))
    assert registry.restore(stored) == tuned


def test_scoring_needs_known_answers() -> None:
    unknown = asked("Who?")
    task = settled()
    with pytest.raises(DataError, match=r"data\.json:1: has no answer and does not say"):
        task.score([unknown], [SpanScores(np.array([[0, 3]]), np.array([1.0]), 0.0)])
    with pytest.raises(DataError, match=r"data\.json:1: has no answer and does not say"):
        QuestionAnswering.begin(QuestionAnsweringConfig(), [*EXAMPLES, unknown])


def test_questions_without_answer_do_not_fit_a_task_that_has_none() -> None:
    with pytest.raises(DataError, match="but `unanswerable` is off"):
        settled(unanswerable=False)


def test_a_model_of_transformers_always_answers_as_there() -> None:
    task = registry.foreign("span", "BertForQuestionAnswering", (), None)
    assert isinstance(task, QuestionAnswering)
    assert task.config.unanswerable is False


def test_squads_own_labels_give_squads_own_answers() -> None:
    if "UNMASK_DATA" not in os.environ:
        pytest.skip("UNMASK_DATA is not set: no real questions")
    data = Path(os.environ["UNMASK_DATA"])
    tokenizer = Tokenizer.load(data / "bert-assets" / "bert-base-uncased-vocab.txt")
    with Rejects(0.0) as rejects:
        file = data / "squad2-cs224n" / "dev-v2.0.json"
        examples = list(read_questions(file, LabelledConfig(), rejects))
    assert len(examples) > 6000
    task = QuestionAnswering.begin(QuestionAnsweringConfig(), examples)
    assert task.config.unanswerable is True

    found = task.score(examples, perfect_scores(task, examples, tokenizer, 512))

    # Six answers are longer than 30 tokens, and two end inside a word.
    assert found["exact"] > 0.998
    assert found["NoAns_exact"] == 1.0
