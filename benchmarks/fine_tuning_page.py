"""What the page of benchmarks says of fine-tuning."""

from __future__ import annotations

from tables import Figures, digits, table, thousands

_SIDES = {
    "theirs": "transformers, dynamic padding, shuffled",
    "grouped": "transformers, grouped by length",
}


def equivalence(result: Figures) -> str:
    settings = result["settings"]
    rows = [
        [name, one["data"], f"{one['ours'][0]:.4f}", f"{one['ours'][-1]:.4f}",
         f"{one['theirs'][-1]:.4f}", f"{one['largest_difference']:.1e}"]
        for name, one in result["tasks"].items()
    ]  # fmt: skip
    parts = [
        "## Equal losses in fine-tuning",
        f"The losses of the first {settings['steps']} steps of {settings['batch_size']} sequences "
        "from equal weights (all-MiniLM-L6-v2 under one fresh head), in equal order, with dropout "
        f"0 and AdamW at {settings['rate']:g}: ours packed and through the training loop, "
        "transformers' prepared and padded by its own tools, in a plain loop.",
        table(
            ["task", "data", "first loss", "last, unmask", "last, transformers", "largest "
             "difference"],
            rows,
        ),
    ]  # fmt: skip
    if asked := result["tasks"].get("qa"):
        parts.append(
            "In question answering transformers' loss lets padding take part in the softmax over "
            "positions: for the first batch, padded to its longest, it is "
            f"{asked['padded_first_loss']:.4f} instead of {asked['theirs'][0]:.4f}. So there its "
            "sequences go through the model one by one."
        )
    return "\n\n".join(parts)


def _percent(score: Figures) -> str:
    return f"{100 * score['mean']:.1f} ± {100 * score['spread']:.1f}"


def fine_tuning(result: Figures) -> str:
    rows = [
        [one["title"], name, _percent(score["ours"]), _percent(score["theirs"])]
        for one in result["tasks"].values()
        for name, score in one["scores"].items()
    ]
    means = result["mean"]
    rows.append(["mean of each first score", "", f"{means['ours']:.1f}", f"{means['theirs']:.1f}"])
    return "\n\n".join(
        [
            "## A thousand labels",
            f"{result['settings']['title']}, from all-MiniLM-L6-v2; test scores in percent, mean "
            f"± standard deviation over {result['settings']['seeds']} seeds. Equal examples, batch "
            "size, rate, schedule and epochs; theirs is a plain loop over AutoModelFor... with "
            "dynamic padding, and its last weights; ours keeps the best epoch's by the validation "
            "examples.",
            table(["data", "score", "unmask", "transformers"], rows),
            f"unmask's mean is {abs(result['points_above']):.1f} points "
            f"{'above' if result['points_above'] >= 0 else 'below'} transformers'.",
        ]
    )


def fine_tuning_speed(result: Figures) -> str:
    settings = result["settings"]
    parts = [
        "## Speed of fine-tuning and of answering",
        f"MiniLM's shape, {settings['threads']} threads, each side in a process of its own, in "
        f"turns: median, least and greatest of {settings['rounds']} rounds. Training: real tokens "
        f"per second over {settings['steps']} steps of 32 sequences, dropout 0.1.",
    ]
    rows = [
        [title, _SIDES[side], thousands(one["per_second"]["ours"]),
         thousands(one["per_second"][side]), digits(ratio), digits(one["cpu_ratio"][side])]
        for title, one in result.get("training", {}).items()
        for side, ratio in one["ratio"].items()
    ]  # fmt: skip
    header = ["data", "against", "unmask, tokens/s", "its tokens/s", "ratio"]
    if rows:
        parts.append(table([*header, "ratio per CPU second"], rows))
    if one := result.get("prediction"):
        parts.append(
            f"A file of {settings['texts']:,} sentences of SST-2 is answered at "
            f"{thousands(one['per_second']['ours'])} texts/s, by transformers' pipeline with "
            f"batches of 32 at {thousands(one['per_second']['theirs'])}: "
            f"{digits(one['ratio']['theirs'])} times as fast. In bfloat16 (`--precision bf16`) it "
            f"takes {thousands(one['per_second']['half'])} texts/s, {digits(one['half_ratio'])} "
            "times the pipeline, which computes in fp32."
        )
    if one := result.get("memory"):
        above = one["megabytes"]
        parts.append(
            "Peak memory of training steps of question answering, 32 windows of up to 384 tokens, "
            f"above what the process held before: {above['ours']['median']:,.0f} MB against "
            f"{above['theirs']['median']:,.0f} MB, {one['ratio']:.2f} x."
        )
    return "\n\n".join(parts)
