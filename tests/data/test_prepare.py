"""A corpus appears whole or not at all, the same for any number of workers."""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from unmask.data.config import CorpusConfig, FilterConfig, ReaderConfig
from unmask.data.manifest import is_corpus
from unmask.data.prepare import Progress, prepare
from unmask.data.report import Report
from unmask.data.shards import Shards
from unmask.data.staging import staged
from unmask.errors import DataError, MachineError, UsageError
from unmask.text.tokenizer import Tokenizer

Write = Callable[[str, bytes | str], Path]
LINE = CorpusConfig(reader=ReaderConfig(documents="line"))


def tree(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def documents(folder: Path) -> list[list[int]]:
    shards = Shards.open(folder)
    offsets = shards.document_offsets().tolist()
    pairs = pairwise(offsets)
    return [shards.tokens(start, stop).tolist() for start, stop in pairs]


def some_text(seed: int, num_sentences: int) -> str:
    rng = random.Random(seed)
    words = ["the", "cat", "sat", "on", "mat", "dogs", "running", "away", "zebra", "ünï"]
    return " ".join(
        " ".join(rng.choices(words, k=rng.randint(1, 12))).capitalize()
        + rng.choice([".", "!", "\n\n"])
        for _ in range(num_sentences)
    )


def test_any_number_of_workers_gives_the_same_files(
    write: Write, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    for i, size in enumerate([1, 20_000, 3, 4000, 9000, 50]):
        write(f"{i}.txt", some_text(i, size))
    folder = write("records.jsonl.gz", gzip.compress(b'{"text": "a"}\n{"text": "A"}\n{"tex'))
    trees = []
    for workers in (1, 2, 3):
        config = CorpusConfig(duplicates="exact", shard_tokens=100_000, workers=workers)
        prepare([folder], tokenizer, tmp_path / "out" / str(workers), config)
        found = tree(tmp_path / "out" / str(workers))
        del found["report.json"]  # it says how long it took
        trees.append(found)
    assert trees[0] == trees[1] == trees[2]
    assert "shard-00002.tokens" in trees[0]


def test_tokens_are_those_of_the_documents(
    write: Write, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    texts = [some_text(i, size) for i, size in enumerate([5000, 1, 12_000, 30])]
    for i, text in enumerate(texts):
        folder = write(f"{i}.txt", text)
    prepare([folder], tokenizer, tmp_path / "out", CorpusConfig())
    assert documents(tmp_path / "out") == [tokenizer.encode(text) for text in texts]


def test_a_document_longer_than_a_unit_stays_one(
    write: Write, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    # More sentences than are encoded together, and one sentence alone as long as that.
    texts = ["The cat sat. " * 10_000, "the cat " * 150_000, "So. " * 4096]
    for i, text in enumerate(texts):
        folder = write(f"{i}.txt", text)
    report = prepare([folder], tokenizer, tmp_path / "out", CorpusConfig())
    assert [len(ids) for ids in documents(tmp_path / "out")] == [40_000, 300_000, 8192]
    assert report.num_sentences == 10_000 + 1 + 4096


def test_the_report_adds_up(write: Write, tmp_path: Path, tokenizer: Tokenizer) -> None:
    write("a.jsonl", '{"text": "The cats sat."}\n{"text": "\u4e00"}\n{"text": " "}\nbroken\n')
    write("b.txt", "the CATS  sat.")
    folder = write("c.png", "")
    config = CorpusConfig(duplicates="exact", filters=FilterConfig(max_characters=20))
    write("d.txt", "far too long " * 10)
    seen: list[Progress] = []
    report = prepare([folder], tokenizer, tmp_path / "out", config, seen.append)
    assert (report.num_sources, report.num_ignored_files) == (3, 1)
    assert (report.num_records, report.num_rejects) == (6, 1)
    assert report.rejects == {"broken JSON": 1}
    assert report.filtered == {"empty": 1, "exact_duplicate": 1, "max_characters": 1}
    assert (report.num_documents, report.num_sentences, report.num_tokens) == (2, 2, 6)
    assert report.num_characters == len("The cats sat.") + len("\u4e00") + len(" ")
    assert report.unknown_rate == pytest.approx(1 / 6)
    assert report.tokens_per_word == pytest.approx(6 / 5)
    assert report.unigram_entropy == pytest.approx(np.log(5))  # the unknown token is left out
    assert report.num_used_tokens == 6
    assert seen[-1].num_tokens == 6
    assert seen[-1].bytes_read == seen[-1].bytes_total
    stored = json.loads((tmp_path / "out" / "report.json").read_text())
    assert Report(**stored) == report
    assert [name for name, _ in report.rows() if name.startswith("left out")] == [
        "left out as empty",
        "left out as exact duplicates",
        "left out by max_characters",
    ]
    assert len((tmp_path / "out" / "rejects.jsonl").read_text().splitlines()) == 1


def test_near_duplicates_are_left_out(write: Write, tmp_path: Path, tokenizer: Tokenizer) -> None:
    text = some_text(0, 200)
    write("a.txt", text)
    write("b.txt", text + " Away.")
    folder = write("c.txt", some_text(1, 200))
    config = CorpusConfig(duplicates="near")
    report = prepare([folder], tokenizer, tmp_path / "out", config)
    assert report.filtered == {"near_duplicate": 1}
    assert documents(tmp_path / "out")[0] == tokenizer.encode(text)


def test_nothing_left_says_what_took_it(write: Write, tmp_path: Path, tokenizer: Tokenizer) -> None:
    write("a.txt", "a\n\nb")
    folder = write("b.txt", " \n")
    config = CorpusConfig(filters=FilterConfig(min_words=5), duplicates="exact")
    with pytest.raises(
        DataError, match=r"no document is left of 2 records.*2 by min_words"
    ) as told:
        prepare([folder], tokenizer, tmp_path / "out", config)
    assert str(told.value).endswith("Give text, or loosen the filters (--filters.*).")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts", "tokenizer"]


def test_nothing_left_advises_on_filters_only_where_they_took_something(
    write: Write, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    write("a.jsonl", '{"text": " "}\nbroken\n')
    folder = write("b.txt", " ")
    config = CorpusConfig(filters=FilterConfig(max_characters=99), duplicates="exact")
    with pytest.raises(DataError) as told:
        prepare([folder], tokenizer, tmp_path / "out", config)
    assert "(left out: 1 as exact duplicates, 1 as empty; could not be read: 1" in str(told.value)
    assert "Give text." in str(told.value)
    assert "--filters" not in str(told.value)


def test_too_many_rejects_leave_only_the_rejects(
    write: Write, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    folder = write("a.jsonl", "broken\n" * 12 + '{"text": "good"}\n')
    with pytest.raises(DataError, match=r"(?s)12 of 13 records.*All rejects.*out\.rejects\.jsonl"):
        prepare([folder], tokenizer, tmp_path / "out", CorpusConfig())
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["out.rejects.jsonl", "texts", "tokenizer"]
    assert len((tmp_path / "out.rejects.jsonl").read_text().splitlines()) == 12


def test_an_existing_corpus_is_replaced_only_if_asked(
    write: Write, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    output = tmp_path / "deep" / "out"
    prepare([write("a.txt", "The cat.")], tokenizer, output, CorpusConfig())
    before = tree(output)
    folder = write("a.txt", "The dog.")
    with pytest.raises(UsageError, match=r"out: is there already; .* give --overwrite"):
        prepare([folder], tokenizer, output, CorpusConfig())
    assert tree(output) == before
    prepare([folder], tokenizer, output, CorpusConfig(overwrite=True))
    assert documents(output) == [tokenizer.encode("The dog.")]
    assert [path.name for path in output.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("content", ["file", "folder"])
def test_what_is_not_ours_is_never_replaced(
    write: Write, tmp_path: Path, tokenizer: Tokenizer, content: str
) -> None:
    output = tmp_path / "out"
    if content == "file":
        output.write_text("precious")
    else:
        output.mkdir()
        (output / "manifest.json").write_text("precious")
    with pytest.raises(UsageError, match="choose another output"):
        prepare([write("a.txt", "x")], tokenizer, output, CorpusConfig(overwrite=True))
    assert "precious" in (output if content == "file" else output / "manifest.json").read_text()


def test_an_empty_folder_is_a_good_output(
    write: Write, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    (tmp_path / "out").mkdir()
    prepare([write("a.txt", "The cat.")], tokenizer, tmp_path / "out", CorpusConfig())
    assert Shards.open(tmp_path / "out").num_documents == 1


def test_leftovers_of_killed_runs_are_removed_and_others_are_not(
    write: Write, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    for name in ("out.tmp-old", "out2.tmp-other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shard-00000.tokens").write_bytes(b"half")
    prepare([write("a.txt", "The cat.")], tokenizer, tmp_path / "out", CorpusConfig())
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["out", "out2.tmp-other", "texts", "tokenizer"]


@pytest.fixture
def replacing(
    write: Write, tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, bytes]]:
    """Replaces a corpus in a run whose renames fail from the second on; gives the old corpus."""

    def replacing(error: BaseException, num_failing: int) -> dict[str, bytes]:
        output = tmp_path / "out"
        prepare([write("a.txt", "The cat.")], tokenizer, output, CorpusConfig())
        before = tree(output)
        rename, calls = Path.rename, []

        def fail(self: Path, target: Path) -> Path:
            calls.append(self)
            if 2 <= len(calls) < 2 + num_failing:
                raise error
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", fail)
        with pytest.raises((type(error), MachineError)):
            prepare([write("a.txt", "A dog.")], tokenizer, output, CorpusConfig(overwrite=True))
        monkeypatch.undo()
        return before

    return replacing


def test_a_rename_that_fails_puts_the_old_corpus_back(
    replacing: Callable[..., dict[str, bytes]], tmp_path: Path
) -> None:
    before = replacing(OSError(5, "Input/output error"), num_failing=1)
    assert tree(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "texts", "tokenizer"]


def test_a_kill_between_the_renames_loses_no_corpus(
    replacing: Callable[..., dict[str, bytes]], tmp_path: Path, tokenizer: Tokenizer
) -> None:
    before = replacing(KeyboardInterrupt(), num_failing=1)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="out: is there already"):
        prepare([tmp_path / "texts"], tokenizer, tmp_path / "out", CorpusConfig())
    assert tree(tmp_path / "out") == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "texts", "tokenizer"]


def test_what_is_half_removed_is_not_put_back(
    write: Write, tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "out"
    prepare([write("a.txt", "The cat.")], tokenizer, output, CorpusConfig())
    folder = write("a.txt", "A dog.")
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", lambda *_, **__: None)  # killed before it removes any
        prepare([folder], tokenizer, output, CorpusConfig(overwrite=True))
    output.rename(tmp_path / "elsewhere")
    prepare([folder], tokenizer, output, CorpusConfig())
    assert documents(output) == [tokenizer.encode("A dog.")]


def test_an_output_that_cannot_be_looked_at_is_one_message(
    write: Write, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    with pytest.raises(MachineError, match="cannot be written"):
        prepare([write("a.txt", "x")], tokenizer, tmp_path / ("x" * 300), CorpusConfig())


def test_a_full_disk_elsewhere_is_named(tmp_path: Path) -> None:
    error = OSError(28, "No space left on device", "/somewhere/else")
    with (
        pytest.raises(MachineError, match="/somewhere/else: the disk is full"),
        staged(tmp_path / "out", overwrite=False, is_ours=is_corpus),
    ):
        raise error


def test_an_error_half_way_leaves_nothing(
    write: Write, tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(4):
        folder = write(f"{i}.txt", "So. " * 5000)
    encode, calls = tokenizer.encode_bulk, []

    def fail_later(texts: list[str]):  # type: ignore[no-untyped-def]
        calls.append(len(texts))
        if len(calls) == 4:
            raise MemoryError("no more")
        return encode(texts)

    monkeypatch.setattr(tokenizer, "encode_bulk", fail_later)
    with pytest.raises(MemoryError):
        prepare([folder], tokenizer, tmp_path / "out", CorpusConfig(workers=2))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts", "tokenizer"]


def test_a_full_disk_is_said_and_leaves_nothing(
    write: Write, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    folder = write("a.txt", some_text(0, 30_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(MachineError, match=r"out: the disk is full .* nothing was written"):
            prepare([folder], tokenizer, tmp_path / "out", CorpusConfig())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts", "tokenizer"]


RUN = """
    import sys, time
    from pathlib import Path
    from unmask.data.config import CorpusConfig
    from unmask.data.prepare import prepare
    from unmask.text.tokenizer import Tokenizer

    def wait(progress):
        print("started", flush=True)
        time.sleep(60)

    folder, tokenizer, output = map(Path, sys.argv[1:])
    prepare([folder], Tokenizer.load(tokenizer), output, CorpusConfig(), wait)
"""


def test_a_killed_run_leaves_no_output_and_a_running_one_is_not_disturbed(
    write: Write, tmp_path: Path, tokenizer: Tokenizer
) -> None:
    folder = write("a.txt", "The cat.")
    output = tmp_path / "out"
    arguments = [sys.executable, "-c", textwrap.dedent(RUN)]
    arguments += [str(folder), str(tmp_path / "tokenizer"), str(output)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        with pytest.raises(UsageError, match="another run is writing it"):
            prepare([folder], tokenizer, output, CorpusConfig())
        process.kill()
    assert not output.exists()
    assert [path.name[:8] for path in tmp_path.iterdir() if "tmp" in path.name] == ["out.tmp-"]
    prepare([folder], tokenizer, output, CorpusConfig())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "texts", "tokenizer"]


def test_preparation_imports_neither_torch_nor_pyarrow() -> None:
    code = (
        "import sys, unmask.data.prepare, unmask.data.shards, unmask.data.doctor;"
        "print([name for name in ('torch', 'pyarrow', 'transformers') if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    output = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True
    ).stdout
    assert output == b"[]\n"


PEAK = """
    import sys
    from pathlib import Path
    from unmask.data.config import CorpusConfig
    from unmask.data.prepare import prepare
    from unmask.text.tokenizer import Tokenizer

    folder, tokenizer, output = map(Path, sys.argv[1:])
    prepare([folder], Tokenizer.load(tokenizer), output, CorpusConfig())
    # Not getrusage, which also knows how large the process was that started this one.
    (peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(int(peak.split()[1]) * 1024)
"""


@pytest.mark.usefixtures("tokenizer")
def test_memory_does_not_grow_with_the_corpus(write: Write, tmp_path: Path) -> None:
    rng = random.Random(0)
    words = ["the", "cat", "sat", "on", "mat", "dogs", "running", "away"]
    lines = (" ".join(rng.choices(words, k=12)).capitalize() + ".\n" for _ in range(90_000))
    text = "".join(lines)  # 5 MB: a whole document, and more distinct lines than are held
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    peaks = []
    for times in (4, 12):
        write("a.txt.gz", gzip.compress("".join(text * times).encode(), compresslevel=1))
        arguments = [str(tmp_path / name) for name in ("texts", "tokenizer", f"out{times}")]
        ran = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(PEAK), *arguments],
            env=environment,
            check=True,
            capture_output=True,
        )
        peaks.append(int(ran.stdout))
    # 40 MB more of text: its bytes, or its ids, would be far more than this.
    assert peaks[1] - peaks[0] < 8 * 2**20, peaks
