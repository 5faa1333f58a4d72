-- The newest revision of every score of the own windows of new normals and of steps, each beside its sum.
-- grain: one score.  inputs: reference_scores.  reader: operations/era_signals.py
SELECT baseline_id, metric, feature, segment, direction, window_start, window_end, value, se, low, high, bound_low, bound_high, n, state, reason, coverage, reference_value, grain
FROM reference_scores
WHERE model = $model AND environment = $environment AND version = ''
  AND computed_at <= $now AND list_contains($bins, bins) AND list_contains($metrics, metric)
QUALIFY row_number() OVER (PARTITION BY baseline_id, metric, method, feature, segment, grain, window_start ORDER BY revision DESC, computed_at DESC) = 1
