"""Data sets in their published forms, but small, and a tiny model that begins with nothing."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path

import pytest
import torch

from unmask.checkpoint import native
from unmask.checkpoint.assemble import assemble
from unmask.checkpoint.bundle import Bundle
from unmask.models.config import BertConfig
from unmask.nn.init import initialise
from unmask.text.config import TokenizerConfig
from unmask.text.train import train_wordpiece

GOOD, BAD = ("good", "fine", "great"), ("bad", "dull", "poor")
WORDS = [*GOOD, *BAD, "film", "a", "was", "it", "the", "who", "made", "river", "."]


def review(i: int) -> tuple[str, str]:
    """A text and its label."""
    label = i % 2
    return f"the film {i // 6} was {(BAD, GOOD)[label][i // 2 % 3]} .", str(label)


def _sst2(folder: Path) -> None:
    for part, first, number in (("train", 0, 48), ("dev", 48, 12), ("test", 60, 12)):
        path = folder / "sst2" / "sentences" / f"{part}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = ("\t".join(review(i)) for i in range(first, first + number))
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _mrpc(folder: Path) -> None:
    (folder / "mrpc").mkdir()
    for part, number in (("train", 430), ("test", 12)):
        lines = ["\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String"]
        lines += [f'{i % 2}\t{i}\t{i}\tthe film was {i}\tit was {i} "too' for i in range(number)]
        path = folder / "mrpc" / f"msr_paraphrase_{part}.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _cola(folder: Path) -> None:
    (folder / "cola").mkdir()
    with zipfile.ZipFile(folder / "cola" / "cola_public.zip", "w") as archive:
        for part, number in (
            ("in_domain_train", 40),
            ("in_domain_dev", 6),
            ("out_of_domain_dev", 4),
        ):
            lines = (f"src\t{i % 2}\t{'' if i % 2 else '*'}\t{part} was {i}" for i in range(number))
            archive.writestr(f"cola_public/raw/{part}.tsv", "\n".join(lines) + "\n")


def _ud_ewt(folder: Path) -> None:
    (folder / "ud-ewt").mkdir()
    sentence = (
        "# sent_id = {0}\n# text = It was  {0}.\n1\tIt\tit\tPRON\t_\t_\t_\t_\t_\t_\n"
        "2\twas\tbe\tAUX\t_\t_\t_\t_\t_\t_\n3\t{0}\t{0}\tNUM\t_\t_\t_\t_\t_\tSpaceAfter=No\n"
        "4\t.\t.\tPUNCT\t_\t_\t_\t_\t_\t_\n\n"
    )
    for part, number in (("train", 24), ("dev", 6), ("test", 6)):
        content = "".join(sentence.format(i) for i in range(number))
        path = folder / "ud-ewt" / f"en_ewt-ud-{part}.conllu.gz"
        path.write_bytes(gzip.compress(content.encode()))


def _squad(folder: Path) -> None:
    (folder / "squad2-cs224n").mkdir()

    def question(a: int, q: int) -> dict[str, object]:
        answers = [{"text": "river", "answer_start": 4}] if q % 2 else []
        return {
            "id": f"{a}-{q}",
            "question": f"who made film {a} {q}",
            "answers": answers,
            "is_impossible": not answers,
        }

    articles = [
        {
            "title": f"article {a}",
            "paragraphs": [
                {
                    "context": f"the river {a} {p} .",
                    "qas": [question(a, 4 * p + q) for q in range(4)],
                }
                for p in range(2)
            ],
        }
        for a in range(16)
    ]
    path = folder / "squad2-cs224n" / "dev-v2.0.json"
    path.write_text(json.dumps({"version": "v2.0", "data": articles}), encoding="utf-8")


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data with five of the sets."""
    folder = tmp_path_factory.mktemp("published")
    for make in (_sst2, _mrpc, _cola, _ud_ewt, _squad):
        make(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of 32 that read the words of these data sets."""
    tokenizer = train_wordpiece(
        [" ".join([*WORDS, *map(str, range(60))])] * 3, TokenizerConfig(vocab_size=160)
    )
    config = BertConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    model = assemble(config, {"mlm"})
    initialise(model, 0.02, torch.Generator().manual_seed(0))
    folder = tmp_path_factory.mktemp("model") / "tiny"
    native.save(Bundle(model, None, tokenizer, config, None), folder)
    return folder
