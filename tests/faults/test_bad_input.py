"""Mistakes on the command line and in files: one message, the right exit code, nothing begun."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Any]
SHORT = "abc. Bad cab."


@pytest.fixture
def texts(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder of files."""

    def texts(**files: bytes | str) -> Path:
        folder = tmp_path / "texts"
        folder.mkdir()
        for name, content in files.items():
            file = folder / name.replace("_", ".")
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        return folder

    return texts


@pytest.fixture
def failing(command: Any, tmp_path: Path) -> Callable[..., str]:
    """Runs a verb that must fail with an exit code, write no output, and say why; gives that."""

    def failing(exit_code: int, *arguments: object) -> str:
        output = tmp_path / "output"
        ended = command(*arguments, "--output", output)
        assert ended.exit_code == exit_code, ended
        assert ended.stdout == ""
        assert not output.exists()
        message: str = ended.message()
        assert len(message.splitlines()) <= 7
        return message

    return failing


@pytest.fixture
def verbs(material: Any) -> dict[str, list[object]]:
    """The words before and after the texts of verbs that read some."""
    return {"tokenizer": ["tokenizer"], "corpus": ["corpus", "--tokenizer", material.tokenizer]}


@pytest.mark.parametrize("verb", ["tokenizer", "corpus"])
class TestText:
    def test_an_empty_folder(
        self, verb: str, verbs: Any, texts: Callable[..., Path], failing: Callable[..., str]
    ) -> None:
        folder = texts()

        assert f"{folder}: nothing to read" in failing(3, *verbs[verb], folder)

    def test_no_text_at_all(self, verb: str, verbs: Any, failing: Callable[..., str]) -> None:
        assert "TEXT: is missing" in failing(2, *verbs[verb])

    def test_a_missing_file(
        self, verb: str, verbs: Any, failing: Callable[..., str], tmp_path: Path
    ) -> None:
        assert f"{tmp_path / 'none'}: no such file" in failing(3, *verbs[verb], tmp_path / "none")

    def test_text_that_is_not_utf8(
        self, verb: str, verbs: Any, texts: Callable[..., Path], failing: Callable[..., str]
    ) -> None:
        folder = texts(a_txt="caf\xe9 au lait".encode("latin-1"))

        assert "not UTF-8" in failing(3, *verbs[verb], folder)

    def test_more_broken_records_than_allowed(
        self, verb: str, verbs: Any, texts: Callable[..., Path], failing: Callable[..., str]
    ) -> None:
        broken = '{"text": "a cab"}\n{"text": \n' * 20
        folder = texts(a_jsonl=broken)

        message = failing(3, *verbs[verb], folder)

        assert "20 of 40 records cannot be read (20 broken JSON)" in message
        assert f"{folder / 'a.jsonl'}:2: broken JSON" in message
        assert "raise --reader.max-reject-rate" in message

    def test_broken_records_that_were_allowed_are_warned_of(
        self, verb: str, verbs: Any, texts: Callable[..., Path], command: Any, tmp_path: Path
    ) -> None:
        folder = texts(a_jsonl='{"text": "a cab"}\n{"text": \n' * 20)
        output = ["--output", tmp_path / "output"]

        ended = command(*verbs[verb], folder, "--reader.max-reject-rate", 0.5, *output)

        assert ended.exit_code == 0, ended.stderr
        (warning,) = (line for line in ended.stderr.splitlines() if "cannot be read" in line)
        assert warning.startswith("WARNING: 20 of 40 records cannot be read (20 broken JSON)")
        assert str(tmp_path / "output" / "rejects.jsonl") in warning


@pytest.mark.parametrize(
    ("vocab_size", "said"),
    [(20, "20 is too small for this text"), (2, "--vocab-size 2: expected 6 or more")],
    ids=["for the text", "for anything"],
)
def test_a_vocabulary_that_is_too_small(
    vocab_size: int, said: str, material: Any, failing: Callable[..., str]
) -> None:
    assert said in failing(2, "tokenizer", material.texts, "--vocab-size", vocab_size)


def test_a_vocabulary_larger_than_the_text_allows_warns_with_its_real_size(
    command: Any, material: Any, tmp_path: Path
) -> None:
    output = tmp_path / "output"

    ended = command("tokenizer", material.texts, "--vocab-size", 100_000, "--output", output)

    assert ended.exit_code == 0
    size = len((output / "vocab.txt").read_text().splitlines())
    warnings = [line for line in ended.stderr.splitlines() if line.startswith("WARNING: ")]
    assert len(warnings) == 1
    assert f"{size}" in warnings[0].replace(",", "")
    assert "100000" in warnings[0].replace(",", "")


@pytest.fixture
def small_corpus(
    command: Any, material: Any, texts: Callable[..., Path], tmp_path: Path
) -> Callable[..., Path]:
    """Prepares files as a corpus by the verb."""

    def small_corpus(tokenizer: Path = material.tokenizer, **files: str) -> Path:
        corpus = tmp_path / "corpus"
        ended = command("corpus", texts(**files), "--tokenizer", tokenizer, "--output", corpus)
        assert ended.exit_code == 0, ended.stderr
        return corpus

    return small_corpus


class TestCorpus:
    def test_shorter_than_one_sequence(
        self, small_corpus: Callable[..., Path], failing: Callable[..., str]
    ) -> None:
        message = failing(3, "pretrain", small_corpus(a_txt=SHORT, b_txt=SHORT))

        assert "fewer than one sequence of 128" in message
        assert "--train.sequence-length" in message
        assert "--validation" in message

    def test_of_a_single_document_without_a_validation_corpus(
        self, small_corpus: Callable[..., Path], failing: Callable[..., str]
    ) -> None:
        message = failing(3, "pretrain", small_corpus(a_txt=SHORT))

        assert "holds 1 document(s)" in message
        assert "--validation" in message

    def test_of_a_single_document_for_next_sentence_prediction(
        self, small_corpus: Callable[..., Path], failing: Callable[..., str], material: Any
    ) -> None:
        corpus = small_corpus(a_txt=SHORT * 100)
        wish = ["pretrain", corpus, "--next-sentence"]

        assert "expected at least 4, of which 2 can be held out" in failing(3, *wish)
        message = failing(3, *wish, "--validation", material.corpus)
        assert "next sentence prediction found 1 document" in message

    def test_whose_tokenizer_has_no_mask_token(
        self, small_corpus: Callable[..., Path], failing: Callable[..., str], tmp_path: Path
    ) -> None:
        tokenizer = tmp_path / "maskless"
        tokenizer.mkdir()
        tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcd.", "##a", "##b", "##c", "##d"]
        (tokenizer / "vocab.txt").write_text("\n".join(tokens) + "\n")
        corpus = small_corpus(tokenizer, a_txt=SHORT * 50, b_txt=SHORT * 50)

        assert "no mask token ([MASK])" in failing(3, "pretrain", corpus)

    def test_that_is_none(self, failing: Callable[..., str], material: Any) -> None:
        assert f"{material.texts}: not a corpus" in failing(3, "pretrain", material.texts)

    def test_validated_on_another_tokenizers(
        self, failing: Callable[..., str], material: Any, prepared: Make
    ) -> None:
        other = prepared(seed=5, documents=2).corpus

        message = failing(3, "pretrain", material.corpus, "--validation", other)

        assert f"{other}: was prepared with another tokenizer" in message

    def test_that_is_there_already(self, command: Any, material: Any) -> None:
        arguments = ["--tokenizer", material.tokenizer, "--output", material.corpus]

        ended = command("corpus", material.texts, *arguments)

        assert ended.exit_code == 2
        assert f"{material.corpus}: is there already" in ended.message()


class TestDamagedShard:
    @pytest.fixture
    def shard(self, material: Any, tmp_path: Path) -> Path:
        """The tokens of a copy of the corpus."""
        shutil.copytree(material.corpus, tmp_path / "corpus")
        return tmp_path / "corpus" / "shard-00000.tokens"

    @pytest.mark.parametrize("verb", ["pretrain", "corpus-verify"])
    def test_truncated(self, verb: str, shard: Path, command: Any, tmp_path: Path) -> None:
        shard.write_bytes(shard.read_bytes()[:-7])
        output = ["--output", tmp_path / "run"] if verb == "pretrain" else []

        ended = command(verb, shard.parent, *output)

        assert ended.exit_code == 3
        assert f"{shard}: " in ended.message()
        assert "bytes, expected" in ended.message()
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("verb", ["pretrain", "corpus-verify"])
    def test_with_a_flipped_bit(self, verb: str, shard: Path, command: Any, tmp_path: Path) -> None:
        content = bytearray(shard.read_bytes())
        content[100] ^= 1
        shard.write_bytes(content)
        output = ["--output", tmp_path / "run"] if verb == "pretrain" else []

        ended = command(verb, shard.parent, *output)

        assert ended.exit_code == 3
        assert f"{shard}: damaged" in ended.message()
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--train.stepz", 3], "Did you mean --train.steps?"),
        (["--preset", "huge"], "--preset huge: expected 'tiny', 'mini'"),
        (["--train.steps", 0], "--train.steps 0: expected 1 or more"),
        (["--train.steps", "many"], "--train.steps many: expected a whole number"),
        (["--dropout", 1.5], "--dropout 1.5: expected less than 1"),
        (["--masking.rate", 2], "--masking.rate 2: expected less than 1"),
        (["--train.steps", 3, "--train.minutes", 1], "steps and minutes are both set"),
        (["--masking.mask-share", 0.95], "add up to 1.05: expected at most 1"),
        (["--train.sequence-length", 513], "the model has only 512 positions"),
        (["--recipe", "none.toml"], "none.toml: cannot be read (No such file or directory)"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_flags_that_cannot_be(
    words: list[object], said: str, material: Any, failing: Callable[..., str]
) -> None:
    assert said in failing(2, "pretrain", material.corpus, *words)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ("[train]\nstepz = 3", " [train]: unknown key `stepz`. Did you mean `steps`?"),
        ("[trian]\nsteps = 3", ": unknown key `trian`. Did you mean `train`?"),
        ("[model]\nhiden_size = 64", " [model]: unknown key `hiden_size`. Did you mean `hidden_s"),
        ("[model]\nhidden_size = 65", ": `model`: hidden_size 65 is not a multiple of"),
        ("[model]\nvocab_size = 7", "model.vocab_size is 7, but the corpus' tokenizer has 300"),
        ("[train]\nsteps = 0", " [train]: `steps` 0: expected 1 or more"),
        ("[train]\nsteps = 3\nminutes = 1", "steps and minutes are both set"),
        ("train = 3", ": `train` 3: "),
        ('preset = "huge"', ": `preset` 'huge': expected 'tiny', 'mini'"),
        ("next_sentence = true\n[model]\ntype_vocab_size = 1", "needs two segments"),
        ("[train", ": is no valid TOML: "),
    ],
    ids=lambda value: value.replace("\n", " ") if value[0] not in " :" else "",
)
def test_recipes_that_cannot_be(
    recipe: str, said: str, material: Any, failing: Callable[..., str], tmp_path: Path
) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text(recipe + "\n")

    message = failing(2, "pretrain", material.corpus, "--recipe", file)

    assert said in message
    assert said[0] not in " :" or f"{file}{said}" in message


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pretrian"], 'Did you mean "pretrain"?'),
        (["pretrain"], "CORPUS: is missing"),
        (["pretrain", "corpus"], "--output: is missing"),
        (["corpus", "texts", "--output", "x"], "--tokenizer: is missing"),
        (["corpus-verify"], "FOLDER: is missing"),
        (["fill"], "MODEL: is missing"),
        (["fill", "model"], "no text was given"),
        (["score", "model"], "no text was given"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_arguments_that_are_missing(words: list[str], said: str, command: Any) -> None:
    ended = command(*words)

    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert said in ended.message()


@pytest.mark.parametrize("verb", ["tokenizer", "corpus"])
def test_an_output_with_a_file_in_its_way(
    verb: str, verbs: Any, command: Any, material: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")

    ended = command(*verbs[verb], material.texts, "--output", tmp_path / "file" / "output")

    assert ended.exit_code == 4, ended.stderr
    assert str(tmp_path / "file") in ended.message()


class TestFill:
    @pytest.fixture
    def model(self, undisturbed: Make) -> Path:
        folder: Path = undisturbed(train__steps=8).folder
        return folder

    def test_without_a_mask(self, model: Path, command: Any) -> None:
        ended = command("fill", model, "abc cab", "--json")

        assert ended.exit_code == 2
        assert ended.stdout == ""
        assert "has no [MASK]" in ended.message()
        assert "no text generator" in ended.message()

    def test_with_a_candidate_that_is_no_token(self, model: Path, command: Any) -> None:
        ended = command("fill", model, "abc [MASK]", "--candidates", "xyzzy")

        assert ended.exit_code == 2
        assert "'xyzzy'" in ended.message()

    @pytest.mark.parametrize("verb", ["fill", "score"])
    def test_on_a_model_without_the_head(
        self, verb: str, model: Path, command: Any, tmp_path: Path
    ) -> None:
        from unmask.checkpoint import native
        from unmask.checkpoint.assemble import assemble

        whole = native.load(model)
        bare = type(whole)(
            model=assemble(whole.config, set()),
            task=None,
            tokenizer=whole.tokenizer,
            config=whole.config,
            folder=None,
        )
        native.save(bare, tmp_path / "encoder")

        ended = command(verb, tmp_path / "encoder", "abc [MASK]")

        assert ended.exit_code == 2
        assert str(tmp_path / "encoder") in ended.message()
        assert "masked language model" in ended.message()

    def test_on_a_folder_without_a_model(self, command: Any, material: Any) -> None:
        ended = command("fill", material.texts, "abc [MASK]")

        assert ended.exit_code == 3
        assert f"{material.texts}: no config.json" in ended.message()
