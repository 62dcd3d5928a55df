"""Storing, folding, pruning and reading what the processes counted."""

from blueprints.metrics.services.exposition import prometheus_text
from blueprints.metrics.services.folding import RETRY_SECONDS, fold_deltas, store_delta
from blueprints.metrics.services.reports import report
from blueprints.metrics.services.retention import prune_metrics

__all__ = ["RETRY_SECONDS", "fold_deltas", "prometheus_text", "prune_metrics", "report", "store_delta"]
