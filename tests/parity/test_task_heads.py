"""The fine-tuning heads against transformers' own, on random weights and through folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from unmask.batch import IGNORED
from unmask.checkpoint import native
from unmask.checkpoint.bundle import Bundle
from unmask.checkpoint.huggingface.bert import FAMILY, KEYS
from unmask.checkpoint.huggingface.folder import load_folder, save_folder
from unmask.checkpoint.huggingface.keys import to_theirs
from unmask.checkpoint.transfer import with_head
from unmask.tasks.classification import Classification
from unmask.tasks.config import ClassificationConfig

LENGTHS = [(24,), (7, 7), (5, 24, 9, 8)]
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def named(*labels: str, **others: Any) -> dict[str, Any]:
    """What a transformers config says of labels."""
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {name: i for i, name in enumerate(labels)},
        **others,
    }


SINGLE = named("bad", "fair", "good", problem_type="single_label_classification")
MULTI = named("a", "b", "c", "d", problem_type="multi_label_classification")
NUMBER = named("value", problem_type="regression")
CASES = [
    ("SequenceClassification", SINGLE, "pooled_classifier"),
    ("SequenceClassification", {}, "pooled_classifier"),
    ("SequenceClassification", MULTI, "pooled_classifier"),
    ("SequenceClassification", NUMBER, "pooled_classifier"),
    ("MultipleChoice", {}, "pooled_classifier"),
    ("TokenClassification", named(*TAGS), "classifier"),
    ("QuestionAnswering", {}, "span"),
]
cases = pytest.mark.parametrize(
    ("architecture", "sizes", "head"),
    CASES,
    ids=["single", "two classes", "multi", "regression", "choice", "tags", "answers"],
)


def our_scores(bundle: Bundle, both: Any) -> Tensor:
    """(B, K), or (N, K) of every token."""
    [(name, head)] = bundle.model.heads.items()
    rows = both.batch.starts() if name == "pooled_classifier" else None
    scores: Tensor = head(bundle.model.encoder(both.batch, rows))
    return scores


def their_scores(model: Any, both: Any) -> Tensor:
    """The same from transformers; a batch of choices is one example's."""
    if isinstance(model, transformers.BertForMultipleChoice):
        choices = {name: tensor[None] for name, tensor in both.padded.items()}
        return model(**choices).logits.view(-1, 1)
    outputs = model(**both.padded)
    if isinstance(model, transformers.BertForQuestionAnswering):
        return both.real(torch.stack((outputs.start_logits, outputs.end_logits), dim=-1))
    if isinstance(model, transformers.BertForTokenClassification):
        return both.real(outputs.logits)
    return outputs.logits


def loss(scores: Tensor, both: Any, architecture: str, problem_type: str | None) -> Tensor:
    """What transformers trains on, of scores without padding.

    Of spans theirs lets padding take part in the softmax, where it is anybody's guess; here the
    softmax is over each sequence's own tokens, as in google-research/bert for full windows.
    """
    generator = torch.Generator().manual_seed(3)
    size = scores.shape[0]
    if architecture == "MultipleChoice":
        return functional.cross_entropy(scores.view(1, -1), torch.tensor([size - 1]))
    if architecture == "QuestionAnswering":
        parts = zip(scores.split(both.batch.lengths), both.batch.lengths, strict=True)
        answers = [(part, torch.tensor([n // 3, n // 2])) for part, n in parts]
        losses = [functional.cross_entropy(part.T, answer) for part, answer in answers]
        return torch.stack(losses).mean()
    if problem_type == "regression":
        return functional.mse_loss(scores, torch.randn(scores.shape, generator=generator))
    if problem_type == "multi_label_classification":
        given = torch.randint(0, 2, scores.shape, generator=generator)
        return functional.binary_cross_entropy_with_logits(scores, given.to(scores))
    labels = torch.randint(0, scores.shape[1], (size,), generator=generator)
    if architecture == "TokenClassification":
        labels[::3] = IGNORED
    return functional.cross_entropy(scores, labels)


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@cases
def test_scores_and_gradients_are_theirs(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    architecture: str,
    sizes: dict[str, Any],
    head: str,
    lengths: tuple[int, ...],
) -> None:
    pair, both = make_pair(f"BertFor{architecture}", **sizes), make_both(lengths)
    model, problem_type = pair.ours.model, sizes.get("problem_type")
    assert set(model.heads) == {head}

    ours, theirs = our_scores(pair.ours, both), their_scores(pair.theirs, both)
    assert_close(ours, theirs)
    for scores in (ours, theirs):
        loss(scores, both, architecture, problem_type).backward()

    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    found = to_theirs(KEYS.rules(FAMILY.blocks(pair.ours.config), gradients), gradients)
    expected = {name: parameter.grad for name, parameter in pair.theirs.named_parameters()}
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert_close(found[name], gradient)


def test_the_loss_of_full_windows_is_theirs(
    make_pair: Callable[..., Any], make_both: Callable[..., Any], assert_close: Callable[..., None]
) -> None:
    pair, both = make_pair("BertForQuestionAnswering"), make_both((24, 24, 24))
    spans = {"start_positions": torch.tensor([8] * 3), "end_positions": torch.tensor([12] * 3)}
    ours = loss(our_scores(pair.ours, both), both, "QuestionAnswering", None)
    assert_close(ours, pair.theirs(**both.padded, **spans).loss)


@cases
def test_transformers_gives_our_scores_from_our_folder(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    tmp_path: Path,
    architecture: str,
    sizes: dict[str, Any],
    head: str,
) -> None:
    source = make_pair("BertForPreTraining").ours
    donor = make_pair(f"BertFor{architecture}", **sizes).ours
    rows = donor.task.num_outputs
    model, has_pooler = with_head(source, head, rows, torch.Generator().manual_seed(5))
    assert has_pooler
    ours = Bundle(model, donor.task, None, source.config, None)
    native.save(ours, tmp_path / "ours")

    auto = getattr(transformers, f"AutoModelFor{architecture}")
    theirs, report = auto.from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert type(theirs).__name__ == f"BertFor{architecture}"
    assert not any(report.values())
    if sizes:
        assert theirs.config.id2label == sizes["id2label"]
        assert theirs.config.label2id == sizes["label2id"]
        assert theirs.config.problem_type == sizes.get("problem_type")
    both = make_both((5, 24, 9))
    with torch.no_grad():
        assert_close(our_scores(ours, both), their_scores(theirs.eval(), both))


@cases
def test_import_and_export_give_back_every_tensor_and_label(
    make_pair: Callable[..., Any],
    tmp_path: Path,
    architecture: str,
    sizes: dict[str, Any],
    head: str,
) -> None:
    pair = make_pair(f"BertFor{architecture}", **sizes)
    native.save(pair.ours, tmp_path / "ours")
    ours, theirs = (
        load_file(folder / "model.safetensors") for folder in (tmp_path / "ours", pair.folder)
    )
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())
    config = json.loads((tmp_path / "ours" / "config.json").read_text())
    before = json.loads((pair.folder / "config.json").read_text())
    for name in ("architectures", "id2label", "label2id", "problem_type"):
        assert config.get(name) == before.get(name, config.get(name)), name
    again = native.load(tmp_path / "ours")
    assert again.task == pair.ours.task
    assert again.config == pair.ours.config
    assert set(again.model.heads) == {head}
    state = again.model.state_dict()
    for name, tensor in pair.ours.model.state_dict().items():
        assert torch.equal(state[name], tensor), name


@cases
def test_shards_are_read_by_both(
    make_pair: Callable[..., Any],
    tmp_path: Path,
    architecture: str,
    sizes: dict[str, Any],
    head: str,
) -> None:
    pair = make_pair(f"BertFor{architecture}", **sizes)
    (tmp_path / "ours").mkdir()
    pair.theirs.save_pretrained(tmp_path / "theirs", max_shard_size="30KB")
    save_folder(pair.ours, tmp_path / "ours", max_shard_bytes=30_000)
    for name in ("ours", "theirs"):
        assert len(list((tmp_path / name).glob("model-*.safetensors"))) > 2
        model = load_folder(tmp_path / name).model
        assert set(model.heads) == {head}
        state = model.state_dict()
        for key, tensor in pair.ours.model.state_dict().items():
            assert torch.equal(state[key], tensor), key
    auto = getattr(transformers, f"AutoModelFor{architecture}")
    back = auto.from_pretrained(tmp_path / "ours").state_dict()
    for key, tensor in pair.theirs.state_dict().items():
        assert torch.equal(back[key], tensor)


def test_a_classifier_over_means_is_an_encoder_to_transformers(
    make_pair: Callable[..., Any],
    make_both: Callable[..., Any],
    assert_close: Callable[..., None],
    tmp_path: Path,
) -> None:
    source, both = make_pair("BertModel").ours, make_both((5, 9))
    task = replace(
        Classification.foreign(("no", "yes"), None), config=ClassificationConfig(pooling="mean")
    )
    model = with_head(source, task.head, 2, torch.Generator().manual_seed(5)).model
    native.save(Bundle(model, task, None, source.config, None), tmp_path / "mean")

    theirs = transformers.AutoModel.from_pretrained(tmp_path / "mean", add_pooling_layer=False)
    assert type(theirs) is transformers.BertModel
    with torch.no_grad():
        expected = both.real(theirs.eval()(**both.padded).last_hidden_state)
        assert_close(model.encoder(both.batch), expected)
    again = native.load(tmp_path / "mean")
    assert again.task == task
    with torch.no_grad():
        ours = again.model(both.batch, again.task)["classification"]
    assert_close(ours, model.eval()(both.batch, task)["classification"])
