"""Rules about the source that no linter of ours knows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "unmask"
FILES = sorted(PACKAGE.rglob("*.py"))

MOST_LINES = 260
LONGER: dict[str, int] = {}
"""Files that may be longer, each with its reason."""

UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"torch.load", "torch.jit.load", "torch.save", "eval", "exec", "yaml.load"}
PEERS = {"transformers", "sentence_transformers", "datasets", "accelerate"}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager"}
ALLOWED_TESTS = {
    "nn/dropout.py: Dropout.forward": "torch's own switch between training and answering",
    "nn/dropout.py: Dropout.active": "the same",
    "nn/dropout.py: Dropout.current_rate": "the same",
}
"""Methods that decide by what their brick was built with all the same, each with its reason."""
FOREIGN_KEYS = re.compile(r"cls\.predictions|encoder\.layer\.|attention\.self\.")


def tree_of(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> Iterator[str]:
    """Full names of the imported modules."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def name_of(path: Path) -> str:
    """As a message shows it."""
    return path.relative_to(PACKAGE).as_posix()


def test_files_say_one_thing_in_few_lines() -> None:
    lines = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}

    assert {name: n for name, n in lines.items() if n > LONGER.get(name, MOST_LINES)} == {}
    assert set(LONGER) <= set(lines), "a budget without its file"


def test_no_file_imports_a_peer_or_an_unsafe_format() -> None:
    found = {
        name_of(path): roots & (PEERS | UNSAFE_MODULES)
        for path in FILES
        if (roots := {name.partition(".")[0] for name in imports_of(path)})
    }

    assert {name: modules for name, modules in found.items() if modules} == {}


def test_no_file_of_a_user_can_run_code() -> None:
    calls = [
        (f"{name_of(path)}:{node.lineno}", node)
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
    ]
    pickles = [
        place
        for place, call in calls
        for keyword in call.keywords
        if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
    ]

    assert [place for place, call in calls if ast.unparse(call.func) in UNSAFE_CALLS] == []
    assert pickles == []


def test_names_say_what_a_thing_is() -> None:
    names = {
        f"{name_of(path)}: {node.name}"
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef) and node.name.lower() in VAGUE_NAMES
    }
    files = {name_of(p) for p in FILES if {p.stem, p.parent.name} & VAGUE_NAMES}

    assert names | files == set()


def test_no_function_swallows_keywords() -> None:
    """Only those keywords are passed on whose names and types are written down."""
    keywords = [
        (f"{name_of(path)}:{node.lineno}", node.args.kwarg.annotation)
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.Lambda) and node.args.kwarg
    ]

    assert [
        place
        for place, kind in keywords
        if kind is None or not ast.unparse(kind).startswith("Unpack[")
    ] == []


def test_rooms_import_nothing_by_themselves() -> None:
    bodies = {
        name_of(path): tree_of(path).body
        for path in FILES
        if path.name == "__init__.py" and path.parent != PACKAGE
    }

    assert [
        name
        for name, body in bodies.items()
        if len(body) != 1
        or not isinstance(body[0], ast.Expr)
        or not isinstance(body[0].value, ast.Constant)
    ] == []


def test_families_choose_bricks_and_define_no_forward() -> None:
    defined = {
        node.name
        for path in (PACKAGE / "models").glob("*.py")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef)
    }

    assert "build" in defined
    assert "forward" not in defined


def test_no_forward_tests_what_its_brick_was_built_with() -> None:
    """Another computation is another brick, which a builder chooses.

    Every test in a method of a brick that mentions `self` is found, whether it is of a flag or of
    anything else; what was put into a local name before is not.
    """
    found = {
        f"{name_of(path)}: {kind.name}.{method.name}"
        for path, kind in bricks_of(PACKAGE / "nn")
        for method in kind.body
        if isinstance(method, ast.FunctionDef) and method.name != "__init__"
        if any(
            mentions_self(condition)
            for node in ast.walk(method)
            for condition in conditions_of(node)
        )
    }

    assert found == set(ALLOWED_TESTS)


def bricks_of(folder: Path) -> list[tuple[Path, ast.ClassDef]]:
    """The classes that are modules of torch, by way of each other or at once."""
    classes = {
        node.name: (path, node)
        for path in sorted(folder.glob("*.py"))
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ClassDef)
    }

    def is_brick(name: str) -> bool:
        bases = classes[name][1].bases if name in classes else []
        return name.startswith("nn.") or any(is_brick(ast.unparse(base)) for base in bases)

    return [classes[name] for name in classes if is_brick(name)]


def conditions_of(node: ast.AST) -> list[ast.expr]:
    """What a node decides by."""
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        return [node.test]
    if isinstance(node, ast.comprehension):
        return node.ifs
    if isinstance(node, ast.BoolOp):
        return node.values[:-1]
    return [node.subject] if isinstance(node, ast.Match) else []


def mentions_self(expression: ast.expr) -> bool:
    """Whether it reads anything of the brick."""
    return any(isinstance(n, ast.Name) and n.id == "self" for n in ast.walk(expression))


def test_only_the_checkpoint_room_knows_names_of_hugging_face_tensors() -> None:
    knowing = {
        path.relative_to(PACKAGE).parts[0]
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and FOREIGN_KEYS.search(node.value)
    }

    assert knowing <= {"checkpoint"}
