"""Blocks on how stable the selection is over subsamples of the training patients."""

from __future__ import annotations

import pandas as pd

from pipeline.core.mode_labels import is_leaking
from pipeline.reporting.blocks import Block, Figure, Items, Paragraph, Table
from pipeline.reporting.figures.selection import frequency_figure
from pipeline.reporting.leaking import order_words
from pipeline.reporting.results import Results
from pipeline.reporting.wording import SIGNED, count, interval, number, plural, share

#: Features drawn; the file holds all.
MOST_DRAWN = 25

#: From these values on an index is called by these words (Fleiss' bounds for kappa, as Nogueira
#: and others use them).
GRADES = ((0.75, "excellent"), (0.40, "fair to good"), (float("-inf"), "poor"))


def stability_blocks(results: Results, printed: dict[str, str]) -> list[Block]:
    """Build what the report tells of the selection on subsamples.

    Parameters
    ----------
    results : Results
        The study's results.
    printed : dict of str to str
        How each feature is written for people.
    """
    table, info = results.modelling.stability, results.modelling.stability_info
    resamples = plural(info["resamples"], "subsample")
    ever = table[table["frequency"] > 0].sort_values(
        ["frequency", "selected", "feature"], ascending=[False, False, True], kind="stable"
    )
    # In the published order the models see another signature than the one repeated here.
    selection = results.modelling.selection
    final = set(selection.loc[selection["selected"].fillna(False).astype(bool), "feature"])
    ever = ever.assign(selected=ever["feature"].isin(final))
    whose = order_words(results).final_signature
    leaking = is_leaking(results.study.config["mode"])
    column = f"in_final_signature{'_leaking' if leaking else ''}"
    size = f"{100 * info['share']:g}%"
    blocks: list[Block] = [
        Paragraph(
            f"The selection alone was repeated on {resamples} of {size} of the training patients. "
            f"{count(len(ever))} of {count(len(table))} candidates were chosen at least once, "
            f"{count((ever['frequency'] == 1).sum())} in every subsample."
        ),
        Items([*_sentences(info), *info["notes"]]),
    ]
    if ever.empty:
        return blocks
    drawn = ever.head(MOST_DRAWN)
    drawn = drawn.assign(feature=[printed.get(name, name) for name in drawn["feature"]])
    highest = [block["permuted_highest"] for block in info["blocks"].values()]
    noise = max((value for value in highest if value is not None), default=None)
    rest = len(ever) - len(drawn)
    blocks.append(
        Figure(
            name="frequency",
            svg=frequency_figure(drawn, noise),
            alt=f"Bars of how often each feature was chosen. First: {drawn['feature'].iloc[0]}, "
            f"{share(drawn['frequency'].iloc[0], 1)} of the subsamples.",
            caption=f"How often {resamples} of {size} of the training patients chose each feature "
            f"(teal: radiomics, orange: clinical; pale: not in {whose})."
            + (f" The {rest} least often chosen features are not drawn." if rest else "")
            + (
                f" Dashed: {share(noise, 1)}, how often a permuted outcome chooses its most "
                f"frequent feature (mean over {plural(info['permutations'], 'outcome')}); "
                "features to the left of it stay within what chance can reach."
                if noise is not None
                else ""
            ),
        )
    )
    shown = pd.DataFrame(
        {
            "Feature": [printed.get(name, name) for name in ever["feature"]],
            "Type": ever["block"].to_list(),
            "Chosen": [share(value, 1) for value in ever["frequency"]],
            "Chosen, outcomes permuted": [
                share(value, 1) if pd.notna(value) else "–" for value in ever["frequency_permuted"]
            ],
            "In the final signature": ["yes" if chosen else "no" for chosen in ever["selected"]],
        }
    )
    blocks.append(
        Table(
            name="selection-stability",
            caption=f"How often each candidate was chosen on {resamples} of {size} of the training "
            "patients, and on as many with permuted outcomes, mean over these. Each permuted "
            "outcome has other favourites: a share is to be compared with the dashed line of the "
            f"figure, not with this mean. Final signature: {whose}.",
            shown=shown,
            raw=table.assign(**{column: table["feature"].isin(final)}),
            numeric=("Chosen", "Chosen, outcomes permuted"),
            sortable=True,
            collapsed=f"{plural(len(ever), 'feature')} that were chosen at least once",
        )
    )
    return blocks


def _sentences(info: dict) -> list[str]:
    sentences = []
    for name, block in info["blocks"].items():
        what = "radiomic features" if name == "radiomics" else "clinical predictors"
        chosen = (
            f"{number(block['mean_selected'], 1)} of {count(block['candidates'])} {what} are "
            "chosen on average"
        )
        if block["index"] is None:
            sentences.append(f"{chosen}: all or none always, so that stability has no measure.")
            continue
        grade = _grade(block)
        limits = interval(block["index"], block["low"], block["high"], 2, SIGNED)
        text = (
            f"{chosen}. Stability (Nogueira's index; 1: always the same, 0: as if drawn at random) "
            f"{limits}{f', {grade}' if grade else ''}; two subsamples "
            f"share {share(block['jaccard'], 1)} of what they chose together (Jaccard)."
        )
        if block["permuted_index"] is not None:
            text += (
                f" With permuted outcomes the index is "
                f"{number(block['permuted_index'], 2, SIGNED)} on "
                f"average ({number(block['permuted_index_low'], 2, SIGNED)} to "
                f"{number(block['permuted_index_high'], 2, SIGNED)}): only what exceeds this "
                "reflects the outcome; the rest comes from patients that subsamples share."
            )
        elif not info["permutations"]:
            text += (
                " No permuted outcomes were asked for (stability.permutations: 0): how much of "
                "this noise would reach is not known, and it is not graded."
            )
        else:
            text += " With permuted outcomes the index has no value, and it is not graded."
        sentences.append(text)
    return sentences


def _grade(block: dict) -> str | None:
    """Return the word for an index, None where nothing says what noise would reach.

    The interval has to lie above every permuted outcome's index.
    """
    noise = block["permuted_index_high"]
    if noise is None:
        return None
    lowest = block["index"] if block["low"] is None else block["low"]
    if lowest <= noise:
        return "no clearer than with permuted outcomes"
    return next(word for bound, word in GRADES if block["index"] >= bound)
