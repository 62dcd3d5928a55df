"""What runs on a clock: folding and forgetting."""

from app.jobs import Job
from blueprints.metrics import services

fold_deltas = Job("metrics.fold_deltas", services.fold_deltas, atomic=True, every_seconds=10)
prune_metrics = Job("metrics.prune_metrics", services.prune_metrics, every_seconds=3600)
