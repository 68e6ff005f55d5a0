"""Small tokenizers of every family, in the files that the family comes in."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sentencepiece
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer

from .conftest import PIECES

SYLLABLES = (
    "ba", "ce", "di", "fo", "gu", "han", "kel", "mor", "pin", "quo", "ret", "sul", "tis", "vex",
    "wyn", "zar", "the", "and", "er", "ing",
)  # fmt: skip
ODD = ["don't", "3,000", "12,", "Café", "naïve", "Straße", "…", "“so”", "中文", "ŁÓDŹ", "e\u0301",
       "½", "ﬁn", "＇x", "😀", "a_b", "x.y", "-", "--", "``q''", "a\u00a0b", "\u200b",
       "™"]  # fmt: skip
GLUE = [" ", " ", " ", " ", "  ", "\n", "\t", ", ", ". ", "", "!", "\r\n", "   \n"]


def texts(seed: int, number: int, odd: float = 0.2) -> list[str]:
    """Made-up words, odd characters among them, glued in every way."""
    generator = random.Random(seed)
    made = ["", " ", "\n", " a", "a ", "  two  blanks  "]
    while len(made) < number:
        text = ""
        for _ in range(generator.randrange(1, 14)):
            word = "".join(generator.choices(SYLLABLES, k=generator.randrange(1, 4)))
            word = generator.choice([word, word, word.title(), word.upper()])
            text += generator.choice(ODD) if generator.random() < odd else word
            text += generator.choice(GLUE)
        made.append(text)
    return made


TRAINING = [" ".join(text.split()) for text in texts(0, 400, 0.1) if text.strip()]


def byte_level(special: list[str], last: list[str]) -> dict[str, Any]:
    """The model of a byte-level BPE tokenizer, as tokenizer.json has it."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=sorted(alphabet),
                         show_progress=False)  # fmt: skip
    backend.train_from_iterator(TRAINING, trainer)
    found: dict[str, Any] = json.loads(backend.to_str())["model"]
    for token in last:
        found["vocab"][token] = len(found["vocab"])
    return found


def sentencepiece_model(**settings: Any) -> bytes:
    """The bytes of a small Unigram model."""
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING), model_writer=file, vocab_size=150, model_type="unigram",
        num_threads=1, minloglevel=2, hard_vocab_limit=False, **settings,
    )  # fmt: skip
    return file.getvalue()


def _merges(folder: Path, model: dict[str, Any]) -> None:
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    lines = "".join(" ".join(merge) + "\n" for merge in model["merges"])
    (folder / "merges.txt").write_text("#version: 0.2\n" + lines, encoding="utf-8")


def _config(folder: Path, model_type: str, **settings: Any) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
    if settings:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def roberta(folder: Path) -> None:
    """vocab.json and merges.txt."""
    _merges(folder, byte_level(["<s>", "<pad>", "</s>", "<unk>"], ["<mask>"]))
    mask = {"content": "<mask>", "lstrip": True, "__type": "AddedToken", "special": True,
            "normalized": False, "rstrip": False, "single_word": False}  # fmt: skip
    _config(folder, "roberta", mask_token=mask)


def roberta_with_prefix(folder: Path) -> None:
    """The same, a blank set before every text."""
    roberta(folder)
    _config(folder, "roberta", add_prefix_space=True, mask_token={
        **json.loads((folder / "tokenizer_config.json").read_text())["mask_token"]})  # fmt: skip


def deberta(folder: Path) -> None:
    """vocab.json and merges.txt, BERT's names."""
    _merges(folder, byte_level(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], ["[MASK]"]))
    _config(folder, "deberta")


def modernbert(folder: Path) -> None:
    """tokenizer.json, special tokens and runs of blanks added behind the vocabulary."""
    model = byte_level([], [])
    backend = Tokenizer(models.BPE(model["vocab"], [tuple(m) for m in model["merges"]]))
    backend.normalizer = normalizers.NFC()
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_tokens([AddedToken("|||EMAIL|||", normalized=True), AddedToken("  ")])
    special = [AddedToken(text) for text in ("[UNK]", "[CLS]", "[SEP]", "[PAD]")]
    backend.add_special_tokens([*special, AddedToken("[MASK]", lstrip=True)])
    backend.add_tokens([AddedToken("    ")])
    ids = [(text, backend.token_to_id(text)) for text in ("[CLS]", "[SEP]")]
    backend.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ids
    )
    backend.save(str(folder / "tokenizer.json"))
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("unk", "cls", "sep", "pad", "mask")}
    _config(folder, "modernbert", tokenizer_class="PreTrainedTokenizerFast", **names)


def albert(folder: Path) -> None:
    """spiece.model."""
    data = sentencepiece_model(pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, pad_piece="<pad>",
                               control_symbols=["[CLS]", "[SEP]", "[MASK]"])  # fmt: skip
    (folder / "spiece.model").write_bytes(data)
    _config(folder, "albert")


def albert_cased(folder: Path) -> None:
    """The same, neither lower-cased nor stripped of accents."""
    albert(folder)
    _config(folder, "albert", do_lower_case=False, keep_accents=True)


def xlm_roberta(folder: Path) -> None:
    """sentencepiece.bpe.model."""
    (folder / "sentencepiece.bpe.model").write_bytes(sentencepiece_model())
    _config(folder, "xlm-roberta")


def deberta_v2(folder: Path) -> None:
    """spm.model, whose mask is not among the pieces."""
    data = sentencepiece_model(pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]",
                               bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]",
                               normalization_rule_name="identity")  # fmt: skip
    (folder / "spm.model").write_bytes(data)
    _config(folder, "deberta-v2")


def deberta_v2_normalised(folder: Path) -> None:
    """The same with a table that normalises, as the published models have it."""
    data = sentencepiece_model(pad_id=0, bos_id=1, eos_id=2, unk_id=3, pad_piece="[PAD]",
                               bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]")  # fmt: skip
    (folder / "spm.model").write_bytes(data)


def deberta_v2_lower(folder: Path) -> None:
    """The same in its other settings."""
    deberta_v2(folder)
    _config(folder, "deberta-v2", do_lower_case=True, split_by_punct=True)


def mpnet(folder: Path) -> None:
    """vocab.txt with RoBERTa's names."""
    pieces = [
        piece for piece in dict.fromkeys(PIECES) if not piece.startswith("[") or len(piece) < 3
    ]
    names = ["<s>", "<pad>", "</s>", "[UNK]"]
    (folder / "vocab.txt").write_text("\n".join([*names, *pieces, "<mask>"]), encoding="utf-8")
    _config(folder, "mpnet")


def bert(model_type: str) -> Callable[[Path], None]:
    """vocab.txt, as BERT, ELECTRA and DistilBERT have it."""

    def write(folder: Path) -> None:
        text = "\n".join(dict.fromkeys(PIECES))
        (folder / "vocab.txt").write_text(text, encoding="utf-8")
        _config(folder, model_type)

    return write


FAMILIES: dict[str, tuple[str, Callable[[Path], None]]] = {
    "bert": ("BertTokenizer", bert("bert")),
    "electra": ("BertTokenizer", bert("electra")),
    "distilbert": ("BertTokenizer", bert("distilbert")),
    "mpnet": ("MPNetTokenizer", mpnet),
    "roberta": ("RobertaTokenizer", roberta),
    "roberta-prefix": ("RobertaTokenizer", roberta_with_prefix),
    "deberta": ("DebertaTokenizer", deberta),
    "modernbert": ("PreTrainedTokenizerFast", modernbert),
    "albert": ("AlbertTokenizer", albert),
    "albert-cased": ("AlbertTokenizer", albert_cased),
    "xlm-roberta": ("XLMRobertaTokenizer", xlm_roberta),
    "deberta-v2": ("DebertaV2Tokenizer", deberta_v2),
    "deberta-v2-lower": ("DebertaV2Tokenizer", deberta_v2_lower),
}
"""transformers' class, and what writes a folder."""
