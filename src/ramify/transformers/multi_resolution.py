"""Fine-tuning of an encoder on several levels of a label tree, from the coarsest to the finest.

for t in levels:
    shortlist_t   all nodes on the first level; else children of TFN ∪ MAN nodes of the level above
    W_t           0, with the log odds of each node as intercept; or bootstrapped by a linear solve on the embeddings
    encoder, W_t  trained jointly on Y_t (``level_task``); the encoder is carried over to the next level
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from ramify.torchloop import History
from ramify.transformers.fine_tuning import FineTuning
from ramify.transformers.head import Head
from ramify.transformers.level_task import LevelTask
from ramify.transformers.levels import HeadSettings, Levels, Solving, linear_head, matched_nodes, prior_head
from ramify.transformers.shortlist import Shortlist, with_positives
from ramify.values import CSR, Hybrid, Int64, empty_csr

MOST_BOOTSTRAPPED = 8192
"""Largest number of instances of the linear solve for the head of the first level."""


def fine_tune_levels(run: FineTuning, levels: Levels, settings: HeadSettings) -> tuple[History, ...]:
    """Train the encoder of a run on each level; returns the history of each level."""
    return tuple(run.train(level_task(run, levels, stage, settings), stage) for stage in range(len(levels.numbers)))


def level_task(run: FineTuning, levels: Levels, stage: int, settings: HeadSettings) -> LevelTask:
    """The task of a stage, with its shortlist and the start of its head.

    Neither is computed if the checkpoint of the stage is complete; the start of the head only if there is none.
    """
    number, rows, training = levels.numbers[stage], run.stage_rows(stage), run.training
    targets, shortlist = levels.targets[number], Shortlist(levels.targets[number])
    starts, known, embeddings = run.steps_done(stage) == 0, rows, None
    if stage > 0 and not run.is_finished(stage):
        both = np.concatenate([rows, run.held])
        embeddings = run.embeddings(both)
        training.report("match", 0.0)
        nodes_above = _nodes_above(run, levels, stage, Hybrid(training.X[both], embeddings), settings.matched)
        shortlist = Shortlist(targets, nodes_above, levels.tree.first_children(number))
    elif starts and settings.bootstrap:
        known = _sample(rows, MOST_BOOTSTRAPPED, training.seed)
        embeddings = run.embeddings(known)
    shape = (targets.shape[1], run.encoder.width)
    start = (np.zeros(shape, np.float32), np.zeros(shape[0], np.float32))  # a checkpoint has the head
    blocks, above = levels.blocks(stage), shortlist.rows(known)
    if starts and embeddings is not None and settings.bootstrap:
        training.report("match", 0.5)
        how = Solving(training.seed, training.threads)
        start = linear_head(embeddings[: len(known)], targets[known], blocks, above, how)
    elif starts:
        start = prior_head(targets[known], blocks, above, run.encoder.width, settings.loss)
    if embeddings is not None:
        training.report("match", 1.0)
    head = Head(*start, settings.loss, run.environment.device)
    return LevelTask(run, rows, head, shortlist, settings)


def _nodes_above(run: FineTuning, levels: Levels, stage: int, X: Hybrid, k: int) -> CSR:
    """TFN ∪ MAN of the instances of a stage, MAN of the held-out ones, shape (n, nodes of the level above).

    X has the instances of the stage, then the held-out ones.
    """
    number, rows, training = levels.numbers[stage] - 1, run.stage_rows(stage), run.training
    positives = levels.positives(number)
    found = matched_nodes(levels.cut(number), X, positives[rows], k, Solving(training.seed, training.threads))
    n, n_nodes = positives.shape
    known = sp.vstack([positives[rows], empty_csr(len(run.held), n_nodes)]).tocsr()
    above = with_positives(found, known)
    ones = np.ones(above.shape[0], np.float32)
    place = sp.csr_matrix((ones, (np.concatenate([rows, run.held]), np.arange(len(ones)))), shape=(n, len(ones)))
    return sp.csr_matrix(place @ above)


def _sample(rows: Int64, most: int, seed: int) -> Int64:
    """At most so many of the rows, ascending."""
    return rows if len(rows) <= most else np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
