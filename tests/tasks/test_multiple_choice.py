from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from unmask.batch import Batch
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.huggingface.folder import load_folder
from unmask.data.labelled.examples import ChoiceExample
from unmask.data.loader import Cursor, step_batches
from unmask.data.windows import Window, WindowSource
from unmask.errors import DataError
from unmask.models.config import BertConfig
from unmask.nn.init import initialise
from unmask.tasks import registry
from unmask.tasks.config import MultipleChoiceConfig
from unmask.tasks.metrics.resampling import Bootstrap
from unmask.tasks.multiple_choice import MultipleChoice
from unmask.tasks.predicting import raw_scores
from unmask.tasks.task import Model
from unmask.text.config import TokenizerConfig
from unmask.text.tokenizer import Tokenizer
from unmask.text.train import train_wordpiece

LONGEST = 24
TEXTS = ("The cook cut the bread.", "Rain fell all night on the town.", "She found an old key.")
CHOICES = ("Then he ate it.", "The streets were wet.", "It opened the tower.", "A fox sang.")


def question(number: int, text: str, choices: Sequence[str], label: int | None) -> ChoiceExample:
    return ChoiceExample(str(number), text, tuple(choices), label, f"data.csv:{number}")


EXAMPLES = [question(i + 2, text, CHOICES, i) for i, text in enumerate(TEXTS)]
TASK = MultipleChoice.begin(MultipleChoiceConfig(stride=4), EXAMPLES)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_wordpiece([*TEXTS, *CHOICES] * 3, TokenizerConfig(vocab_size=140))


def make_model(vocab_size: int) -> Model:
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
    model = assemble(config, {TASK.head}, TASK.num_outputs)
    initialise(model, 0.1, torch.Generator().manual_seed(0))
    return model


def source_of(examples: Sequence[ChoiceExample], tokenizer: Tokenizer) -> WindowSource:
    encoded = TASK.encode(examples, tokenizer, LONGEST)
    return WindowSource([window for windows in encoded for window in windows])


def everything(source: WindowSource) -> Batch:
    return source.batch(np.arange(len(source)), np.zeros(len(source), dtype=np.int64))


def total(model: Model, batch: Batch) -> torch.Tensor:
    (term,) = TASK.loss(model(batch, TASK), batch)
    return term.total


def test_each_choice_is_a_sequence_beside_the_whole_text(tokenizer: Tokenizer) -> None:
    (windows,) = TASK.encode([EXAMPLES[1]], tokenizer, LONGEST)
    special = tokenizer.special
    text = [special.cls, *tokenizer.encode(TEXTS[1]), special.sep]

    assert len(windows) == len(CHOICES)
    for window, choice in zip(windows, CHOICES, strict=True):
        assert window.input_ids.tolist() == [*text, *tokenizer.encode(choice), special.sep]
        assert (window.num_first, window.group_size) == (len(text), 4)
    assert [window.labels["choice"].tolist() for window in windows] == [[1], [], [], []]


def test_a_long_text_is_windowed_with_all_choices_whole(tokenizer: Tokenizer) -> None:
    example = question(9, " ".join(TEXTS), CHOICES, 2)
    (windows,) = TASK.encode([example], tokenizer, LONGEST)
    ends = [tokenizer.encode(choice) for choice in CHOICES]

    assert len(windows) > 4
    assert max(len(window.input_ids) for window in windows) == LONGEST
    for i, window in enumerate(windows):
        assert window.input_ids[window.num_first : -1].tolist() == ends[i % 4]
        first = windows[i - i % 4]
        assert (window.input_ids[: window.num_first] == first.input_ids[: first.num_first]).all()
    batch = everything(source_of([example], tokenizer))
    assert batch.labels["choice"].tolist() == [2] * (len(windows) // 4)

    logits = [np.array([float(i)]) for i in range(len(windows))]
    scores = TASK.merge(example, windows, logits)
    assert scores.tolist() == np.arange(len(windows)).reshape(-1, 4).mean(0).tolist()


def test_an_endless_choice_is_cut_to_half(tokenizer: Tokenizer) -> None:
    example = question(9, TEXTS[0], [CHOICES[0] * 40, CHOICES[1]], 1)
    (windows,) = TASK.encode([example], tokenizer, LONGEST)
    sizes = [len(window.input_ids) - window.num_first - 1 for window in windows[:2]]
    assert sizes == [(LONGEST - 3) // 2, len(tokenizer.encode(CHOICES[1]))]


def test_a_stride_of_more_than_half_a_window_is_half_of_it(tokenizer: Tokenizer) -> None:
    asked = [question(1, " ".join(TEXTS), CHOICES, 0), question(2, "a", [" ".join(TEXTS), "b"], 0)]

    long, short = MultipleChoice(MultipleChoiceConfig(stride=60)).encode(asked, tokenizer, LONGEST)

    assert len(long) > len(CHOICES)
    assert len(short) == 2  # a long choice alone makes no windows
    assert all(len(window.input_ids) <= LONGEST for window in [*long, *short])


def test_the_loss_is_transformers(tmp_path: Path) -> None:
    sizes = {"vocab_size": 61, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3}
    config = transformers.BertConfig(
        **sizes, intermediate_size=80, max_position_embeddings=24, initializer_range=0.3
    )
    torch.manual_seed(0)
    theirs = transformers.BertForMultipleChoice(config).eval()
    theirs.save_pretrained(tmp_path)
    ours = load_folder(tmp_path)
    assert isinstance(ours.task, MultipleChoice)
    generator = np.random.default_rng(0)
    lengths, labels = generator.integers(5, 20, (3, 4)), [2, 0, 3]
    rows = [[generator.integers(1, 61, n) for n in group] for group in lengths]
    windows = [
        Window(row, 3, {"choice": np.array([label][: i == 0], dtype=np.int64)}, group_size=4)
        for group, label in zip(rows, labels, strict=True)
        for i, row in enumerate(group)
    ]
    batch = everything(WindowSource(windows))

    (term,) = ours.task.loss(ours.model.eval()(batch, ours.task), batch)

    padded = torch.zeros(3, 4, 20, dtype=torch.int64)
    for (i, j), _ in np.ndenumerate(lengths):
        padded[i, j, : lengths[i, j]] = torch.from_numpy(rows[i][j])
    segments = (torch.arange(20) >= 3).long().expand(3, 4, 20)
    expected = theirs(
        input_ids=padded,
        attention_mask=(padded > 0).long(),
        token_type_ids=segments,
        labels=torch.tensor(labels),
    ).loss
    assert expected.item() > 0.5
    mean = term.total / ours.task.counts(batch)["choice"]
    torch.testing.assert_close(mean, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("micro_batch_tokens", [1, 100])
def test_micro_batches_do_not_change_the_gradient(
    micro_batch_tokens: int, tokenizer: Tokenizer
) -> None:
    source = source_of([*EXAMPLES, question(9, " ".join(TEXTS), CHOICES, 2)], tokenizer)
    model = make_model(tokenizer.vocab_size).double()

    def gradient(batches: list[Batch]) -> list[torch.Tensor]:
        model.zero_grad()
        for batch in batches:
            assert len(batch.lengths) % 4 == 0
            total(model, batch).backward()
        return [parameter.grad.clone() for parameter in model.parameters()]

    batches, _ = step_batches(
        source,
        Cursor(),
        batch_size=len(source),
        micro_batch_tokens=micro_batch_tokens,
        seed=0,
        transform=lambda batch, _epochs, _progress: batch,
    )
    assert len(batches) == len(source) if micro_batch_tokens == 1 else len(batches) > 1
    assert sum(TASK.counts(batch)["choice"] for batch in batches) == len(source)
    for found, expected in zip(gradient(batches), gradient([everything(source)]), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


def test_one_batch_can_be_overfitted(tokenizer: Tokenizer) -> None:
    model = make_model(tokenizer.vocab_size)
    batch = everything(source_of(EXAMPLES, tokenizer))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(120):
        optimizer.zero_grad()
        loss = total(model, batch) / 3
        loss.backward()
        optimizer.step()

    assert loss.item() < 0.05
    scores = [scores for _, scores in raw_scores(model, TASK, EXAMPLES, tokenizer, LONGEST)]
    assert TASK.score(EXAMPLES, scores)["accuracy"] == 1.0


def test_company_does_not_change_an_answer(tokenizer: Tokenizer) -> None:
    model = make_model(tokenizer.vocab_size)
    fewer = question(9, TEXTS[0], CHOICES[:2], None)  # another number of choices can be asked
    examples = [replace(example, label=None) for example in EXAMPLES] + [fewer]
    together = [scores for _, scores in raw_scores(model, TASK, examples, tokenizer, LONGEST)]
    for example, scores in zip(examples, together, strict=True):
        ((_, alone),) = raw_scores(model, TASK, [example], tokenizer, LONGEST)
        assert scores == pytest.approx(alone, abs=1e-5)
        assert scores.shape == (len(example.choices),)


def test_perfect_predictions_score_best() -> None:
    scores = [40.0 * np.eye(4)[example.label] for example in EXAMPLES]
    assert TASK.score(EXAMPLES, scores) == pytest.approx({"accuracy": 1.0, "log_loss": 0.0})
    bounds = TASK.intervals(EXAMPLES, scores, Bootstrap(num_resamples=20))
    assert (bounds["accuracy"].low, bounds["accuracy"].high) == (1.0, 1.0)
    wrong = [one[::-1] for one in scores]
    assert TASK.score(EXAMPLES, wrong)["accuracy"] == 0.0
    assert TASK.tuned(EXAMPLES, scores) == TASK


def test_the_answer_names_the_choice_and_all_scores() -> None:
    answer = TASK.decode(EXAMPLES[0], np.log([0.1, 0.2, 0.6, 0.1]).astype(np.float32))
    assert (answer["choice"], answer["label"]) == (2, "It opened the tower.")
    assert answer["score"] == pytest.approx(0.6)
    assert answer["scores"] == pytest.approx([0.1, 0.2, 0.6, 0.1])
    assert json.loads(json.dumps(answer)) == answer


def test_probabilities_are_made_to_mean_what_they_say() -> None:
    # 98 % where three of four are right, as in `fit_temperature`'s example; a third has 3 choices.
    asked = [question(i, "x", CHOICES[:2], int(i == 3)) for i in range(4)]
    sure = [np.array([4.0, 0.0])] * 4
    tuned = TASK.tuned(asked, sure)

    assert tuned.temperature == pytest.approx(4 / np.log(3), abs=1e-3)
    assert tuned.decode(asked[0], sure[0])["score"] == pytest.approx(0.75, abs=1e-4)
    assert tuned.score(asked, sure)["log_loss"] < TASK.score(asked, sure)["log_loss"]
    assert tuned.score(asked, sure)["accuracy"] == 0.75
    assert registry.restore(json.loads(json.dumps(tuned.stored()))) == tuned
    off = replace(TASK, config=MultipleChoiceConfig(calibrate=False))
    assert off.tuned(asked, sure) == off


def test_questions_with_other_numbers_of_choices_are_calibrated_together() -> None:
    asked = [question(i, "x", CHOICES[: 2 + i % 2], int(i > 4)) for i in range(6)]
    scores = [np.array([4.0, 0.0, -1.0][: 2 + i % 2]) for i in range(6)]
    tuned = TASK.tuned(asked, scores)

    def loss(temperature: float) -> float:
        return replace(TASK, temperature=temperature).score(asked, scores)["log_loss"]

    assert tuned.temperature > 1
    assert loss(tuned.temperature) < min(
        loss(1.02 * tuned.temperature), loss(tuned.temperature / 1.02)
    )


@pytest.mark.parametrize("temperature", [0.0, -1.0, "hot", float("inf"), True])
def test_a_folder_with_a_broken_temperature_is_refused(temperature: object) -> None:
    with pytest.raises(DataError, match=r"unmask\.json"):
        registry.restore({**TASK.stored(), "temperature": temperature})


def test_a_folder_from_before_temperatures_is_read() -> None:
    stored = TASK.stored()
    del stored["temperature"]
    assert registry.restore(stored) == TASK


def test_training_needs_labels_and_as_many_choices_in_every_example() -> None:
    config = MultipleChoiceConfig()
    fewer = question(7, TEXTS[0], CHOICES[:3], 0)
    with pytest.raises(DataError, match=r"data\.csv:7: has 3 choices, but data\.csv:2 has 4"):
        MultipleChoice.begin(config, [*EXAMPLES, fewer])
    with pytest.raises(DataError, match=r"data\.csv:2: has no label"):
        MultipleChoice.begin(config, [replace(EXAMPLES[0], label=None)])
    with pytest.raises(DataError, match=r"data\.csv:2: label 4 is none of 4 choices"):
        MultipleChoice.begin(config, [replace(EXAMPLES[0], label=4)])


def test_it_comes_back_from_what_is_stored() -> None:
    assert registry.restore(json.loads(json.dumps(TASK.stored()))) == TASK
    task = registry.foreign("pooled_classifier", "BertForMultipleChoice", (), None)
    assert isinstance(task, MultipleChoice)
