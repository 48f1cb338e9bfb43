"""A paragraph ready for a methods section: what was done, and what came out."""

from __future__ import annotations

from demask.study.analysis import BlockResults, Results
from demask.study.blocks import Block, MushraBlock, RatingBlock, RealOrRestoredBlock, SamePersonBlock
from demask.study.plan import Plan

STAMP = "SIMULATED DATA: no person took part."
MACHINES = "MACHINE JUDGES: networks answered, no person took part."

_KINDS = {"pair": "preferred one of two systems' pictures", "expression": "named the expression of the face"}


def stamp_of(results: Results) -> str:
    """What stands on everything that no person answered."""
    return MACHINES if results.kind == "machines" else STAMP


def methods_paragraph(plan: Plan, results: Results) -> str:
    """Describe people, blocks, assignment, exclusions and statistics; simulated data say so first."""
    sentences = [stamp_of(results)] if results.simulated else []
    kinds = {block.kind for block in plan.blocks}
    kind = {"": "participant", "machines": "machine judge"}.get(results.kind, "simulated participant")
    sentences.append(
        f"{_count(results.num_people, kind)} took part ({results.num_planned} planned); "
        f"{results.num_finished} finished and {results.num_withdrawn} withdrew, whose answers were deleted."
    )
    sentences += [_block_sentence(plan, block) for block in plan.blocks]
    sentences.append(
        "Each person met each face in one condition"
        + (" per block" if plan.across_blocks == "shared" else "")
        + (", but in all conditions at once where a block says so" if "mushra" in kinds else "")
        + ", rotated over people by a Latin square, in an order drawn for each person "
        f"(seed {plan.seed}); "
        + ", ".join(
            f"each picture of {block.name} was judged {_range(block)} times" for block in results.blocks
        )
        + "."
    )
    sentences.append(_exclusion_sentence(plan, results))
    sentences.append(
        "Intervals are 95 % and take both people and faces as samples: two-way cluster-robust variance "
        "(Cameron, Gelbach and Miller 2011) with Student's t; proportions by Wilson's interval on the "
        "effective number of answers. " + _statistics_sentence(results)
    )
    return " ".join(sentence for sentence in sentences if sentence)


def _count(num: int, kind: str) -> str:
    return f"{num} {kind}" + "s" * (num != 1)


def _range(block: BlockResults) -> str:
    low, high = block.min_per_picture, block.max_per_picture
    return str(low) if low == high else f"{low} to {high}"


def _block_sentence(plan: Plan, block: Block) -> str:
    shown = ", ".join(block.shown(plan.systems))
    extras = [
        f"{_count(block.practice, 'practice trial')} with feedback" * bool(block.practice),
        _count(block.repeats, "repeated trial") * bool(block.repeats),
        _count(block.checks, "attention check") * bool(block.checks),
        f"each picture shown for {block.exposure_ms} ms" * bool(block.exposure_ms),
    ]
    if isinstance(block, RatingBlock):
        scale = "from 0 to 100" if block.points == 100 else f"in {block.points} categories (ACR, ITU-T P.910)"
        act = f"rated {block.scale} {scale}" + ", the truth as a hidden reference" * block.hidden_reference
    elif isinstance(block, MushraBlock):
        act = (
            "rated all of these pictures of one face at once from 0 to 100 against the open reference, which "
            "hid among them (after MUSHRA, ITU-R BS.1534-3)"
        )
    elif isinstance(block, RealOrRestoredBlock):
        act = (
            "said which of two pictures of one face, restored and real, was real"
            if block.design == "pair"
            else "said whether a picture was real or restored"
        )
    elif isinstance(block, SamePersonBlock):
        act = "said whether a restored picture and a real one show one person"
    else:
        act = _KINDS[block.kind]
    more = [extra for extra in extras if extra]
    return f"In block {block.name} they {act} ({'; '.join([shown, *more])})."


def _exclusion_sentence(plan: Plan, results: Results) -> str:
    if results.kind == "machines":
        return "The plan's rule on careless people was not applied."
    rule = plan.exclusion
    parts = []
    if rule.max_failed_checks is not None:
        parts.append(f"more than {_count(rule.max_failed_checks, 'failed attention check')}")
    if rule.min_answered_fraction:
        parts.append(f"less than {rule.min_answered_fraction:.0%} of the trials answered")
    if rule.min_median_reaction_ms:
        parts.append(f"a median reaction under {rule.min_median_reaction_ms:.0f} ms")
    if rule.max_same_answer_fraction < 1:
        parts.append(f"one answer in more than {rule.max_same_answer_fraction:.0%} of the ratings")
    text = "The plan excluded nobody by rule."
    if parts:
        left_out = _count(len(results.excluded), "participant")
        text = f"By the rule set before the study ({'; '.join(parts)}), the answers of {left_out} do not count."
    if rule.max_exposure_error_ms is not None:
        text += (
            f" {_count(results.num_dropped, 'answer')} do not count because a picture stayed more than "
            f"{rule.max_exposure_error_ms:.0f} ms longer or shorter than planned."
        )
    return text


def _statistics_sentence(results: Results) -> str:
    kinds = {block.kind for block in results.blocks}
    parts = []
    if kinds & {"real_or_restored", "same_person"}:
        parts.append("sensitivity d' is pooled over people with the log-linear correction (Hautus 1995)")
    if "pair" in kinds:
        parts.append("preferences were ranked by the Bradley-Terry model")
    if any(block.alpha is not None for block in results.blocks):
        parts.append("agreement is Krippendorff's alpha")
    if "rating" in kinds:
        parts.append("p values of differences are adjusted by Holm's method within a block")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""
