-- Grain: one row per model with any reading that may be its, and one (null) for all readings together.
-- Inputs: samples (telemetry/gpus), processes (telemetry/gpu_processes), each read once; claims (host, model), one row a host and model that it may
--         serve; $now: later readings do not exist yet.
-- Reader: adapters/gpu_hours.py
WITH sampled AS MATERIALIZED (SELECT host, model, min(sampled_at) AS first_at FROM samples WHERE sampled_at <= $now GROUP BY host, model),
each AS (
    SELECT model, first_at FROM sampled WHERE model <> ''
    UNION ALL
    SELECT model, min(sampled_at) AS first_at FROM processes WHERE model <> '' AND sampled_at <= $now GROUP BY model
    UNION ALL
    SELECT c.model, s.first_at FROM sampled AS s INNER JOIN claims AS c ON s.host = c.host
    UNION ALL
    SELECT NULL AS model, first_at FROM sampled
)
SELECT model, min(first_at) AS first_at
FROM each
GROUP BY model
