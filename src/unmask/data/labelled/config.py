"""Settings of the labelled readers; imports no arrays, so that a command line can read them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Column = int | str
"""A column by its number, from 0, or by its name; digits are a number where no name is like that.
An empty name means none, even if one would be recognised."""


def _as_tuple(given: Any) -> Any:
    return (given,) if isinstance(given, int | str) else given


Several = Annotated[tuple[Column, ...], BeforeValidator(_as_tuple)]
"""One column or several."""

Format = Literal[
    "auto", "csv", "tsv", "jsonl", "parquet", "trees", "conll", "conllu", "squad", "json"
]


class Columns(BaseModel):
    """Where an example's parts stand in a table; what is not set is recognised by its name."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    text: Several | None = None
    """The text (of a question-answering table, the question, of a ranking the query); several are
    joined by a space."""
    text_pair: Column | None = None
    """The second text (of a question-answering table, the context, of a ranking the document, or a
    list of them)."""
    texts: tuple[Column, ...] = ()
    """For embeddings and rankings: the texts that belong together, as anchor (the query), positive
    and negatives; one column each, or some that hold lists."""
    label: Several | None = None
    """The label (of a ranking the grade, or a list of them); for `--data.labels multi` also several
    columns of 0 and 1, named like classes."""
    id: Column | None = None
    """What names the example; without it, its line."""
    group: Column | None = None
    """What the example belongs to (an author, a document): a split never divides a group."""
    choices: tuple[Column, ...] = ()
    """The choices of a multiple-choice table: one column each, or one that holds a list."""
    choice_prefix: Column | None = None
    """What every choice begins with (SWAG's `sent2`)."""
    words: Column | None = None
    """The words: of CoNLL columns the number (without it the first), elsewhere a list."""
    tags: Column | None = None
    """The tags: of CoNLL columns the number or name (without it the last; UPOS of CoNLL-U),
    elsewhere a list."""


class LabelledConfig(BaseModel):
    """How files become labelled examples."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    format: Format = "auto"
    """What the file is; without it, the ending of its name tells, and the task that reads it."""
    columns: Columns = Columns()
    """Where an example's parts stand in a table."""
    quoting: Literal["auto", "csv", "none"] = "auto"
    """Whether quotes in CSV and TSV hold fields together (csv) or mean nothing (none, as in GLUE);
    auto: csv for CSV, none for TSV."""
    header: Literal["auto", "yes", "no"] = "auto"
    """Whether the first row of CSV and TSV names the columns; auto: it does if a name in it is
    recognised or is set in the columns."""
    labels: Literal["class", "multi", "number", "none"] = "class"
    """What a label is: one class, several classes, a number to predict, or nothing that matters
    (then no label is read, as for texts to predict)."""
    label_separator: str = Field(default=",", min_length=1)
    """Stands between several classes in one field, unless that field is a JSON list."""
    class_names: tuple[str, ...] = ()
    """The classes that there are; labels that are numbers count them from 0."""
    label_range: tuple[float, float] | None = None
    """Least and greatest number that a label may be (STS-B: 0 and 5)."""
    no_label: tuple[str, ...] | None = None
    """Labels that mean that there is none: such examples are left out and counted. Without it, `-`
    in a column `gold_label` (SNLI and MNLI, where the annotators did not agree), and -1 where the
    data itself names its classes."""
    tree_labels: Literal["fine", "binary"] = "fine"
    """The label of a sentiment treebank's sentence: 0 to 4, or 0 and 1, which leaves out and counts
    the neutral ones (Socher et al. 2013, section 5)."""
    max_line_bytes: int = Field(default=8 * 2**20, ge=2**10, le=2**30)
    """A longer line or record is rejected, so that a broken file cannot fill the memory; bytes."""
    max_reject_rate: float = Field(default=0.001, ge=0.0, le=1.0)
    """The run stops if more than this share of the records cannot be read; up to 9 such records
    never stop it."""

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.label_range is not None and not self.label_range[0] < self.label_range[1]:
            low, high = self.label_range
            raise ValueError(f"label_range {low:g}, {high:g}: expected the least number first")
        if len(set(self.class_names)) < len(self.class_names):
            raise ValueError(f"class_names {self.class_names}: a class stands there twice")
        return self
