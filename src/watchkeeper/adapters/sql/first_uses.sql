-- Grain: one row per model (null: unattributed) with any reading.
-- Inputs: samples (telemetry/gpus); hosts (host, model), one row a host; $now: later readings do not exist yet.
-- Reader: adapters/gpu_hours.py
SELECT coalesce(nullif(s.model, ''), h.model) AS model, min(s.sampled_at) AS first_at
FROM samples AS s
LEFT JOIN hosts AS h ON s.host = h.host
WHERE s.sampled_at <= $now
GROUP BY coalesce(nullif(s.model, ''), h.model)
