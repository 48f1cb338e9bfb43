"""A process that stores answers and prints each position once it is stored; made to be killed.

Arguments: database URL, then one participant's code per thread.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from demask.study.answering import Answer
from demask.study.store import Store


def answer_all(store: Store, token: str) -> None:
    """Answer what is not answered yet, in order, and say so."""
    session = store.session(token)
    for trial in session.trials:
        if trial.position in session.answered:
            continue
        value = store.plan.block(trial.block).answers[trial.position % 2]
        store.answer(token, Answer(position=trial.position, value=value, reaction_ms=500.0 + trial.position))
        sys.stdout.write(f"{token} {trial.position}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    opened = Store.open(sys.argv[1])
    tokens = sys.argv[2:]
    with ThreadPoolExecutor(len(tokens)) as pool:
        list(pool.map(lambda token: answer_all(opened, token), tokens))
