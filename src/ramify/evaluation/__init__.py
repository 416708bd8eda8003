"""Evaluation of predictions: measures, propensities, buckets by training frequency, intervals, reports."""

from ramify.evaluation.baseline import popular
from ramify.evaluation.buckets import label_buckets
from ramify.evaluation.comparison import Comparison, Difference
from ramify.evaluation.config import EvaluationConfig
from ramify.evaluation.evaluator import compare, compare_with, evaluate, evaluate_with
from ramify.evaluation.label_sets import (
    SetReport,
    compare_sets,
    evaluate_sets,
    evaluate_sets_with,
    sets_of_true_size,
)
from ramify.evaluation.metrics import (
    coverage_at_k,
    hit_rate_at_k,
    macro_f1_at_k,
    micro_f1_at_k,
    ndcg_at_k,
    precision_at_k,
    psndcg_at_k,
    psp_at_k,
    recall_at_k,
)
from ramify.evaluation.propensity import TrainingCounts, inverse_propensities, label_counts, propensities
from ramify.evaluation.ranking import top_k
from ramify.evaluation.report import BucketSize, Report

__all__ = [
    "BucketSize",
    "Comparison",
    "Difference",
    "EvaluationConfig",
    "Report",
    "SetReport",
    "TrainingCounts",
    "compare",
    "compare_sets",
    "compare_with",
    "coverage_at_k",
    "evaluate",
    "evaluate_sets",
    "evaluate_sets_with",
    "evaluate_with",
    "hit_rate_at_k",
    "inverse_propensities",
    "label_buckets",
    "label_counts",
    "macro_f1_at_k",
    "micro_f1_at_k",
    "ndcg_at_k",
    "popular",
    "precision_at_k",
    "propensities",
    "psndcg_at_k",
    "psp_at_k",
    "recall_at_k",
    "sets_of_true_size",
    "top_k",
]
